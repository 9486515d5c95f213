"""What is asked for a list, and the items that are named beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glint_edge.bundles.manifest import MANIFEST, SUFFIX
from glint_edge.cli.options import chosen_bundle
from glint_edge.errors import BundleError, ConfigError, UnknownItemError
from glint_edge.suggestions import did_you_mean, near_paths

if TYPE_CHECKING:
    from glint_edge.checkpoints.checkpoint import Checkpoint
    from glint_edge.data.catalogue import Catalogue

HUB = "hf://"
CONFIG = "config.json"  # of a checkpoint


@dataclass(frozen=True)
class Model:
    """What is asked.

    Attributes:
        place: a bundle's or a checkpoint's, as it was typed.
        words: the other words: keys and titles.
    """

    place: str | Path
    words: tuple[str, ...]

    @cached_property
    def source(self) -> Path | Checkpoint:
        """The bundle's folder, or the checkpoint, loaded once."""
        from glint_edge.runtime.source import bundle_folder  # with numpy

        folder = bundle_folder(self.place)
        if folder is not None:
            return folder
        from glint_edge.checkpoints.checkpoint import load_checkpoint

        if isinstance(self.place, str) and self.place.startswith(HUB):
            from glint_edge.checkpoints.hub import fetch

            return load_checkpoint(fetch(self.place))
        return load_checkpoint(self.place)

    @cached_property
    def _catalogue(self) -> Catalogue:
        from glint_edge import api

        return api.catalogue_of(self.source)

    def keys(self) -> list[str]:
        """The keys of the words; titles are looked up.

        Raises:
            UnknownItemError: a word is neither a key nor a title.
        """
        from glint_edge.data.search import find_keys

        try:
            return find_keys(self._catalogue, self.words) if self.words else []
        except UnknownItemError as error:
            raise _bundle_meant(self.words) or error from None

    def require_values(self, filters: Mapping[str, Any]) -> None:
        """Refuse fields and values that no item has: who types them means one that there is.

        Raises:
            ConfigError: no item has it.
        """
        if filters["where"] or filters["most_per"]:
            from glint_edge.data.search import require_values

            fields = dict.fromkeys(filters["most_per"], ())
            require_values(self._catalogue, fields | filters["where"])


def open_model(words: Sequence[str], bundle: Path | None) -> Model:
    """Tell what is asked from the items that are named.

    Args:
        words: as they were typed.
        bundle: what is asked, where that is said apart.

    Raises:
        ConfigError: several bundles or checkpoints are named.
        BundleError: none is, and none was written.
    """
    places = [word for word in words if _is_place(word)] if bundle is None else []
    if len(places) > 1:
        raise ConfigError(f"{' and '.join(places)} are two to ask; name one")
    if not places:
        return Model(_last(words) if bundle is None else bundle, tuple(words))
    (place,) = places
    return Model(
        place if place.startswith(HUB) else Path(place), tuple(w for w in words if w != place)
    )


def _last(words: Sequence[str]) -> Path:
    try:
        return chosen_bundle(None)
    except BundleError as error:
        if not words:
            raise
        raise BundleError(f"{words[0]} is not a bundle, and {error}") from error


def _bundle_meant(words: Sequence[str]) -> UnknownItemError | None:
    """What to say where a word is a bundle's name but for a slip."""
    for word in words:
        if bundles := [path for path in near_paths(word) if _is_place(path)]:
            return UnknownItemError(f"no bundle and no item {word!r}; {did_you_mean(bundles, '')}")
    return None


def _is_place(word: str) -> bool:
    """Whether a word names a bundle or a checkpoint rather than an item."""
    folder = Path(word)
    if word.startswith(HUB) or folder.suffix == SUFFIX:
        return True
    if os.sep in word and folder.is_dir():
        return True
    return any((folder / name).is_file() for name in (MANIFEST, CONFIG))
