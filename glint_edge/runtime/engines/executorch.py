"""A `.pte` on ExecuTorch's own runtime, by its Python bindings.

Importing this module takes the seconds that torch takes: the bindings are built upon it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import executorch.kernels.quantized  # noqa: F401  # registers embedding_byte
import numpy.typing as npt
import torch
from executorch.extension.pybindings import _C

from glint_edge.config import ModelConfig
from glint_edge.errors import BundleError
from glint_edge.model.state import state_size
from glint_edge.model.stream import empty_state
from glint_edge.processes.native_output import held_back
from glint_edge.runtime.engines import in_chunks

# What is behind `executorch.runtime` and `portable_lib`. They import the whole ahead-of-time
# toolchain for a warning's class: 14 s of CPU, where an application only runs a program.
bindings = _C
ERROR_NUMBER = re.compile(r",? error: 0x\S+")


class ExecutorchRuntime:
    """The methods of a loaded program."""

    def __init__(self, program: _C.ExecuTorchProgram, config: ModelConfig, top_k: int) -> None:
        self.config, self.top_k = config, top_k
        self.threads: int = bindings._threadpool_get_thread_count()
        self._append = program.load_method("append")
        self._append_many = program.load_method("append_many")
        self.chunk: int = self._append_many.method_meta().input_tensor_meta(1).sizes()[-1]
        self._recommend = program.load_method("recommend")
        rows = self._recommend.method_meta().input_tensor_meta(1).sizes()[-1]
        self._no_bias = torch.zeros(1, rows)
        # It packs the table once more, and many an application has no use for it.
        self._program: _C.ExecuTorchProgram = program
        self._similar: _C.ExecuTorchMethod | None = None

    def empty_state(self) -> torch.Tensor:
        """Zeros float32 [1, S]."""
        return empty_state(self.config)

    def append(self, state: torch.Tensor, item: int) -> torch.Tensor:
        """One item further; the bindings copy outputs out on every call, so none is shared."""
        after: torch.Tensor = self._append((state, torch.tensor([item])))[0]
        return after

    def append_many(self, state: torch.Tensor, items: Sequence[int]) -> torch.Tensor:
        """Whole chunks; the last one padded."""
        for chunk, count in in_chunks(items, self.chunk):
            inputs = (state, torch.from_numpy(chunk), torch.tensor([count]))
            state = self._append_many(inputs)[0]
        return state

    def recommend(
        self, state: torch.Tensor, bias: npt.NDArray[Any] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Items int64 [1, k] and scores float32 [1, k]."""
        items, scores = self._recommend((state, self._bias(bias)))
        return items, scores

    def similar(
        self, item: int, bias: npt.NDArray[Any] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Items int64 [1, k] and scores float32 [1, k]."""
        if self._similar is None:
            self._similar = self._program.load_method("similar")
        items, scores = self._similar((torch.tensor([item]), self._bias(bias)))
        return items, scores

    def _bias(self, bias: npt.NDArray[Any] | None) -> torch.Tensor:
        return self._no_bias if bias is None else torch.from_numpy(bias)

    def to_numpy(self, tensor: torch.Tensor) -> npt.NDArray[Any]:
        """The same memory as an array."""
        return tensor.numpy()

    def from_numpy(self, array: npt.NDArray[Any]) -> torch.Tensor:
        """A copy: a saved session's array is read-only, and torch knows no such thing."""
        return torch.tensor(array)


def load(path: Path, config: ModelConfig, top_k: int | None, threads: int) -> ExecutorchRuntime:
    """Load a `.pte`.

    Raises:
        BundleError: the runtime refuses it, or it is of another model.
    """
    _check_identifier(path)
    with held_back(streams=True) as printed:
        # How many threads XNNPACK takes. "Unsafe" while a method runs: before any is loaded.
        bindings._unsafe_reset_threadpool(threads)
        try:
            program = bindings._load_program(
                str(path), program_verification=bindings.Verification.InternalConsistency
            )
            sizes = _signature(program)
            runtime = ExecutorchRuntime(program, config, sizes[-1])
        except (RuntimeError, KeyError) as error:
            # Where what it prints is not held back, the exception's text, without its number.
            text = ERROR_NUMBER.sub("", " ".join(str(error).split()))
            reason = printed.last_line() or text
            raise BundleError(f"ExecuTorch refuses {path} ({reason}); export it again") from error
    size = state_size(config)
    expected = (size, size, size, top_k or sizes[-1])
    if sizes != expected:
        raise BundleError(
            f"{path} is of another model (its state, in and out, and its top-k are {sizes}, "
            f"not {expected}); export it again"
        )
    return runtime


def _check_identifier(path: Path) -> None:
    """Refuse what is no `.pte` at all: the bindings abort while they report some of it."""
    with path.open("rb") as file:
        identifier = file.read(8)[4:]  # after the flatbuffer's root offset
    if identifier and not identifier.startswith(b"ET"):
        raise BundleError(f"{path} is no ExecuTorch program; export it again")


def _signature(program: _C.ExecuTorchProgram) -> tuple[int, int, int, int]:
    """The state's size as `append` takes and gives it and `recommend` takes it, and k."""
    append, recommend = program.method_meta("append"), program.method_meta("recommend")
    return (
        append.input_tensor_meta(0).sizes()[-1],
        append.output_tensor_meta(0).sizes()[-1],
        recommend.input_tensor_meta(0).sizes()[-1],
        recommend.output_tensor_meta(0).sizes()[-1],
    )
