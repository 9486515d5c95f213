"""The user's own item keys by model id; imports neither polars nor torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Catalogue:
    """The user's own item keys by model id, and their titles.

    Attributes:
        keys: by id; `keys[0]` is "", padding or an unknown item.
        titles: title by key; may be empty.
        retired: keys of items that are never recommended.
        added: so many of the last ids came after training: these are no popularity ranks.
        version: 1 as trained, and one more with each change.
    """

    keys: tuple[str, ...]
    titles: Mapping[str, str]
    retired: tuple[str, ...] = ()
    added: int = 0
    version: int = 1

    def to_dict(self) -> dict[str, Any]:
        """The keys of ids 1 … V in order, the titles, and what changed since training."""
        plain = {"keys": list(self.keys[1:]), "titles": dict(self.titles)}
        if self.version == 1:
            return plain
        return {
            **plain, "retired": list(self.retired), "added": self.added, "version": self.version,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Catalogue:
        """Inverse of `to_dict`."""
        return cls(
            ("", *map(str, values["keys"])),
            dict(values.get("titles", {})),
            tuple(map(str, values.get("retired", ()))),
            int(values.get("added", 0)),
            int(values.get("version", 1)),
        )

    def retired_ids(self) -> tuple[int, ...]:
        """Ids of the retired items.

        Raises:
            KeyError: one is not in the catalogue.
        """
        to_id = {key: number for number, key in enumerate(self.keys)}
        return tuple(to_id[key] for key in self.retired)
