"""The user's own item keys by model id; imports neither polars nor torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from glint_edge.errors import DataError


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


def as_key(value: object) -> str:
    """A key as text; a whole number is taken as its text.

    Raises:
        DataError: it is neither a text nor a whole number.
    """
    if isinstance(value, str):
        return str(value)
    if not isinstance(value, bool):
        if isinstance(value, Integral):
            return str(int(value))
        if isinstance(value, Real) and float(value).is_integer():
            return str(int(float(value)))
    raise DataError(f"{value!r} is not a key; keys are texts or whole numbers")


def as_keys(values: object) -> list[str]:
    """A sequence of keys as texts; a text is never taken as a sequence of its letters.

    Raises:
        DataError: it is no sequence, or holds something that is not a key.
    """
    if isinstance(values, str | bytes):
        raise DataError(f"{values!r} is one text, not a sequence of keys; pass [{values!r}]")
    if not isinstance(values, Iterable):
        raise DataError(f"{values!r} is not a sequence of keys; pass [{values!r}]")
    return [as_key(value) for value in values]
