"""What is recommended: a list, best first, to be read by programs and people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from glint_edge.tables import Table, columns

BECAUSE = "because you tapped"


@dataclass(frozen=True)
class Recommendation:
    """One recommended item.

    Attributes:
        key: the user's own.
        title: None if the bundle has none for it.
        score: the higher the better; to be compared within one list alone.
        fields: what else the bundle tells of it, such as its category.
        image: the address of its picture; None if the bundle has none for it.
        because: the key of the history's item whose neighbour it is, that counts most; None where
            it is none's, or lists are made without neighbours.
    """

    key: str
    title: str | None
    score: float
    fields: Mapping[str, str] = field(default_factory=dict, hash=False)
    image: str | None = None
    because: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; fields, the picture and the reason where there are any."""
        plain = {"key": self.key, "title": self.title or "", "score": self.score}
        more = {"fields": dict(self.fields), "image": self.image, "because": self.because}
        return plain | {name: value for name, value in more.items() if value}

    def __repr__(self) -> str:
        title = f", {self.title!r}" if self.title else ""
        return f"Recommendation({self.key!r}{title}, {self.score:.4f})"


class Recommendations(list[Recommendation]):
    """A list of recommendations, best first.

    Attributes:
        title: what they come after, in words.
        titles: of the history's items that they are there because of, by key.
    """

    def __init__(
        self,
        items: Iterable[Recommendation] = (),
        *,
        title: str = "",
        titles: Mapping[str, str | None] | None = None,
    ) -> None:
        super().__init__(items)
        self.title, self.titles = title, dict(titles or {})

    def table(self, *, fields: bool = False) -> Table:
        """For people; `fields`: with a column for each that one of the items has.

        Where an item is there because of another, a column names that; where no item has a title,
        there is no column for it.
        """
        titled = any(one.title for one in self)
        names = dict.fromkeys(name for one in self for name in one.fields) if fields else {}
        rows = [
            (f"{rank}", *([one.title or ""] if titled else []),
             *(one.fields.get(name, "") for name in names), one.key, f"{one.score:.3f}",
             *self._because(one))
            for rank, one in enumerate(self, 1)
        ]  # fmt: skip
        more = [BECAUSE] if self._explained else []
        header = ("", *(["title"] if titled else []), *names, "key", "score", *more)
        return columns(self.title, header, rows)

    @property
    def _explained(self) -> bool:
        return any(one.because is not None for one in self)

    def _because(self, one: Recommendation) -> list[str]:
        if not self._explained:
            return []
        return ["" if one.because is None else self.titles.get(one.because) or one.because]

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()
