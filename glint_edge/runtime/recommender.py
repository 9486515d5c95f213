"""A loaded bundle: it gives recommendations, and starts sessions."""

from __future__ import annotations

import threading
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from glint_edge.errors import ConfigError, SessionError, UnknownItemError
from glint_edge.runtime.app_bundle import AppBundle, read_app_bundle
from glint_edge.runtime.engines import StreamRuntime, find_engine
from glint_edge.runtime.session import Session
from glint_edge.runtime.session_bytes import unpack

State = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Recommendation:
    """One recommended item.

    Attributes:
        key: the user's own.
        title: None if the bundle has none for it.
        score: the higher the better; to be compared within one list alone.
    """

    key: str
    title: str | None
    score: float


class Recommendations(list[Recommendation]):
    """A list of recommendations, best first.

    Attributes:
        title: what they come after, in words.
    """

    def __init__(self, items: Iterable[Recommendation] = (), *, title: str = "") -> None:
        super().__init__(items)
        self.title = title


class Recommender:
    """Safe to use from several threads; they take turns in the runtime.

    Attributes:
        bundle: what was loaded.
        unknown: what happens to keys that are not in the catalogue.
    """

    def __init__(
        self, bundle: AppBundle, runtime: StreamRuntime, unknown: Literal["refuse", "skip"]
    ) -> None:
        self.bundle, self.unknown = bundle, unknown
        self._runtime, self._turn = runtime, threading.Lock()
        self._ids = {key: number for number, key in enumerate(bundle.keys) if number}

    @classmethod
    def load(
        cls,
        bundle: str | Path,
        *,
        target: str | None = None,
        unknown: Literal["refuse", "skip"] = "refuse",
        threads: int = 1,
    ) -> Recommender:
        """Load a bundle, once its files have been checked.

        Args:
            bundle: the NAME.glint folder.
            target: "onnx", "tflite" or "executorch"; None takes the lightest that the bundle has
                and a runtime is here for.
            unknown: "refuse" a history with a key that is not in the catalogue, or "skip" the key;
                a session counts what it skipped.
            threads: CPU threads of the runtime.

        Raises:
            BundleError: a file is missing, damaged or of a later version, or no artifact fits.
            ConfigError: there is no such target, or no such way with unknown keys.
            MissingExtraError: no runtime for the bundle's artifacts is installed.
        """
        if unknown not in ("refuse", "skip"):
            raise ConfigError(f"unknown must be 'refuse' or 'skip', not {unknown!r}")
        found = read_app_bundle(Path(bundle), target)
        engine = find_engine(found.target)
        runtime = engine.load(found.artifact, found.config, found.top_k, threads)
        return cls(found, runtime, unknown)

    def recommend(
        self, history: Sequence[str], k: int = 10, *, exclude_seen: bool = False
    ) -> list[Recommendation]:
        """The best k items after a history of keys, oldest first; see `Session.top`.

        Raises:
            UnknownItemError: a key is not in the catalogue, and those are refused.
            ConfigError: the artifact returns fewer than k items.
        """
        return self.start(history).top(k, exclude_seen=exclude_seen)

    def start(self, history: Sequence[str] = ()) -> Session:
        """A session that has taken in a history of keys, oldest first.

        Raises:
            UnknownItemError: a key is not in the catalogue, and those are refused.
        """
        found = [self.id_of(key) for key in history]
        ids = [number for number in found if number is not None]
        return Session(self, ids, self.encode(ids), skipped=len(found) - len(ids))

    def resume(self, saved: bytes) -> Session:
        """The session that `Session.save` gave these bytes of.

        Raises:
            SessionError: they are damaged, or of another model or version.
        """
        told = unpack(saved)
        if told.digest != self.bundle.digest:
            raise SessionError(
                "the session was saved with another bundle; start one from the history"
            )
        state = told.state[None]
        fits = state.shape == self.empty().shape
        if not fits or not all(0 < number < len(self.bundle.keys) for number in told.ids):
            raise SessionError("the saved session is damaged; start one from the history")
        return Session(self, list(told.ids), state)

    # ---- what sessions are made of ------------------------------------------------------------

    def id_of(self, key: str) -> int | None:
        """A key's id; None if it is unknown and to be skipped.

        Raises:
            UnknownItemError: it is unknown, and those are refused.
        """
        found = self._ids.get(key)
        if found is None and self.unknown == "refuse":
            raise UnknownItemError(
                f"item {key!r} is not in the catalogue; leave it out, or load with unknown='skip'"
            )
        return found

    def empty(self) -> State:
        """The state of no history: float32 [1, S]."""
        state: State = self._runtime.to_numpy(self._runtime.empty_state())
        return state

    def encode(self, ids: Sequence[int]) -> State:
        """The state after a history, of which the window's last items count: float32 [1, S]."""
        kept = ids if self.bundle.window is None else ids[-self.bundle.window :]
        with self._turn:
            state = self._runtime.append_many(self._runtime.empty_state(), kept)
            encoded: State = self._runtime.to_numpy(state)
        return encoded

    def step(self, state: State, item: int) -> State:
        """The state after one item more: float32 [1, S]."""
        with self._turn:
            after = self._runtime.append(self._runtime.from_numpy(state), item)
            stepped: State = self._runtime.to_numpy(after)
        return stepped

    def ranked(self, state: State) -> tuple[npt.NDArray[np.int64], State]:
        """What the artifact returns: items int64 [1, k], best first, and scores float32 [1, k]."""
        with self._turn:
            items, scores = self._runtime.recommend(self._runtime.from_numpy(state))
            return self._runtime.to_numpy(items), self._runtime.to_numpy(scores)

    def top(self, state: State, k: int, without: Container[int]) -> list[Recommendation]:
        """The best k items after a state, best first, but for those left out.

        Raises:
            ConfigError: k is not between 1 and what the artifact returns.
        """
        if not 1 <= k <= self.bundle.top_k:
            raise ConfigError(
                f"k must be between 1 and {self.bundle.top_k}, not {k}; "
                "the bundle's --top-k was chosen when it was exported"
            )
        items, scores = self.ranked(state)
        found = zip(items[0].tolist(), scores[0].tolist(), strict=True)
        left = [(item, score) for item, score in found if item not in without]
        keys, titles = self.bundle.keys, self.bundle.titles
        return [
            Recommendation(keys[item], titles.get(keys[item]), score) for item, score in left[:k]
        ]
