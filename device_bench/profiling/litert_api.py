"""The part of LiteRT's C API that profiling needs; its Python bindings leave the profiler out.

The names and layouts are those of the headers `litert/c/litert_{common,layout,model,options,
opaque_options,compiled_model,tensor_buffer,profiler,profiler_event}.h`. Nothing is freed: this is
for a process that ends soon.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import ai_edge_litert
import numpy as np
import numpy.typing as npt

from glint_edge.errors import BundleError

LIBRARY = Path(ai_edge_litert.__file__).with_name("libLiteRt.so")
CPU = 1  # kLiteRtHwAcceleratorCpu
READ, WRITE = 0, 1  # kLiteRtTensorBufferLockMode…
TYPES = {1: np.float32, 2: np.int32, 4: np.int64}  # kLiteRtElementType…
RANK = 0x7F  # of a layout's first field; above it: whether it has strides

Handle = ctypes.c_void_p


class _Layout(ctypes.Structure):
    _fields_ = (
        ("rank", ctypes.c_uint),
        ("dimensions", ctypes.c_int32 * 8),
        ("strides", ctypes.c_uint32 * 8),
    )


class _TensorType(ctypes.Structure):
    _fields_ = (("element", ctypes.c_int), ("layout", _Layout))


class _Event(ctypes.Structure):
    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("kind", ctypes.c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory", ctypes.c_size_t * 6),
        ("metadata", ctypes.c_uint64 * 2),
        ("source", ctypes.c_int),
    )


@dataclass(frozen=True)
class Event:
    """One record of the profiler.

    Attributes:
        tag: an operator's name, or a phase of the runtime.
        kind: a `LiteRtProfilerEventType`: 1 a phase of the runtime, 2 a kernel of its own, 4 and 8
            an operator of a delegate.
        elapsed_us: whole microseconds.
    """

    tag: str
    kind: int
    elapsed_us: int


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(str(LIBRARY))


def has_profiler() -> bool:
    """Whether this LiteRT has a profiler in its C API."""
    return LIBRARY.is_file() and hasattr(_library(), "LiteRtCompiledModelGetProfiler")


def _call(name: str, *arguments: object) -> None:
    function = getattr(_library(), name)
    function.restype = ctypes.c_int
    if status := function(*arguments):
        raise BundleError(f"LiteRT's {name} failed with status {status}; export the file again")


def _handle(name: str, *arguments: object) -> Handle:
    """What a function gives by its last argument."""
    handle = Handle()
    _call(name, *arguments, ctypes.byref(handle))
    return handle


def _count(name: str, handle: Handle) -> int:
    count = ctypes.c_size_t()
    _call(name, handle, ctypes.byref(count))
    return count.value


def _text(name: str, *arguments: object) -> str:
    text = ctypes.c_char_p()
    _call(name, *arguments, ctypes.byref(text))
    return (text.value or b"").decode()


class ProfiledModel:
    """A `.tflite` on the CPU, with its profiler."""

    def __init__(self, path: Path, threads: int) -> None:
        self.environment = _handle("LiteRtCreateEnvironment", ctypes.c_int(0), None)
        name = ctypes.c_char_p(str(path).encode())
        self.file = _handle("LiteRtCreateModelFromFile", self.environment, name)
        options = _handle("LiteRtCreateOptions")
        _call("LiteRtSetOptionsHardwareAccelerators", options, ctypes.c_int(CPU))
        _add(options, b"runtime_options_string", b"enable_profiling = true\n")
        _add(options, b"cpu_options_string", b"num_threads = %d\n" % threads)
        function = "LiteRtCreateCompiledModel"
        self.compiled = _handle(function, self.environment, self.file, options)
        self.profiler = _handle("LiteRtCompiledModelGetProfiler", self.compiled)

    def start(self) -> None:
        """Record from now on; what was recorded before is forgotten."""
        _call("LiteRtStartProfiler", self.profiler)

    def stop(self) -> list[Event]:
        """Record no more; what was, call by call in the order in which it ran."""
        count = ctypes.c_int()
        _call("LiteRtStopProfiler", self.profiler)
        _call("LiteRtGetNumProfilerEvents", self.profiler, ctypes.byref(count))
        events = (_Event * count.value)()
        _call("LiteRtGetProfilerEvents", self.profiler, count, events)
        return [Event(e.tag.decode(errors="replace"), e.kind, e.elapsed_us) for e in events]

    def signatures(self) -> dict[str, Signature]:
        """The methods by name, each with buffers of its own."""
        by_key = {}
        for index in range(_count("LiteRtGetNumModelSignatures", self.file)):
            handle = _handle("LiteRtGetModelSignature", self.file, ctypes.c_size_t(index))
            by_key[_text("LiteRtGetSignatureKey", handle)] = Signature(self, index, handle)
        return by_key


# Kept for as long as LiteRT may look at them: the texts, and what it calls to free them.
_no_deleter = ctypes.CFUNCTYPE(None, Handle)(lambda _: None)
_texts: list[Any] = []


def _add(options: Handle, name: bytes, text: bytes) -> None:
    """Options that the C API takes as TOML."""
    _texts.append(ctypes.create_string_buffer(text))
    payload = ctypes.cast(_texts[-1], Handle)
    added = _handle("LiteRtCreateOpaqueOptions", ctypes.c_char_p(name), payload, _no_deleter)
    _call("LiteRtAddOpaqueOptions", options, added)


class _Buffer:
    """One input or output."""

    def __init__(
        self, model: ProfiledModel, signature: int, tensor: Handle, what: str, index: int
    ) -> None:
        kind = _TensorType()
        _call("LiteRtGetRankedTensorType", tensor, ctypes.byref(kind))
        place = (ctypes.c_size_t(signature), ctypes.c_size_t(index))
        needs = _handle(f"LiteRtGetCompiledModel{what}BufferRequirements", model.compiled, *place)
        function = "LiteRtCreateManagedTensorBufferFromRequirements"
        self.handle = _handle(function, model.environment, ctypes.byref(kind), needs)
        self.dtype = np.dtype(TYPES[kind.element])
        self.shape = tuple(kind.layout.dimensions[: kind.layout.rank & RANK])

    def _array(self, mode: int) -> npt.NDArray[Any]:
        memory = Handle()
        _call("LiteRtLockTensorBuffer", self.handle, ctypes.byref(memory), ctypes.c_int(mode))
        size = int(np.prod(self.shape)) * self.dtype.itemsize
        raw = (ctypes.c_char * size).from_address(memory.value or 0)
        return np.ndarray(self.shape, self.dtype, memoryview(raw).cast("B"))

    def write(self, value: npt.NDArray[Any]) -> None:
        """Copy an array in, as this tensor's type."""
        self._array(WRITE)[...] = value.reshape(self.shape)
        _call("LiteRtUnlockTensorBuffer", self.handle)

    def read(self) -> npt.NDArray[Any]:
        """A copy."""
        value = self._array(READ).copy()
        _call("LiteRtUnlockTensorBuffer", self.handle)
        return value


class Signature:
    """One method of a model."""

    def __init__(self, model: ProfiledModel, index: int, handle: Handle) -> None:
        self._model, self._index = model, index
        self.inputs, self.outputs = (
            {
                _text(f"LiteRtGetSignature{what}Name", handle, ctypes.c_size_t(n)): _Buffer(
                    model, index,
                    _handle(f"LiteRtGetSignature{what}TensorByIndex", handle, ctypes.c_size_t(n)),
                    what, n,
                )
                for n in range(_count(f"LiteRtGetNumSignature{what}s", handle))
            }
            for what in ("Input", "Output")
        )  # fmt: skip

    def write(self, names: Sequence[str], values: Sequence[npt.NDArray[Any]]) -> None:
        """Set inputs by name."""
        for name, value in zip(names, values, strict=True):
            self.inputs[name].write(value)

    def run(self) -> None:
        """Once, on what was written."""
        sides = (self.inputs, self.outputs)
        buffers = ((Handle * len(side))(*(one.handle for one in side.values())) for side in sides)
        arguments = [part for side in buffers for part in (ctypes.c_size_t(len(side)), side)]
        place = ctypes.c_size_t(self._index)
        _call("LiteRtRunCompiledModel", self._model.compiled, place, *arguments)
