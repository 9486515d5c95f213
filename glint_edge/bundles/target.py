"""Targets: what a converter must offer, and how the installed ones are found.

A target is one object, named by an entry point of the group `glint_edge.targets`: any package can
bring one. Looking at targets imports no toolchain; `convert` and `load` do.

    [project.entry-points."glint_edge.targets"]
    my-runtime = "my_package.my_module:TARGET"
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from glint_edge.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from glint_edge.config import ModelConfig
    from glint_edge.model.stream import StreamProgram

GROUP = "glint_edge.targets"

Tensor: TypeAlias = Any  # the runtime's own kind


class Runtime(Protocol):
    """A loaded artifact: the stream's methods.

    It works on its own kind of tensor from call to call, so that what is timed is the runtime and
    not a conversion.

    Attributes:
        config: the model's.
        top_k: items that `recommend` returns.
        threads: what the runtime itself says it uses.
    """

    config: ModelConfig
    top_k: int
    threads: int

    def empty_state(self) -> Tensor:
        """The state of no history: float32 [1, S] zeros."""

    def append(self, state: Tensor, item: int) -> Tensor:
        """One item further; the given state stays as it is."""

    def append_many(self, state: Tensor, items: Sequence[int]) -> Tensor:
        """Any number of items further, in as few calls as the artifact allows."""

    def recommend(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Items [1, k], best first, and their scores float32 [1, k]."""

    def to_numpy(self, tensor: Tensor) -> npt.NDArray[Any]:
        """A tensor of this runtime as an array."""


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
    """A file format and its runtime.

    Attributes:
        name: what `--target` takes.
        extra: the pip requirement that brings the packages, as in "glint-edge[onnx]".
        suffix: of the file, with its dot.
        precisions: of the programs it can lower: "fp32", "int8", …
        convert_packages: import names that `convert` needs.
        load_packages: import names that `load` needs.
        runtime: the least version of each runtime that is known to run the file.
    """

    name: str
    extra: str
    suffix: str
    precisions: tuple[str, ...]
    convert_packages: tuple[str, ...]
    load_packages: tuple[str, ...]
    runtime: Mapping[str, str]

    def convert(self, program: StreamProgram, path: Path, options: ConvertOptions) -> None:
        """Lower a stream program to `path`; further files, if any, get the same stem."""

    def prepare(self) -> None:
        """Import what `load` needs. It takes seconds, which a measurement leaves out."""

    def load(self, path: Path, config: ModelConfig, top_k: int | None, threads: int) -> Runtime:
        """Load a file.

        Raises:
            BundleError: the runtime refuses it, or it is of another model.
        """


@cache
def targets() -> Mapping[str, Target]:
    """The installed targets by name, in alphabetical order; nothing heavy is imported."""
    found = {point.name: point.load() for point in metadata.entry_points(group=GROUP)}
    return dict(sorted(found.items()))


def find_target(name: str, to: Literal["convert", "load"]) -> Target:
    """Look a target up, before anything slow is done.

    Raises:
        ConfigError: it is unknown.
        MissingExtraError: the packages for this use are not installed.
    """
    target = targets().get(name)
    if target is None:
        raise ConfigError(f"target {name!r} is unknown; choose one of {', '.join(targets())}")
    packages = target.convert_packages if to == "convert" else target.load_packages
    if missing(packages):
        verb = "exporting to" if to == "convert" else "running"
        raise MissingExtraError(target.extra, f"{verb} {name}")
    return target


def missing(packages: Sequence[str]) -> list[str]:
    """Those that are not installed."""
    return [name for name in packages if importlib.util.find_spec(name) is None]


def in_chunks(items: Sequence[int], size: int) -> Iterator[tuple[npt.NDArray[np.int64], int]]:
    """Cut a history for a program of fixed chunk size: ids int64 [1, size], how many count."""
    for start in range(0, len(items), size):
        part = items[start : start + size]
        chunk = np.zeros((1, size), dtype=np.int64)
        chunk[0, : len(part)] = part
        yield chunk, len(part)
