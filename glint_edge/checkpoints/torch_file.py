"""Reading what `torch.save` wrote, without running anything in it.

A `.pth` file is a pickle: a small program that names functions and classes and calls them. Here
none of them is ever imported. The few names that tensors, numbers and dicts are made of stand for
functions of this module, which only look at their arguments; objects of chosen packages become
`Inert`, which hold what was set on them; other names may be mentioned, and a file that would call
one is refused. Both of torch's formats are read: the zip, and the older row of pickles.
"""

from __future__ import annotations

import io
import math

# The project's checkpoints are safetensors and JSON, and its code loads no pickle. Other people's
# checkpoints are pickles, and this module, the only one to touch them, replaces the part of the
# unpickler that would find code (`_Unpickler.find_class`).
import pickle  # noqa: TID251
import pickletools
import re
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
import torch
from torch import Tensor

from glint_edge.errors import CheckpointError

# What damaged bytes make the unpickler and the readers below raise.
DAMAGE = (
    pickle.UnpicklingError, zipfile.BadZipFile, struct.error, EOFError, ValueError, TypeError,
    LookupError, AttributeError, AssertionError, OverflowError, MemoryError, RuntimeError,
)  # fmt: skip

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_VERSION = 1001

STORAGE_TYPES: Mapping[str, torch.dtype] = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class Inert:
    """An object of somebody else's class: what was set on it, and none of its behaviour."""

    def __init__(self, *_: object) -> None:
        self.values: dict[str, Any] = {}

    def __setstate__(self, state: object) -> None:
        self.values = dict(state) if isinstance(state, dict) else {}


@dataclass(frozen=True)
class Storage:
    """The numbers behind one or several tensors, still in the file."""

    dtype: torch.dtype
    key: str
    count: int


@dataclass(frozen=True)
class StoredTensor:
    """A tensor still in the file: how to look at its storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class StoredArray:
    """A numpy array of texts, or of anything else, which is left out."""

    def __init__(self, *_: object) -> None:
        self.texts: list[str] = []

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, _, dtype, _, raw = state
        if isinstance(raw, list):  # an array of objects
            self.texts = [text for text in raw if isinstance(text, str)]
        elif dtype.code.startswith("U") and dtype.order != ">":
            size = 4 * int(dtype.code[1:])
            rows = (raw[at : at + size] for at in range(0, len(raw), size))
            self.texts = [row.decode("utf-32-le").rstrip("\0") for row in rows]


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
        _require(bool(raw) and len(raw) % storage.dtype.itemsize == 0, "a tensor has no numbers")
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
        raise CheckpointError(f"no such file: {path}; give a RecBole .pth")
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
            "no part of a model's weights; do not load it with anything else either"
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
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if re.fullmatch(r"[^/]+/data\.pkl", name)]
        if len(names) != 1:
            raise ValueError("it has no data.pkl")
        folder = names[0].removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist():
            order = _member(archive, f"{folder}byteorder")
            _require(order == b"little", "it is big-endian")
        value, _ = _load(io.BytesIO(_member(archive, names[0])), inert_packages)

    def read(storage: Storage) -> bytes:
        with zipfile.ZipFile(path) as archive:
            return _member(archive, f"{folder}data/{storage.key}")

    return TorchFile(value, read)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    # torch compresses nothing, and what is not compressed is no larger than the file.
    compressed = archive.getinfo(name).compress_type != zipfile.ZIP_STORED
    _require(not compressed, f"{name} is compressed")
    return archive.read(name)


def _read_legacy(path: Path, file: BinaryIO, inert_packages: frozenset[str]) -> TorchFile:
    """Pickles in a row (magic, version, the writer's machine, the value, keys), then storages."""

    def load() -> tuple[Any, Mapping[str, Storage]]:
        return _load(file, inert_packages)

    _require(load()[0] == LEGACY_MAGIC, "it is some other pickle")
    _require(load()[0] == LEGACY_VERSION, "it is of an unknown version")
    _require(load()[0]["little_endian"] is True, "it is big-endian")
    value, storages = load()
    keys, _ = load()
    places = {}
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        size = count * storages[key].dtype.itemsize
        places[key] = (file.tell(), size)
        _require(0 <= size <= path.stat().st_size - file.tell(), "it ends too early")
        file.seek(size, io.SEEK_CUR)

    def read(storage: Storage) -> bytes:
        start, size = places[storage.key]
        with path.open("rb") as file:
            file.seek(start)
            return file.read(size)

    return TorchFile(value, read)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


# ---- the unpickler ------------------------------------------------------------------------------


class CallRefused(Exception):
    """A pickle asks to call something that is none of the known names."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _Function:
    """A function of ours that a pickle may call, and can set nothing on."""

    def __init__(self, to: Callable[..., Any]) -> None:
        self._to = to

    def __call__(self, *arguments: object) -> object:
        return self._to(*arguments)

    def __setstate__(self, _: object) -> NoReturn:
        raise pickle.UnpicklingError("it sets something on a function")


class _Unpickler(pickle.Unpickler):
    """An unpickler whose names lead to nothing but this module's own."""

    def __init__(self, file: BinaryIO, inert_packages: frozenset[str]) -> None:
        super().__init__(file)
        self.inert_packages = inert_packages
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> object:
        """What a name stands for; nothing is imported."""
        if module in ("torch", "torch.storage") and name in STORAGE_TYPES:
            return STORAGE_TYPES[name]
        if (known := KNOWN.get((_renamed(module), name))) is not None:
            return known
        if module.partition(".")[0] in self.inert_packages:
            return type(name, (Inert,), {})
        return _mentioned(f"{module}.{name}")

    def persistent_load(self, pid: tuple[Any, ...]) -> Storage:
        """A storage, by ("storage", its type, its key, the device, how many numbers, …)."""
        kind, dtype, key, _, count, *view = pid
        _require(kind == "storage" and isinstance(dtype, torch.dtype), "a storage is of no kind")
        _require(isinstance(key, str) and isinstance(count, int), "a storage has no key")
        _require(view in ([], [None]), "a storage is a part of another one")
        return self.storages.setdefault(key, Storage(dtype, key, count))


def _load(file: BinaryIO, inert_packages: frozenset[str]) -> tuple[Any, Mapping[str, Storage]]:
    """The pickle that begins here, and the storages that it names."""
    begin = file.tell()
    for number, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        # The unpickler allocates what a damaged number asks for: a memo of 32 GB, say.
        memo = opcode.name in ("PUT", "BINPUT", "LONG_BINPUT")
        _require(not memo or int(argument or 0) <= number, "it counts wrongly")
    file.seek(begin)
    unpickler = _Unpickler(file, inert_packages)
    return unpickler.load(), unpickler.storages


def _renamed(module: str) -> str:
    """Python 2's names, which protocols below 3 use, and numpy 2's."""
    older = {"__builtin__": "builtins", "copy_reg": "copyreg"}
    return older.get(module, module).replace("numpy._core.", "numpy.core.")


def _mentioned(name: str) -> type:
    """A name that is unknown. A config may mention classes: that does no harm, a call might."""

    def refuse(_: type, *__: object, **___: object) -> NoReturn:
        raise CallRefused(name)

    return type("Mentioned", (), {"__new__": refuse})


def _rebuild_tensor(
    storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> StoredTensor:
    _require(isinstance(storage, Storage), "a tensor has no storage")
    numbers = (offset, *shape, *strides)
    _require(all(isinstance(number, int) for number in numbers), "a tensor has no shape")
    return StoredTensor(storage, offset, tuple(shape), tuple(strides))


class _Dtype:
    """A numpy dtype: its code, as "f8" or "U12", and its byte order."""

    def __init__(self, code: str, *_: object) -> None:
        self.code, self.order = str(code), "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = str(state[1])


def _scalar(dtype: _Dtype, raw: bytes) -> float | int | Inert:
    if not re.fullmatch(r"[fiu][1248]", dtype.code) or dtype.order == ">":
        return Inert()
    value: float | int = np.frombuffer(raw, np.dtype(f"<{dtype.code}"))[0].item()
    return value


def _getattr(owner: object, name: str) -> Inert:
    # Some Pythons 3.11 pickle an enum's member so.
    if isinstance(owner, type) and issubclass(owner, Inert):
        return Inert()
    raise CallRefused(f"getattr(…, {name!r})")


# Parts of tensors, numbers and dicts. Each stands for something of ours or for a plain container.
KNOWN: Mapping[tuple[str, str], object] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("builtins", "getattr"): _Function(_getattr),
    ("_codecs", "encode"): _Function(lambda text, _="latin1": text.encode("latin1")),
    ("torch", "Size"): _Function(lambda sizes=(): tuple(sizes)),
    ("torch", "device"): _Function(Inert),
    ("torch._utils", "_rebuild_tensor_v2"): _Function(_rebuild_tensor),
    ("torch._utils", "_rebuild_parameter"): _Function(lambda tensor, *_: tensor),
    ("numpy", "ndarray"): StoredArray,
    ("numpy", "dtype"): _Function(_Dtype),
    ("numpy.core.multiarray", "scalar"): _Function(_scalar),
    ("numpy.core.multiarray", "_reconstruct"): _Function(StoredArray),
}
