"""The targets: how the installed ones are looked up, and those of this package.

Looking at targets imports no toolchain; `convert` does. What runs their files is in
`glint_edge.runtime.engines`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from glint_edge.bundles.precisions import held_by
from glint_edge.bundles.target import ConvertOptions, Target, canonical_target
from glint_edge.engine.library import BUILD, MODULE
from glint_edge.errors import ConfigError, ConversionError, MissingExtraError
from glint_edge.extras import brought, missing, usable
from glint_edge.suggestions import one_of

if TYPE_CHECKING:
    from glint_edge.model.stream import StreamProgram

GROUP = "glint_edge.targets"
ATTRIBUTES = (
    "name", "extra", "suffix", "precisions", "convert_packages", "runtime", "convert",
)  # fmt: skip


@cache
def targets() -> Mapping[str, Target]:
    """The installed targets by name, in alphabetical order; nothing heavy is imported."""
    return usable(GROUP, ATTRIBUTES)


def find_target(name: str) -> Target:
    """Look a target up, before anything slow is done.

    Raises:
        ConfigError: it is unknown.
        MissingExtraError: the packages that convert to it are not installed.
    """
    target = targets().get(canonical_target(name))
    if target is None:
        why = brought(GROUP, ATTRIBUTES).broken.get(canonical_target(name))
        what = f"cannot be used ({why})" if why else "is unknown"
        raise ConfigError(f"target {name!r} {what}; {one_of(name, targets())}")
    if missing(target.convert_packages):
        raise MissingExtraError(target.extra, f"exporting to {target.name}")
    return target


@dataclass(frozen=True)
class BuiltIn:
    """A target whose `convert` lives in a module of its own; attributes as in `Target`.

    Attributes:
        lowering: the module with `convert(program, path, options)`.
        anew: a changed catalogue is converted anew, which takes no toolchain and no time; False: it
            is written over that of the file.
    """

    name: str
    extra: str
    suffix: str
    precisions: tuple[str, ...]
    convert_packages: tuple[str, ...]
    runtime: Mapping[str, str]
    lowering: str
    anew: bool = False

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


C = BuiltIn(
    name="c",
    extra=BUILD,
    suffix=".glnt",
    precisions=held_by("c"),
    convert_packages=(MODULE,),
    runtime={"glint-edge": "0.1.0"},
    lowering="converters.to_c.lower",
    anew=True,
)

EXECUTORCH = BuiltIn(
    name="executorch",
    extra="glint-edge[executorch]",
    suffix=".pte",
    precisions=held_by("executorch"),
    convert_packages=("executorch", "torchao"),
    runtime={"executorch": "1.5.1"},
    lowering="converters.to_executorch.lower",
)

ONNX = BuiltIn(
    name="onnx",
    extra="glint-edge[onnx]",
    suffix=".onnx",
    precisions=held_by("onnx"),
    convert_packages=("onnx", "onnxscript", "onnxruntime"),
    runtime={"onnxruntime": "1.32.0"},
    lowering="converters.to_onnx.lower",
)

TFLITE = BuiltIn(
    name="tflite",
    extra="glint-edge[litert]",
    suffix=".tflite",
    precisions=held_by("tflite"),
    convert_packages=("litert_torch", "ai_edge_litert"),
    runtime={"litert": "2.3.0", "tflite-runtime": "2.14.0"},
    lowering="converters.to_tflite.lower",
)
