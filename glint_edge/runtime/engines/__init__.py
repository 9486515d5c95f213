"""Engines: what runs an artifact, and how the installed ones are looked up.

An engine runs the files of one target and knows nothing of how they are made. Those of this package
stand in a table below; another package brings its own by an entry point that names an `Engine`, or
an object with its attributes and methods. Looking at engines imports no runtime.

    [project.entry-points."glint_edge.engines"]
    my-runtime = "my_package.my_module:ENGINE"

What makes the files is a target: `glint_edge.bundles.target`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from glint_edge.bundles.target import canonical_target
from glint_edge.engine.library import BUILD, MODULE
from glint_edge.errors import BundleError, ConfigError, GlintEdgeError, MissingExtraError, one_line
from glint_edge.extras import missing, usable
from glint_edge.processes.threads import check_threads
from glint_edge.suggestions import one_of

if TYPE_CHECKING:
    from glint_edge.config import ModelConfig

GROUP = "glint_edge.engines"
ATTRIBUTES = ("name", "extra", "runtime_extra", "packages", "prepare", "load")

Tensor: TypeAlias = Any  # the runtime's own kind
Bias: TypeAlias = npt.NDArray[np.float32]


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


class StreamRuntime(Runtime, Protocol):
    """A runtime whose state is one array, so that a session can be kept; its lists take filters."""

    def recommend(self, state: Tensor, bias: Bias | None = None) -> tuple[Tensor, Tensor]:
        """Items [1, k], best first, and their scores float32 [1, k].

        The bias, float32 [1, rows], is added to the scores first, by item id; None: zeros.
        """

    def similar(self, item: int, bias: Bias | None = None) -> tuple[Tensor, Tensor]:
        """Items [1, k] most like an item, and the cosines of their rows float32 [1, k]."""

    def from_numpy(self, array: npt.NDArray[Any]) -> Tensor:
        """An array as a tensor of this runtime; may be the same memory."""


@dataclass(frozen=True)
class Engine:
    """One runtime by its Python bindings.

    Attributes:
        name: of the target whose files it runs.
        extra: the pip requirement that brings it with all else of the target: "glint-edge[onnx]".
        runtime_extra: the one that brings the runtime alone: "glint-edge[runtime-onnx]".
        packages: import names that it needs.
        module: has `load(path, config, top_k, threads)`; imported when it is used.
    """

    name: str
    extra: str
    runtime_extra: str
    packages: tuple[str, ...]
    module: str

    def prepare(self) -> None:
        """Import what `load` needs. It takes seconds, which a measurement leaves out."""
        importlib.import_module(self.module)

    def load(
        self, path: Path, config: ModelConfig, top_k: int | None, threads: int
    ) -> StreamRuntime:
        """Load a file.

        Args:
            path: the file.
            config: its model's.
            top_k: items that `recommend` must return; None takes what the file says.
            threads: CPU threads of the runtime.

        Raises:
            BundleError: the runtime refuses it, or it is of another model.
        """
        module = importlib.import_module(self.module)
        runtime: StreamRuntime = module.load(path, config, top_k, threads)
        return runtime


# The lightest to import first: an application that does not choose gets the first one it can run.
ENGINES = (
    Engine("c", BUILD, BUILD, (MODULE,), "glint_edge.runtime.engines.c"),
    Engine("onnx", "glint-edge[onnx]", "glint-edge[runtime-onnx]",
           ("onnxruntime",), "glint_edge.runtime.engines.onnx"),
    Engine("tflite", "glint-edge[litert]", "glint-edge[runtime-litert]",
           ("ai_edge_litert",), "glint_edge.runtime.engines.tflite"),
    Engine("executorch", "glint-edge[executorch]", "glint-edge[executorch]",
           ("executorch",), "glint_edge.runtime.engines.executorch"),
)  # fmt: skip  # a table


@cache
def engines() -> Mapping[str, Engine]:
    """The engines by name, this package's first; nothing heavy is imported."""
    ours = {engine.name: engine for engine in ENGINES}
    return {**ours, **usable(GROUP, ATTRIBUTES), **ours}


def find_engine(name: str) -> Engine:
    """Look an engine up, before anything slow is done.

    Raises:
        ConfigError: it is unknown.
        MissingExtraError: its packages are not installed.
    """
    engine = engines().get(canonical_target(name))
    if engine is None:
        raise ConfigError(f"nothing here runs {name!r} artifacts; {one_of(name, engines())}")
    if missing(engine.packages):
        raise MissingExtraError(engine.extra, f"running {engine.name}")
    return engine


def load_artifact(
    name: str, path: Path, config: ModelConfig, top_k: int | None, threads: int
) -> StreamRuntime:
    """Load a file with the engine of its target; arguments of `Engine.load`.

    Raises:
        BundleError: the runtime refuses it, or it is of another model.
        ConfigError: there is no such engine, or not that many threads.
        MissingExtraError: its packages are not installed, or cannot be imported.
    """
    threads = check_threads(threads)
    engine = find_engine(name)
    try:
        return engine.load(path, config, top_k, threads)
    except GlintEdgeError:
        raise
    except ImportError as error:
        why = f"{engine.name}'s runtime cannot be imported ({one_line(error)}): it"
        raise MissingExtraError(engine.runtime_extra, why) from error
    except Exception as error:  # the runtimes' own, and another package's engine, have no base
        raise BundleError(
            f"{engine.name}'s runtime refuses {path} ({one_line(error)}); export it again"
        ) from error


def in_chunks(items: Sequence[int], size: int) -> Iterator[tuple[npt.NDArray[np.int64], int]]:
    """Cut a history for a program of fixed chunk size: ids int64 [1, size], how many count."""
    for start in range(0, len(items), size):
        part = items[start : start + size]
        chunk = np.zeros((1, size), dtype=np.int64)
        chunk[0, : len(part)] = part
        yield chunk, len(part)
