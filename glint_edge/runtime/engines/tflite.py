"""A `.tflite` on LiteRT, by its Python interpreter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from glint_edge.bundles.wire import TFLITE_INPUTS, TFLITE_OUTPUTS
from glint_edge.config import ModelConfig
from glint_edge.errors import BundleError
from glint_edge.model.state import state_size
from glint_edge.processes.native_output import held_back
from glint_edge.runtime.engines import in_chunks

State: TypeAlias = npt.NDArray[np.float32]
Bias: TypeAlias = npt.NDArray[np.float32]
Lists: TypeAlias = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]

IDENTIFIER = b"TFL3"
ID_MIN, ID_MAX = -1, 2**31 - 1  # ids are int32 here; what lies beyond is unknown either way


class _Method:
    """One signature. The interpreter's own runner allocates again on every call: half its time."""

    def __init__(self, interpreter: Interpreter, name: str) -> None:
        runner = interpreter.get_signature_runner(name)
        self.inputs, self.outputs = runner.get_input_details(), runner.get_output_details()
        self._indices = [self.inputs[name]["index"] for name in TFLITE_INPUTS[name]]
        self._results = [self.outputs[name]["index"] for name in TFLITE_OUTPUTS[name]]
        self._native, self._graph = interpreter._interpreter, runner._subgraph_index
        self._native.AllocateTensors(self._graph)

    def __call__(self, *values: npt.NDArray[Any]) -> list[Any]:
        """Outputs, copied, in the order of TFLITE_OUTPUTS."""
        for index, value in zip(self._indices, values, strict=True):
            self._native.SetTensor(index, value, self._graph)
        self._native.Invoke(self._graph)
        return [self._native.GetTensor(index, self._graph) for index in self._results]


class TfliteRuntime:
    """The signatures of a loaded file."""

    def __init__(self, interpreter: Interpreter, config: ModelConfig, threads: int) -> None:
        self.config, self.threads = config, threads
        self._append, self._append_many, self._recommend = (
            _Method(interpreter, name) for name in ("append", "append_many", "recommend")
        )
        self._similar: _Method | None = None  # it takes memory, and many an application has no use
        self.top_k: int = _width(self._recommend.outputs, "top_items")
        self.state: int = _width(self._append.inputs, "state")
        self.chunk: int = _width(self._append_many.inputs, "items")
        rows = _width(self._recommend.inputs, "bias")
        self._no_bias = np.zeros((1, rows), dtype=np.float32)
        self._interpreter = interpreter  # what the methods call dies with it

    def empty_state(self) -> State:
        """Zeros float32 [1, S]."""
        return np.zeros((1, state_size(self.config)), dtype=np.float32)

    def append(self, state: State, item: int) -> State:
        """One item further."""
        ids = np.array([min(max(item, ID_MIN), ID_MAX)], dtype=np.int32)
        after: State = self._append(state, ids)[0]
        return after

    def append_many(self, state: State, items: Sequence[int]) -> State:
        """Whole chunks; the last one padded."""
        known = [min(max(item, ID_MIN), ID_MAX) for item in items]
        for chunk, count in in_chunks(known, self.chunk):
            added = np.array([count], dtype=np.int32)
            state = self._append_many(state, chunk.astype(np.int32), added)[0]
        return state

    def recommend(self, state: State, bias: Bias | None = None) -> Lists:
        """Items int64 [1, k] and scores float32 [1, k]."""
        items, scores = self._recommend(state, self._no_bias if bias is None else bias)
        return items.astype(np.int64), scores

    def similar(self, item: int, bias: Bias | None = None) -> Lists:
        """Items int64 [1, k] and scores float32 [1, k]."""
        if self._similar is None:
            self._similar = _Method(self._interpreter, "similar")
        ids = np.array([min(max(item, ID_MIN), ID_MAX)], dtype=np.int32)
        items, scores = self._similar(ids, self._no_bias if bias is None else bias)
        return items.astype(np.int64), scores

    def to_numpy(self, tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The array itself."""
        return tensor

    def from_numpy(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The array itself."""
        return array


def load(path: Path, config: ModelConfig, top_k: int | None, threads: int) -> TfliteRuntime:
    """Load a `.tflite`.

    Raises:
        BundleError: the runtime refuses it, or it is of another model.
    """
    with path.open("rb") as file:
        if file.read(8)[4:] != IDENTIFIER:
            raise BundleError(f"{path} is no TFLite file; export it again")
    with held_back(streams=True):
        try:
            interpreter = Interpreter(str(path), num_threads=threads)
            runtime = TfliteRuntime(interpreter, config, threads)
        except (ValueError, RuntimeError, KeyError) as error:
            reason = " ".join(str(error).split())
            raise BundleError(f"LiteRT refuses {path} ({reason}); export it again") from error
    sizes = [runtime.state, runtime.top_k]
    expected = [state_size(config), top_k or runtime.top_k]
    if sizes != expected:
        raise BundleError(
            f"{path} is of another model (its state and top-k are {sizes}, not {expected}); "
            "export it again"
        )
    return runtime


def _width(details: dict[str, Any], name: str) -> int:
    return int(details[name]["shape"][-1])
