"""A bundle's artifact as a stream whose failures are errors of this project."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from glint_edge.errors import BundleError, CheckpointError, ConfigError, GlintEdgeError, one_line
from glint_edge.model.state import NOTHING_LEFT
from glint_edge.runtime.app_bundle import AppBundle
from glint_edge.runtime.engines import StreamRuntime
from glint_edge.runtime.filters import Bias, Numbers

State = npt.NDArray[np.float32]
T = TypeVar("T")


class GuardedStream:
    """Threads take turns in the runtime; what it gives is looked at before it is passed on.

    Attributes:
        bundle: what is run.
    """

    def __init__(self, bundle: AppBundle, runtime: StreamRuntime) -> None:
        self.bundle = bundle
        self._runtime, self._turn, self._process = runtime, threading.Lock(), os.getpid()

    def empty(self) -> State:
        """The state of no history: float32 [1, S]."""
        return self._run(lambda runtime: runtime.to_numpy(runtime.empty_state()))

    def encode(self, ids: Sequence[int]) -> State:
        """The state after a history, of which the window's last items count: float32 [1, S]."""
        kept = ids if self.bundle.window is None else ids[-self.bundle.window :]
        return self._run(
            lambda runtime: runtime.to_numpy(runtime.append_many(runtime.empty_state(), kept))
        )

    def step(self, state: State, item: int) -> State:
        """The state after one item more: float32 [1, S]."""
        return self._run(
            lambda runtime: runtime.to_numpy(runtime.append(runtime.from_numpy(state), item))
        )

    def ranked(self, state: State, bias: Bias | None = None) -> tuple[Numbers, State]:
        """What the artifact returns: items int64 [1, k], best first, and scores float32 [1, k].

        Raises:
            BundleError: the runtime fails, or it gives no numbers, or no items of the catalogue, or
                one that the bias leaves out.
        """
        return self._list(lambda run: run.recommend(run.from_numpy(state), bias), bias)

    def alike(self, item: int, bias: Bias | None = None) -> tuple[Numbers, State]:
        """What the artifact finds like an item, which comes first; as `ranked`."""
        return self._list(lambda run: run.similar(item, bias), bias)

    def _list(
        self, call: Callable[[StreamRuntime], tuple[Any, Any]], bias: Bias | None
    ) -> tuple[Numbers, State]:
        def run(runtime: StreamRuntime) -> tuple[Numbers, State]:
            items, scores = call(runtime)
            return runtime.to_numpy(items), runtime.to_numpy(scores)

        items, scores = self._run(run)
        if items.shape != (1, self.bundle.top_k) or scores.shape != items.shape:
            raise self._damaged(f"it recommends {items.size} items, not {self.bundle.top_k}")
        if not np.isfinite(scores).all():
            raise self._damaged("its scores are no numbers")
        listed = items[scores > NOTHING_LEFT]
        if not ((listed > 0) & (listed < len(self.bundle.keys))).all():
            raise self._damaged("it recommends items that are not in the catalogue")
        if bias is not None and (bias[0, listed] <= NOTHING_LEFT).any():
            raise self._damaged("it recommends items that a filter leaves out")
        return items, scores

    def _run(self, call: Callable[[StreamRuntime], T]) -> T:
        """A call of the runtime, one at a time; whatever it raises is an error of this project."""
        if os.getpid() != self._process:
            raise ConfigError(
                f"{self.bundle.name} was loaded before this process was forked, and runtimes do "
                "not survive a fork: load it again here"
            )
        with self._turn:
            try:
                return call(self._runtime)
            except GlintEdgeError:
                raise
            except Exception as error:  # the runtimes' own have no other base
                raise self._damaged(one_line(error)) from error

    def _damaged(self, reason: str) -> GlintEdgeError:
        if self.bundle.target == "torch":
            return CheckpointError(f"{self.bundle.name} cannot be run ({reason}); train it again")
        return BundleError(f"{self.bundle.artifact} cannot be run ({reason}); export it again")
