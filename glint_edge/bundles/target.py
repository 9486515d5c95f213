"""Targets: what a converter must offer, and what people call them.

A target makes files of one format. It is one object, named by an entry point, so that any package
can bring one; the package that brings it also brings the engine that runs its files
(`glint_edge.runtime.engines`), by an entry point of its own: an application that runs a file
reaches no converter. One object may be both.

    [project.entry-points."glint_edge.targets"]
    my-runtime = "my_package.my_converter:TARGET"

    [project.entry-points."glint_edge.engines"]
    my-runtime = "my_package.my_engine:ENGINE"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from glint_edge.model.stream import StreamProgram

# What people call a target: its runtime, its file's suffix.
ALIASES = {
    "litert": "tflite", "tf-lite": "tflite", "tensorflow-lite": "tflite",
    "pte": "executorch",
    "engine": "c", "glnt": "c",
    "ort": "onnx", "onnxruntime": "onnx",
}  # fmt: skip  # a table


def canonical_target(name: str) -> str:
    """A target's name from what people type: `litert`, `pte`, `ONNX`; others in lower case."""
    plain = name.strip().removeprefix(".").lower()
    return ALIASES.get(plain, plain)


@dataclass(frozen=True)
class ConvertOptions:
    """What a conversion may be told beside the program; a target takes what it knows.

    Attributes:
        opset: ONNX operator set; None takes the converter's own.
        metadata: texts to store in the file where its format has a place for them.
    """

    opset: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


class Target(Protocol):
    """A file format, and what makes files of it.

    Attributes:
        name: what `--target` takes; in lower case.
        extra: the pip requirement that brings the packages, as in "glint-edge[onnx]".
        suffix: of the file, with its dot.
        precisions: of the programs it can lower: "fp32", "int8", …
        convert_packages: import names that `convert` needs.
        runtime: the least version of each runtime that is known to run the file.
    """

    name: str
    extra: str
    suffix: str
    precisions: tuple[str, ...]
    convert_packages: tuple[str, ...]
    runtime: Mapping[str, str]

    def convert(self, program: StreamProgram, path: Path, options: ConvertOptions) -> None:
        """Lower a stream program to `path`; further files, if any, get the same stem."""
