"""A loaded bundle or checkpoint: it gives recommendations, and starts sessions."""

from __future__ import annotations

import threading
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from glint_edge.bundles.manifest import MANIFEST, SUFFIX, no_history
from glint_edge.errors import ConfigError, MissingExtraError, SessionError, UnknownItemError
from glint_edge.extras import missing
from glint_edge.keys import Key, text_of_key, texts_of_keys
from glint_edge.runtime.app_bundle import AppBundle, read_app_bundle
from glint_edge.runtime.engines import StreamRuntime, find_engine
from glint_edge.runtime.session import Session
from glint_edge.runtime.session_bytes import unpack
from glint_edge.tables import Table, columns

if TYPE_CHECKING:
    from glint_edge.bundles.bundle import Bundle
    from glint_edge.checkpoints.checkpoint import Checkpoint

State = npt.NDArray[np.float32]

CONFIG = "config.json"  # of a checkpoint; its module needs torch
WHY_K = "a bundle's --top-k is chosen when it is exported"


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

    def __repr__(self) -> str:
        title = f", {self.title!r}" if self.title else ""
        return f"Recommendation({self.key!r}{title}, {self.score:.4f})"


class Recommendations(list[Recommendation]):
    """A list of recommendations, best first.

    Attributes:
        title: what they come after, in words.
    """

    def __init__(self, items: Iterable[Recommendation] = (), *, title: str = "") -> None:
        super().__init__(items)
        self.title = title

    def table(self) -> Table:
        """For people."""
        rows = [
            (f"{rank}", one.title or "", one.key, f"{one.score:.3f}")
            for rank, one in enumerate(self, 1)
        ]
        return columns(self.title, ("", "title", "key", "score"), rows)

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


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
        path: str | Path | Bundle | Checkpoint | None = None,
        *,
        target: str | None = None,
        window: str | None = None,
        unknown: Literal["refuse", "skip"] = "refuse",
        threads: int | None = None,
    ) -> Recommender:
        """Load a bundle, once its files have been checked; or a checkpoint, which torch runs.

        Args:
            path: a NAME.glint folder; a checkpoint's folder, or "hf://OWNER/NAME"; either of the
                two loaded; None: the shipped checkpoint.
            target: "onnx", "tflite" or "executorch"; None takes the lightest that the bundle has
                and a runtime is here for.
            window: of a history longer than the model's N, "sliding" keeps its last items,
                "unbounded" all; None: what the bundle was exported for.
            unknown: "refuse" a history with a key that is not in the catalogue, or "skip" the key;
                a session counts what it skipped.
            threads: CPU threads of the runtime; None: one, and of torch as many as it has.

        Raises:
            BundleError: a file is missing, damaged or of a later version, or no artifact fits.
            CheckpointError: the same of a checkpoint.
            ConfigError: there is no such target or window, or no such way with unknown keys.
            MissingExtraError: no runtime for it is installed.
        """
        if unknown not in ("refuse", "skip"):
            raise ConfigError(f"unknown must be 'refuse' or 'skip', not {unknown!r}")
        folder = _bundle_folder(path)
        if folder is None:
            bundle, runtime = _open_checkpoint(path, target, threads)
        else:
            bundle = read_app_bundle(folder, target)
            runtime = find_engine(bundle.target).load(
                bundle.artifact, bundle.config, bundle.top_k, threads or 1
            )
        if window is not None:
            bundle = replace(bundle, window=bundle.config.window_items(window))
        return cls(bundle, runtime, unknown)

    def __repr__(self) -> str:
        bundle = self.bundle
        return f"Recommender({bundle.name!r}, {bundle.target}, {bundle.config.items:,} items)"

    def recommend(
        self, history: Sequence[Key] = (), k: int | None = 10, *, exclude_seen: bool = False
    ) -> Recommendations:
        """The best k items after a history of keys, oldest first; see `Session.top`.

        Raises:
            UnknownItemError: a key is not in the catalogue, and those are refused.
            ConfigError: the artifact returns fewer than k items.
        """
        return self.start(history).top(k, exclude_seen=exclude_seen)

    def start(self, history: Sequence[Key] = ()) -> Session:
        """A session that has taken in a history of keys, oldest first.

        Raises:
            UnknownItemError: a key is not in the catalogue, and those are refused.
            ConfigError: the history is one text, or a key neither a text nor a whole number.
        """
        known = [self.id_of(key) for key in texts_of_keys(history)]
        ids = [number for number in known if number is not None]
        return Session(self, ids, self.encode(ids), skipped=len(known) - len(ids))

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

    def id_of(self, key: Key) -> int | None:
        """A key's id; None if it is unknown and to be skipped.

        Raises:
            UnknownItemError: it is unknown, and those are refused.
        """
        text = text_of_key(key)
        number = self._ids.get(text)
        if number is None and self.unknown == "refuse":
            raise UnknownItemError(
                f"item {text!r} is not in the catalogue of {self.bundle.name} "
                f"({self.bundle.config.items:,} items); leave it out, or load with unknown='skip'"
            )
        return number

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

    def top(
        self, state: State, k: int | None, without: Container[int], title: str = ""
    ) -> Recommendations:
        """The best k items after a state, best first, but for those left out; None: all there are.

        Raises:
            ConfigError: k is not between 1 and what the artifact returns.
        """
        k = self.bundle.top_k if k is None else k
        if not 1 <= k <= self.bundle.top_k:
            raise ConfigError(f"k must be between 1 and {self.bundle.top_k}, not {k}; {WHY_K}")
        items, scores = self.ranked(state)
        ranked = zip(items[0].tolist(), scores[0].tolist(), strict=True)
        left = [(item, score) for item, score in ranked if item not in without]
        keys, titles = self.bundle.keys, self.bundle.titles
        return Recommendations(
            (Recommendation(keys[item], titles.get(keys[item]), score) for item, score in left[:k]),
            title=title or f"no history: {no_history(self.bundle.config)}",
        )


def _bundle_folder(path: str | Path | Bundle | Checkpoint | None) -> Path | None:
    """The folder of a bundle; None: it is a checkpoint, or to be looked for as one."""
    if path is None or (isinstance(path, str) and path.startswith("hf://")):
        return None
    if not isinstance(path, str | Path):
        manifest = getattr(path, "manifest", None)  # of a Bundle; a Checkpoint has none
        return None if manifest is None else Path(path.path)  # type: ignore[union-attr]
    folder = Path(path)
    # What is neither is refused as a bundle that lacks its manifest, which needs no torch.
    checkpoint = (folder / CONFIG).is_file() and not (folder / MANIFEST).is_file()
    return None if checkpoint and folder.suffix != SUFFIX else folder


def _open_checkpoint(
    path: str | Path | Bundle | Checkpoint | None, target: str | None, threads: int | None
) -> tuple[AppBundle, StreamRuntime]:
    if missing(["torch"]):
        raise MissingExtraError("glint-edge[executorch]", "torch runs checkpoints, which")
    if target not in (None, "torch"):
        raise ConfigError(f"a checkpoint runs on torch alone; export it for {target} first")
    from glint_edge.runtime.engine_torch import open_checkpoint

    return open_checkpoint(path, threads)  # type: ignore[arg-type]  # a Bundle has a folder
