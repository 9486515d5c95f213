"""Reading what `torch.save` wrote, without running anything in it.

A `.pth` file is a pickle that names tensors (`inert_pickle.py` reads it) and their numbers. Both of
torch's formats are read: the zip, and the older row of pickles.
"""

from __future__ import annotations

import errno
import io
import math
import re
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from glint_edge.checkpoints.inert_pickle import (
    CallRefused,
    Storage,
    StoredTensor,
    UnpicklingError,
    load_inert,
)
from glint_edge.checkpoints.pickle_bounds import require
from glint_edge.errors import CheckpointError
from glint_edge.suggestions import no_file

# What damaged bytes make the unpickler and the readers below raise.
DAMAGE = (
    UnpicklingError, zipfile.BadZipFile, struct.error, EOFError, ValueError, TypeError,
    LookupError, AttributeError, AssertionError, OverflowError, MemoryError, RuntimeError,
)  # fmt: skip

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_VERSION = 1001


class TorchFile:
    """What is in a file, its tensors not yet read.

    Attributes:
        value: what `torch.save` was given; tensors are `StoredTensor`, objects of `inert_packages`
            and of unknown use `Inert`.
    """

    def __init__(self, value: object, read: Callable[[Storage], bytes]) -> None:
        self.value, self._read = value, read

    def tensor(self, stored: StoredTensor) -> Tensor:
        """Read one tensor.

        Raises:
            ValueError: its storage is shorter than it says.
        """
        storage = stored.storage
        raw = bytearray(self._read(storage))
        # torch.frombuffer holds on to what it refuses.
        require(bool(raw) and len(raw) % storage.dtype.itemsize == 0, "a tensor has no numbers")
        flat = torch.frombuffer(raw, dtype=storage.dtype)
        spans = zip(stored.shape, stored.strides, strict=True)
        last = stored.offset + sum((size - 1) * stride for size, stride in spans)
        whole = (stored.offset, *stored.shape, *stored.strides)
        count = math.prod(stored.shape)
        if min(whole) < 0 or not 0 < count <= len(flat) or last >= len(flat):
            raise ValueError("a tensor reaches beyond its numbers")
        return flat.as_strided(stored.shape, stored.strides, stored.offset).clone()


def read_torch_file(path: Path, inert_packages: frozenset[str]) -> TorchFile:
    """Read a file that `torch.save` wrote; no code of it is run, nothing is imported.

    Args:
        path: a zip or a legacy file.
        inert_packages: top-level packages whose objects become `Inert`; a call of anything else
            that is no part of tensors, numbers and dicts is refused.

    Raises:
        CheckpointError: it is missing, would run code, is truncated or damaged, or is none.
        OSError: it cannot be read.
    """
    if not path.is_file():
        raise CheckpointError(no_file(path, "give a RecBole .pth"))
    try:
        with path.open("rb") as file:
            start = file.read(2)
            file.seek(0)
            if start == b"PK":
                return _read_zip(path, inert_packages)
            if start[:1] == b"\x80":
                return _read_legacy(path, file, inert_packages)
    except CallRefused as refused:
        raise CheckpointError(
            f"{path} is refused: reading it would call {_plain(refused.name)}, which is code and "
            "no part of a model's weights; do not load it with anything else either, unless you "
            "trust whoever saved it"
        ) from refused
    except DAMAGE as error:
        raise CheckpointError(
            f"{path} is truncated or damaged ({_plain(str(error))}); copy it again"
        ) from error
    raise CheckpointError(f"{path} is no file that torch.save wrote; give a RecBole .pth")


def _plain(text: str) -> str:
    """Words out of a stranger's file, as part of one line."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:120]).strip()


# ---- the two formats ----------------------------------------------------------------------------


def _read_zip(path: Path, inert_packages: frozenset[str]) -> TorchFile:
    with _opened(path) as archive:
        names = [name for name in archive.namelist() if re.fullmatch(r"[^/]+/data\.pkl", name)]
        if len(names) != 1:
            raise ValueError("it has no data.pkl")
        folder = names[0].removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist():
            order = _member(archive, f"{folder}byteorder")
            require(order == b"little", "it is big-endian")
        value, _ = load_inert(io.BytesIO(_member(archive, names[0])), inert_packages)

    def read(storage: Storage) -> bytes:
        with _opened(path) as archive:
            return _member(archive, f"{folder}data/{storage.key}")

    return TorchFile(value, read)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except OSError as error:
        # A place before the file's start, of a table that was cut: no fault of the system's.
        if error.errno != errno.EINVAL:
            raise
        raise ValueError("its parts are not where it says") from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    # torch compresses nothing, and what is not compressed is no larger than the file.
    compressed = archive.getinfo(name).compress_type != zipfile.ZIP_STORED
    require(not compressed, f"{name} is compressed")
    return archive.read(name)


def _read_legacy(path: Path, file: BinaryIO, inert_packages: frozenset[str]) -> TorchFile:
    """Pickles in a row (magic, version, the writer's machine, the value, keys), then storages."""

    def load() -> tuple[Any, Mapping[str, Storage]]:
        return load_inert(file, inert_packages)

    require(load()[0] == LEGACY_MAGIC, "it is some other pickle")
    require(load()[0] == LEGACY_VERSION, "it is of an unknown version")
    require(load()[0]["little_endian"] is True, "it is big-endian")
    value, storages = load()
    keys, _ = load()
    places = {}
    for key in keys:
        require(isinstance(key, str), "a storage has no key")
        (count,) = struct.unpack("<q", file.read(8))
        size = count * storages[key].dtype.itemsize
        places[key] = (file.tell(), size)
        require(0 <= size <= path.stat().st_size - file.tell(), "it ends too early")
        file.seek(size, io.SEEK_CUR)

    def read(storage: Storage) -> bytes:
        start, size = places[storage.key]
        with path.open("rb") as file:
            file.seek(start)
            return file.read(size)

    return TorchFile(value, read)
