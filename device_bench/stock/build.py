"""What one would export without this tool, made in a process of its own.

`python -m device_bench.stock.build`, called by `shelf.py`: exporters take minutes, print,
and keep what they took.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from device_bench.measure import stock_engine
from device_bench.measure.stock_program import BatchProgram, example
from device_bench.stock.shelf import COMPILED, ONNX, ONNX_INT8, TFLITE, int8_weights
from glint_edge.checkpoints.checkpoint import load_checkpoint
from glint_edge.model.glint_ru import GlintRU
from glint_edge.processes.child import answer


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to make.

    Attributes:
        target: of a `Stock`.
        checkpoint: folder of the float model.
        folder: where to put what is made.
        top_k: items that the program returns.
        threads: it will run with; compilers want to know.
    """

    target: str
    checkpoint: str
    folder: str
    top_k: int
    threads: int


def export_onnx(model: GlintRU, length: int, top_k: int, path: Path) -> None:
    """`torch.onnx.export` of the batch form, for histories of at most `length` items."""
    program = BatchProgram(model, top_k).eval()
    # One file, as an app would load it.
    torch.onnx.export(
        program, example(length), path, dynamo=True, verbose=False, external_data=False,
        input_names=["items", "lengths"], output_names=["ids", "scores"],
    )  # fmt: skip


def _onnx(model: GlintRU, order: Order) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    folder = Path(order.folder)
    floats, int8 = folder / f"new.{ONNX}", folder / f"new.{ONNX_INT8}"
    export_onnx(model, model.config.max_length, order.top_k, floats)
    quantize_dynamic(floats, int8, weight_type=QuantType[int8_weights()])
    int8.replace(folder / ONNX_INT8)
    floats.replace(folder / ONNX)


def _tflite(model: GlintRU, order: Order) -> None:
    import litert_torch

    file = Path(order.folder) / f"new.{TFLITE}"
    program = BatchProgram(model, order.top_k).eval()
    litert_torch.convert(program, example(model.config.max_length)).export(str(file))
    file.replace(file.with_name(TFLITE))


def _compile(model: GlintRU, order: Order) -> None:
    """Compile once: the compiler's own cache has it then, and the file is a mark of that."""
    runtime = stock_engine.load(
        "torch-compile", Path(order.checkpoint), model.config, order.top_k, order.threads
    )
    runtime.recommend(runtime.append_many(runtime.empty_state(), [1]))
    (Path(order.folder) / COMPILED).touch()


BUILDS: Mapping[str, Callable[[GlintRU, Order], None]] = {
    "onnx": _onnx,
    "torch-compile": _compile,
    "tflite": _tflite,
}


def build(request: Mapping[str, Any]) -> dict[str, Any]:
    """Carry an order out."""
    order = Order(**request)
    torch.set_num_threads(1)
    BUILDS[order.target](load_checkpoint(order.checkpoint).model, order)
    return {}


if __name__ == "__main__":
    sys.exit(answer(build))
