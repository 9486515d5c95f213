"""The targets of this package. Their toolchains are imported when they are used.

A target's lowering and its runtime are modules of their own, since what it takes to write a file
is far heavier than what it takes to run it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glint_edge.bundles.target import ConvertOptions, Runtime
from glint_edge.config import ModelConfig
from glint_edge.errors import ConversionError

if TYPE_CHECKING:
    from glint_edge.model.stream import StreamProgram


@dataclass(frozen=True)
class BuiltIn:
    """A target whose `convert` and `load` live in two modules; attributes as in `Target`.

    Attributes:
        lowering: the module with `convert(program, path, options)`.
        running: the module with `load(path, config, top_k, threads)`.
    """

    name: str
    extra: str
    suffix: str
    precisions: tuple[str, ...]
    convert_packages: tuple[str, ...]
    load_packages: tuple[str, ...]
    runtime: Mapping[str, str]
    lowering: str
    running: str

    def convert(self, program: StreamProgram, path: Path, options: ConvertOptions) -> None:
        """Lower a stream program to `path`.

        Raises:
            ConversionError: the installed toolchain is not of the versions this was built for.
        """
        try:
            lowering = importlib.import_module(self.lowering)
        except ImportError as error:
            raise ConversionError(
                f"the installed {' and '.join(self.convert_packages)} do not fit together "
                f"({error}); pip install --upgrade '{self.extra}'"
            ) from error
        lowering.convert(program, path, options)

    def prepare(self) -> None:
        """Import what `load` needs."""
        importlib.import_module(self.running)

    def load(self, path: Path, config: ModelConfig, top_k: int | None, threads: int) -> Runtime:
        """Load a file; see `Target.load`."""
        runtime: Runtime = importlib.import_module(self.running).load(path, config, top_k, threads)
        return runtime


EXECUTORCH = BuiltIn(
    name="executorch",
    extra="glint-edge[executorch]",
    suffix=".pte",
    precisions=("fp32", "int8-table", "int8"),
    convert_packages=("executorch", "torchao"),
    load_packages=("executorch",),
    runtime={"executorch": "1.5.1"},
    lowering="converters.to_executorch.lower",
    running="glint_edge.runtime.engine_executorch",
)

ONNX = BuiltIn(
    name="onnx",
    extra="glint-edge[onnx]",
    suffix=".onnx",
    precisions=("fp32", "fp16", "int8-table", "int8"),
    convert_packages=("onnx", "onnxscript", "onnxruntime"),
    load_packages=("onnxruntime",),
    runtime={"onnxruntime": "1.32.0"},
    lowering="converters.to_onnx.lower",
    running="glint_edge.runtime.engine_onnx",
)

TFLITE = BuiltIn(
    name="tflite",
    extra="glint-edge[litert]",
    suffix=".tflite",
    precisions=("fp32", "fp16", "int8-table", "int8"),
    convert_packages=("litert_torch", "ai_edge_litert"),
    load_packages=("ai_edge_litert",),
    runtime={"litert": "2.3.0", "tflite-runtime": "2.14.0"},
    lowering="converters.to_tflite.lower",
    running="glint_edge.runtime.engine_tflite",
)
