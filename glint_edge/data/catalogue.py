"""The user's own item keys by model id, and what is shown of each; imports no polars, no torch."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glint_edge.errors import ConfigError
from glint_edge.json_files import Schema

ITEMS_SCHEMA = Schema(Path(__file__).with_name("items.schema.json"), most_bytes=4 << 30)
# Commands to a terminal, and ends of lines: no part of a title.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True)
class Catalogue:
    """The user's own item keys by model id, and what is shown of each.

    Attributes:
        keys: by id; `keys[0]` is "", padding or an unknown item.
        titles: title by key; may be empty.
        retired: keys of items that are never recommended.
        added: so many of the last ids came after training: these are no popularity ranks.
        version: 1 as trained, and one more with each change.
        fields: of each field, such as a category, the value by key.
        images: the address of a picture by key, http or https.
    """

    keys: tuple[str, ...]
    titles: Mapping[str, str]
    retired: tuple[str, ...] = ()
    added: int = 0
    version: int = 1
    fields: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "titles", _plain(self.titles))
        plain = {CONTROLS.sub(" ", name): _plain(of) for name, of in self.fields.items()}
        object.__setattr__(self, "fields", plain)

    def fields_of(self, key: str) -> dict[str, str]:
        """The fields that an item has, in the catalogue's order."""
        return {name: values[key] for name, values in self.fields.items() if key in values}

    def identity(self) -> dict[str, Any]:
        """All of it that a list of recommendations depends on: not what items are called."""
        return {"keys": list(self.keys[1:]), "retired": sorted(self.retired)}

    def to_dict(self) -> dict[str, Any]:
        """The keys of ids 1 … V in order, what is shown of them, and changes since training."""
        plain: dict[str, Any] = {"keys": list(self.keys[1:]), "titles": dict(self.titles)}
        if self.fields:
            plain["fields"] = {name: dict(values) for name, values in self.fields.items()}
        if self.images:
            plain["images"] = dict(self.images)
        if self.version == 1 and not self.retired and not self.added:
            return plain
        return {
            **plain, "retired": list(self.retired), "added": self.added, "version": self.version,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Catalogue:
        """Inverse of `to_dict`, of what conforms to `ITEMS_SCHEMA`.

        Raises:
            ConfigError: a key stands there twice, or what changed is of other keys.
        """
        catalogue = cls(
            ("", *map(str, values["keys"])),
            dict(values.get("titles", {})),
            tuple(map(str, values.get("retired", ()))),
            values.get("added", 0),
            values.get("version", 1),
            values.get("fields", {}),
            values.get("images", {}),
        )
        known = frozenset(catalogue.keys[1:])
        if len(known) != len(catalogue.keys) - 1:
            again = next(key for key, n in Counter(catalogue.keys).items() if n > 1)
            raise ConfigError(f"is damaged (the key {again!r} stands there twice)")
        if stranger := next((key for key in catalogue.retired if key not in known), None):
            raise ConfigError(f"is damaged (the retired item {stranger!r} is none of its keys)")
        if len(set(catalogue.retired)) != len(catalogue.retired) or catalogue.added > len(known):
            raise ConfigError("is damaged (more items are retired or added than there are)")
        return catalogue

    def retired_ids(self) -> tuple[int, ...]:
        """Ids of the retired items.

        Raises:
            KeyError: one is not in the catalogue.
        """
        to_id = {key: number for number, key in enumerate(self.keys)}
        return tuple(to_id[key] for key in self.retired)


def _plain(texts: Mapping[str, str]) -> Mapping[str, str]:
    """Texts by key, without what steers a terminal."""
    if not CONTROLS.search("".join(texts.values())):
        return texts
    return {key: CONTROLS.sub(" ", text) for key, text in texts.items()}
