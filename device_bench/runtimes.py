"""Artifacts that run: one small interface over every runtime, and the table of them.

A runtime works on its own kind of tensor from call to call, so that what is timed is the runtime
and not a conversion; `to_numpy` converts where a value leaves.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from glint_edge.config import ModelConfig
from glint_edge.errors import BundleError, MissingExtraError

Tensor: TypeAlias = Any  # the runtime's own kind


class Runtime(Protocol):
    """A loaded artifact: the stream's two methods.

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

    def recommend(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Items int64 [1, k], best first, and their scores float32 [1, k]."""

    def to_numpy(self, tensor: Tensor) -> npt.NDArray[Any]:
        """A tensor of this runtime as an array."""


Load: TypeAlias = Callable[[Path, ModelConfig, int | None, int], Runtime]


@dataclass(frozen=True)
class RuntimeEntry:
    """What is known of a runtime without importing it.

    Attributes:
        module: has `load(path, config, top_k, threads) -> Runtime`.
        packages: import names that must be there.
        extra: the pip extra that brings them; empty where they always are.
    """

    module: str
    packages: tuple[str, ...] = ()
    extra: str = ""


RUNTIMES: Mapping[str, RuntimeEntry] = {
    "executorch": RuntimeEntry("device_bench.run_executorch", ("executorch",), "executorch"),
    # The float stream in torch itself: what the others are compared with. Its "file" is a
    # checkpoint folder.
    "torch": RuntimeEntry("device_bench.run_torch"),
}


def require_runtime(target: str) -> RuntimeEntry:
    """Look a runtime up, without importing it.

    Raises:
        BundleError: this version knows no such target.
        MissingExtraError: it is not installed.
    """
    entry = RUNTIMES.get(target)
    if entry is None:
        raise BundleError(
            f"this glint-edge cannot run {target!r} artifacts (it runs {', '.join(RUNTIMES)}); "
            "upgrade glint-edge"
        )
    if any(importlib.util.find_spec(package) is None for package in entry.packages):
        raise MissingExtraError(entry.extra, f"running a {target} artifact")
    return entry


def import_runtime(target: str) -> Load:
    """Import a runtime (seconds) and return its loader.

    Raises:
        BundleError: this version knows no such target.
        MissingExtraError: it is not installed.
    """
    load: Load = importlib.import_module(require_runtime(target).module).load
    return load


def load_runtime(
    target: str, path: Path, config: ModelConfig, *, top_k: int | None = None, threads: int = 1
) -> Runtime:
    """Load an artifact in this process.

    Args:
        target: a name in `RUNTIMES`.
        path: the file; for "torch" a checkpoint folder.
        config: the model's.
        top_k: items that `recommend` must return; None takes what the file says.
        threads: CPU threads of the runtime.

    Raises:
        BundleError: the runtime refuses the file, or the file is of another model.
        MissingExtraError: the runtime is not installed.
    """
    return import_runtime(target)(path, config, top_k, threads)


def replay(runtime: Runtime, ids: Iterable[int]) -> Tensor:
    """The state after these items, oldest first."""
    state = runtime.empty_state()
    for item in ids:
        state = runtime.append(state, item)
    return state


def recommend_history(
    runtime: Runtime, ids: Sequence[int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """The top-k after a history: its last `max_length` items, as the bundle's window says.

    Args:
        runtime: a loaded artifact.
        ids: item ids, oldest first; may be empty.

    Returns:
        Items int64 [1, k], best first, and scores float32 [1, k].
    """
    items, scores = runtime.recommend(replay(runtime, ids[-runtime.config.max_length :]))
    return runtime.to_numpy(items), runtime.to_numpy(scores)
