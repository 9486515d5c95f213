"""A loaded bundle or checkpoint: it gives recommendations, and starts sessions."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from glint_edge.errors import (
    ConfigError,
    MissingExtraError,
    SessionError,
    UnknownItemError,
)
from glint_edge.extras import missing
from glint_edge.keys import Key, text_of_key, texts_of_keys
from glint_edge.runtime.app_bundle import AppBundle, read_app_bundle
from glint_edge.runtime.engines import StreamRuntime, load_artifact
from glint_edge.runtime.filters import Ask, Filter, Rows, best, wants_neighbours
from glint_edge.runtime.guarded import GuardedStream
from glint_edge.runtime.recommendation import Recommendation, Recommendations
from glint_edge.runtime.replay import require_golden
from glint_edge.runtime.session import Session
from glint_edge.runtime.session_bytes import unpack
from glint_edge.runtime.source import bundle_folder
from glint_edge.tables import counted

if TYPE_CHECKING:
    from glint_edge.bundles.bundle import Bundle
    from glint_edge.checkpoints.checkpoint import Checkpoint

log = logging.getLogger(__name__)

NOTHING = 1e-20  # smaller than any score, and larger than what ranks items without a history


class Recommender(GuardedStream):
    """Safe to use from several threads; they take turns in the runtime. Not after a fork.

    Attributes:
        bundle: what was loaded.
        unknown: what happens to keys that are not in the catalogue.
    """

    def __init__(
        self, bundle: AppBundle, runtime: StreamRuntime, unknown: Literal["refuse", "skip"]
    ) -> None:
        super().__init__(bundle, runtime)
        self.unknown = unknown
        self._rows = Rows(bundle.catalogue, bundle.rows)

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

        Of a bundle a golden case is run: an artifact that gives anything else is refused.

        Args:
            path: a NAME.glint folder; a checkpoint's folder, or "hf://OWNER/NAME"; either of the
                two loaded; None: the shipped checkpoint.
            target: "c", "onnx", "tflite" or "executorch"; None takes the lightest that the bundle
                has and a runtime is here for.
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
        folder = bundle_folder(path)
        if folder is None:
            bundle, runtime = _open_checkpoint(path, target, threads)
        else:
            bundle = read_app_bundle(folder, target)
            runtime = load_artifact(
                bundle.target, bundle.artifact, bundle.config, bundle.top_k,
                1 if threads is None else threads,
            )  # fmt: skip
        if window is not None:
            bundle = replace(bundle, window=bundle.config.window_items(window))
        loaded = cls(bundle, runtime, unknown)
        if folder is not None:
            require_golden(loaded)
        return loaded

    def __repr__(self) -> str:
        bundle = self.bundle
        return f"Recommender({bundle.name!r}, {bundle.target}, {bundle.config.items:,} items)"

    def recommend(
        self,
        history: Sequence[Key] = (),
        k: int | None = 10,
        *,
        exclude_seen: bool | None = None,
        without: Iterable[Key] = (),
        among: Iterable[Key] | None = None,
        where: Mapping[str, str | Sequence[str]] | None = None,
        boost: Mapping[Key, float] | None = None,
        most_per: Mapping[str, int] | None = None,
        neighbours: bool | None = None,
    ) -> Recommendations:
        """The best k items after a history of keys, oldest first; see `Session.top`.

        Raises:
            UnknownItemError: a key of the history is not in the catalogue, and those are refused.
            ConfigError: k is below 1, or a filter says nothing that can be followed; or neighbours
                are to count, and there are none.
        """
        return self.start(history).top(
            k, exclude_seen=exclude_seen, without=without, among=among, where=where, boost=boost,
            most_per=most_per, neighbours=neighbours,
        )  # fmt: skip

    def similar(
        self,
        key: Key,
        k: int | None = 10,
        *,
        without: Iterable[Key] = (),
        among: Iterable[Key] | None = None,
        where: Mapping[str, str | Sequence[str]] | None = None,
        boost: Mapping[Key, float] | None = None,
        most_per: Mapping[str, int] | None = None,
    ) -> Recommendations:
        """The k items most like one, which is not among them: cosines of what the model knows.

        Args:
            key: of the item; one that is unknown, and skipped, is like none.
            k: so many; None: the bundle's top-k.
            without: as for `Session.top`, and so are the others.
            among: see there.
            where: see there.
            boost: see there.
            most_per: see there.

        Raises:
            UnknownItemError: the key is not in the catalogue, and those are refused.
            ConfigError: k is below 1, or a filter says nothing that can be followed.
        """
        chosen = Filter(without, among, where or {}, boost or {}, most_per or {})
        number = self.id_of(key)
        if number is None:
            return Recommendations(title=f"{key} is not in the catalogue")
        text = self.bundle.keys[number]
        ask = functools.partial(self.alike, number)
        return self.listed(ask, k, chosen, [number], f"like {self.bundle.titles.get(text, text)}")

    def start(self, history: Sequence[Key] = ()) -> Session:
        """A session that has taken in a history of keys, oldest first.

        Raises:
            UnknownItemError: a key is not in the catalogue, and those are refused.
            ConfigError: the history is one text, or a key neither a text nor a whole number.
        """
        known = [self.id_of(key) for key in texts_of_keys(history)]
        ids = [number for number in known if number is not None]
        if known and not ids:
            log.warning(
                "none of the history's %s is in the catalogue of %s: what is recommended is "
                "what comes after no history", counted(len(known), "keys"), self.bundle.name,
            )  # fmt: skip
        return Session(self, ids, self.encode(ids), skipped=len(known) - len(ids))

    def resume(self, saved: bytes) -> Session:
        """The session that `Session.save` gave these bytes of.

        Raises:
            SessionError: they are damaged, or of another model or version.
        """
        session = unpack(saved)
        if session.digest != self.bundle.digest:
            raise SessionError(
                "the session was saved with another bundle; start one from the history"
            )
        state = session.state[None]
        fits = state.shape == self.empty().shape and np.isfinite(state).all()
        if not fits or not all(0 < number < len(self.bundle.keys) for number in session.ids):
            raise SessionError("the saved session is damaged; start one from the history")
        return Session(self, list(session.ids), state)

    # ---- what sessions are made of ------------------------------------------------------------

    def id_of(self, key: Key) -> int | None:
        """A key's id; None if it is unknown and to be skipped.

        Raises:
            UnknownItemError: it is unknown, and those are refused.
        """
        text = text_of_key(key)
        number = self._rows.id_of.get(text)
        if number is None and self.unknown == "refuse":
            raise UnknownItemError(
                f"item {text!r} is not in the catalogue of {self.bundle.name} "
                f"({self.bundle.config.items:,} items); leave it out, or load with unknown='skip'"
            )
        return number

    def listed(
        self,
        ask: Ask,
        k: int | None,
        chosen: Filter,
        left_out: Iterable[int],
        title: str,
        *,
        neighbours_of: Sequence[int] = (),
    ) -> Recommendations:
        """The best k items that an artifact gives and a filter allows; None: its own top-k.

        `neighbours_of`: a history, whose neighbours' scores gain by it.

        Raises:
            ConfigError: k is below 1, or no item has a field of the filter.
        """
        k = self.bundle.top_k if k is None else k
        if k < 1:
            raise ConfigError(f"k is at least 1, not {k}")
        expert = self.bundle.neighbours if neighbours_of else None
        pulls = None if expert is None else expert.pulls(neighbours_of)
        ranked = best(ask, self._rows, k, chosen, left_out, pulls)
        listed = [item for item, _ in ranked]
        reasons = [None] * len(listed) if pulls is None else pulls.reasons(listed)
        keys = self.bundle.keys
        shown = [
            self._shown(keys[item], score, None if reason is None else keys[reason])
            for (item, score), reason in zip(ranked, reasons, strict=True)
        ]
        named = {keys[reason]: self.bundle.titles.get(keys[reason]) for reason in reasons if reason}
        return Recommendations(shown, title=title, titles=named)

    def uses_neighbours(self, choice: bool | None) -> bool:
        """Whether lists are made with the neighbours' expert; None: where there is one.

        Raises:
            ConfigError: it is to be used, and there is none.
        """
        return wants_neighbours(choice, self.bundle.neighbours, self.bundle.target)

    def _shown(self, key: str, score: float, because: str | None) -> Recommendation:
        catalogue = self.bundle.catalogue
        # Without a history, items are ranked by what is next to nothing.
        score = 0.0 if abs(score) < NOTHING else score
        return Recommendation(
            key, catalogue.titles.get(key), score,
            catalogue.fields_of(key), catalogue.images.get(key), because,
        )  # fmt: skip


def _open_checkpoint(
    path: str | Path | Bundle | Checkpoint | None, target: str | None, threads: int | None
) -> tuple[AppBundle, StreamRuntime]:
    if missing(["torch"]):
        raise MissingExtraError("glint-edge[executorch]", "torch runs checkpoints, which")
    if target not in (None, "torch"):
        raise ConfigError(f"a checkpoint runs on torch alone; export it for {target} first")
    from glint_edge.runtime.engines.torch import open_checkpoint

    return open_checkpoint(path, threads)  # type: ignore[arg-type]  # a Bundle has a folder
