"""A session as bytes, the same on every platform; little endian.

  0   8 bytes      the magic, b"GLINTSES"
  8   uint32       version of this format: 1
 12   uint32       n, items of the history
 16   32 bytes     the digest of the bundle's manifest
 48   uint32       S, floats of the state
 52   S × float32  the state
  …   n × int32    item ids, oldest first
end   uint32       CRC-32 (zlib's) of all before it
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glint_edge.errors import SessionError

MAGIC, VERSION = b"GLINTSES", 1
HEAD, CHECKSUM = struct.Struct("<8sII32sI"), struct.Struct("<I")


@dataclass(frozen=True)
class SavedSession:
    """What a session's bytes hold.

    Attributes:
        digest: of the bundle's manifest, hexadecimal.
        state: float32 [S].
        ids: the history's item ids, oldest first.
    """

    digest: str
    state: npt.NDArray[np.float32]
    ids: tuple[int, ...]


def pack(digest: str, state: npt.NDArray[np.float32], ids: Sequence[int]) -> bytes:
    """A session as bytes.

    Args:
        digest: of the bundle's manifest, 64 hexadecimal digits.
        state: float32 [S].
        ids: the history's item ids, oldest first.
    """
    head = HEAD.pack(MAGIC, VERSION, len(ids), bytes.fromhex(digest), state.size)
    body = head + state.astype("<f4").tobytes() + np.asarray(ids, "<i4").tobytes()
    return body + CHECKSUM.pack(zlib.crc32(body))


def unpack(data: bytes) -> SavedSession:
    """Inverse of `pack`.

    Raises:
        SessionError: the bytes are no session, damaged, or of another version of the format.
    """
    if data[: len(MAGIC)] != MAGIC or len(data) < HEAD.size + CHECKSUM.size:
        raise SessionError("these bytes are no saved session; start one from the history")
    _, version, items, digest, floats = HEAD.unpack_from(data)
    if version != VERSION:
        raise SessionError(
            f"the session was saved in format {version}, this glint-edge reads {VERSION}; "
            "upgrade glint-edge, or start one from the history"
        )
    body, checksum = data[: -CHECKSUM.size], data[-CHECKSUM.size :]
    whole = len(body) == HEAD.size + 4 * (floats + items)
    if not whole or CHECKSUM.unpack(checksum) != (zlib.crc32(body),):
        raise SessionError("the saved session is damaged; start one from the history")
    state = np.frombuffer(body, "<f4", floats, HEAD.size).astype(np.float32)
    ids = np.frombuffer(body, "<i4", items, HEAD.size + 4 * floats)
    return SavedSession(digest.hex(), state, tuple(ids.tolist()))
