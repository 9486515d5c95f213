"""Unpickling what a stranger pickled, without running anything in it.

A pickle is a small program that names functions and classes and calls them. Here none of them is
ever imported. The few names that tensors, numbers and dicts are made of stand for functions of this
module, which only look at their arguments; objects of chosen packages become `Inert`, which hold
what was set on them; other names may be mentioned, and a pickle that would call one is refused.

torch's own `torch.load(weights_only=True)` does not serve: it reads protocol 2, and RecBole writes
protocol 4 ("Unsupported operand 149", torch 2.13).
"""

from __future__ import annotations

# The project's checkpoints are safetensors and JSON, and its code loads no pickle. Other people's
# checkpoints are pickles, and this module, the only one to touch them, replaces the part of the
# unpickler that would find code (`_Unpickler.find_class`).
import pickle  # noqa: TID251
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn

import numpy as np
import torch

from glint_edge.checkpoints.pickle_bounds import require, require_bounded

UnpicklingError = pickle.UnpicklingError

MOST_DIMENSIONS = 8  # of a tensor

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

    def ignore(self, *_: object) -> None:
        """What a pickle puts into it as into a list, a dict or a set."""

    append = extend = add = __setitem__ = ignore


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
        # A dotted name may lead out of its package: recbole.trainer's os.system.
        if module.partition(".")[0] in self.inert_packages and "." not in name:
            return type(name, (Inert,), {})
        return _mentioned(f"{module}.{name}")

    def persistent_load(self, pid: tuple[Any, ...]) -> Storage:
        """A storage, by ("storage", its type, its key, the device, how many numbers, …)."""
        kind, dtype, key, _, count, *view = pid
        require(kind == "storage" and isinstance(dtype, torch.dtype), "a storage is of no kind")
        require(isinstance(key, str) and isinstance(count, int), "a storage has no key")
        require(view in ([], [None]), "a storage is a part of another one")
        return self.storages.setdefault(key, Storage(dtype, key, count))


def load_inert(file: BinaryIO, inert_packages: frozenset[str]) -> tuple[Any, Mapping[str, Storage]]:
    """The pickle that begins here, and the storages that it names."""
    begin = file.tell()
    require_bounded(file)
    file.seek(begin)
    unpickler = _Unpickler(file, inert_packages)
    return unpickler.load(), unpickler.storages


def _renamed(module: str) -> str:
    """Python 2's names, which protocols below 3 use, Python 3.13's and numpy 2's."""
    older = {"__builtin__": "builtins", "copy_reg": "copyreg", "pathlib._local": "pathlib"}
    return older.get(module, module).replace("numpy._core.", "numpy.core.")


def _mentioned(name: str) -> type:
    """A name that is unknown. A config may mention classes: that does no harm, a call might."""

    def refuse(_: type, *__: object, **___: object) -> NoReturn:
        raise CallRefused(name)

    return type("Mentioned", (), {"__new__": refuse})


def _rebuild_tensor(
    storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> StoredTensor:
    require(isinstance(storage, Storage), "a tensor has no storage")
    require(len(shape) == len(strides) <= MOST_DIMENSIONS, "a tensor has no shape")
    numbers = (offset, *shape, *strides)
    require(all(isinstance(number, int) for number in numbers), "a tensor has no shape")
    return StoredTensor(storage, offset, tuple(shape), tuple(strides))


class _Dtype:
    """A numpy dtype: its code, as "f8" or "U12", and its byte order."""

    def __init__(self, code: str, *_: object) -> None:
        require(isinstance(code, str), "a type of numbers has no name")
        self.code, self.order = code, "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1] if isinstance(state[1], str) else ">"


def _scalar(dtype: _Dtype, raw: bytes) -> float | int | Inert:
    if not re.fullmatch(r"[fiu][1248]", dtype.code) or dtype.order == ">":
        return Inert()
    value: float | int = np.frombuffer(raw, np.dtype(f"<{dtype.code}"))[0].item()
    return value


def _getattr(owner: object, name: str) -> Inert:
    # Some Pythons 3.11 pickle an enum's member so.
    if isinstance(owner, type) and issubclass(owner, Inert):
        return Inert()
    raise CallRefused(f"getattr(…, {name!r})" if isinstance(name, str) else "getattr")


# Plain values that a config may hold: what they are is not looked at.
VALUES: Mapping[str, str] = {
    "argparse": "Namespace",
    "builtins": "bytearray complex range slice",
    "collections": "Counter defaultdict deque",
    "datetime": "date datetime time timedelta timezone",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "pathlib": "Path PosixPath PurePath PurePosixPath PureWindowsPath WindowsPath",
    "types": "SimpleNamespace",
    "uuid": "UUID SafeUUID",
}

# Parts of tensors, numbers and dicts. Each stands for something of ours or for a plain container.
KNOWN: Mapping[tuple[str, str], object] = {
    **{(module, name): Inert for module, names in VALUES.items() for name in names.split()},
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
