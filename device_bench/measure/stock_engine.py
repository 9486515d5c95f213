"""Stock programs, run in this process: the whole history at every tap.

They have no state to keep, so what stands for it here is the history itself, as the program takes
it: its items padded to N, and how many they are. `recommend` is the whole tap.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from glint_edge.config import ModelConfig
from glint_edge.errors import BundleError
from glint_edge.processes.native_output import held_back

Ids: TypeAlias = npt.NDArray[np.int64]
Array: TypeAlias = npt.NDArray[Any]
State: TypeAlias = tuple[Ids, Ids]
# Items [1, N] and their number [1] → ids [1, k] and scores [1, k].
Program: TypeAlias = Callable[[Ids, Ids], tuple[Array, Array]]

# What a target's program takes seconds to import.
MODULES = {
    "torch": "device_bench.measure.stock_program",
    "torch-compile": "device_bench.measure.stock_program",
    "onnx": "glint_edge.runtime.engines.onnx",
    "tflite": "ai_edge_litert.interpreter",
}
TOP_K = 10


class StockRuntime:
    """A stock program behind the stream's methods; see the module."""

    def __init__(self, program: Program, config: ModelConfig, top_k: int, threads: int) -> None:
        self.config, self.top_k, self.threads = config, top_k, threads
        self._program = program

    def empty_state(self) -> State:
        """No item. A program reads at least one: the padding, the unknown item."""
        return np.zeros((1, self.config.max_length), np.int64), np.zeros(1, np.int64)

    def append(self, state: State, item: int) -> State:
        """One item further, the oldest left out where N are there."""
        return self.append_many(state, [item])

    def append_many(self, state: State, items: Sequence[int]) -> State:
        """The history's last N items."""
        before, count = state
        kept = [*before[0, : count[0]].tolist(), *items][-self.config.max_length :]
        after, _ = self.empty_state()
        after[0, : len(kept)] = kept
        return after, np.array([len(kept)])

    def recommend(self, state: State) -> tuple[Array, Array]:
        """Items int64 [1, k] and scores float32 [1, k]."""
        items, count = state
        return self._program(items, np.maximum(count, 1))

    def to_numpy(self, tensor: Any) -> Array:  # noqa: ANN401  # a state or an array
        """Ids as int64; of a state its items."""
        array: Array = tensor[0] if isinstance(tensor, tuple) else tensor
        return array.astype(np.int64) if array.dtype == np.int32 else array


def prepare(target: str) -> None:
    """Import what `load` needs; LiteRT's native library speaks of itself then."""
    with held_back(streams=False):
        importlib.import_module(MODULES[target])


def load(
    target: str, path: Path, config: ModelConfig, top_k: int | None, threads: int
) -> StockRuntime:
    """Load a stock program.

    Args:
        target: "torch", "torch-compile", "onnx" or "tflite".
        path: the file; for torch's a checkpoint folder.
        config: the model's; its `max_length` is N.
        top_k: items that the program returns; None: 10.
        threads: CPU threads of the runtime.

    Raises:
        BundleError: the runtime refuses the file.
    """
    k = TOP_K if top_k is None else top_k
    return StockRuntime(_LOADERS[target](path, k, threads), config, k, threads)


def _eager(path: Path, top_k: int, threads: int) -> Program:
    import torch

    from device_bench.measure.stock_program import BatchProgram
    from glint_edge.checkpoints.checkpoint import load_checkpoint

    torch.set_num_threads(threads)
    return _in_torch(BatchProgram(load_checkpoint(path).model, top_k).eval())


def _compiled(path: Path, top_k: int, threads: int) -> Program:
    import torch

    from device_bench.measure.stock_program import BatchProgram
    from glint_edge.checkpoints.checkpoint import load_checkpoint
    from glint_edge.files import cache_folder

    # What one process compiled, the next finds there.
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(cache_folder() / "stock" / "inductor")
    # No pool of compiling processes: it would stay, and be in the way of what is timed.
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    torch.set_num_threads(threads)
    return _in_torch(torch.compile(BatchProgram(load_checkpoint(path).model, top_k).eval()))


def _in_torch(program: Callable[..., Any]) -> Program:
    import torch

    def run(items: Ids, count: Ids) -> tuple[Array, Array]:
        with torch.inference_mode():
            ids, scores = program(torch.from_numpy(items), torch.from_numpy(count))
        return ids.numpy(), scores.numpy()

    return run


def _onnx(path: Path, top_k: int, threads: int) -> Program:
    from glint_edge.runtime.engines.onnx import open_session

    session = open_session(path, threads, "remove it")
    items_name, count_name = (tensor.name for tensor in session.get_inputs())

    def run(items: Ids, count: Ids) -> tuple[Array, Array]:
        ids, scores = session.run(None, {items_name: items, count_name: count})
        return ids, scores

    return run


def _tflite(path: Path, top_k: int, threads: int) -> Program:
    from ai_edge_litert.interpreter import Interpreter

    with held_back(streams=True):
        try:
            interpreter = Interpreter(str(path), num_threads=threads)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"LiteRT refuses {path}; remove it") from error
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    of_items, of_count = sorted(inputs, key=lambda tensor: tensor["name"])
    of_ids, of_scores = sorted(outputs, key=lambda tensor: tensor["dtype"] == np.float32)

    def run(items: Ids, count: Ids) -> tuple[Array, Array]:
        interpreter.set_tensor(of_items["index"], items.astype(of_items["dtype"]))
        interpreter.set_tensor(of_count["index"], count.astype(of_count["dtype"]))
        interpreter.invoke()
        ids, scores = (interpreter.get_tensor(each["index"]) for each in (of_ids, of_scores))
        return ids, scores

    return run


_LOADERS: Mapping[str, Callable[[Path, int, int], Program]] = {
    "torch": _eager,
    "torch-compile": _compiled,
    "onnx": _onnx,
    "tflite": _tflite,
}
