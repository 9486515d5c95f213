"""What is recommended: a list, best first, to be read by programs and people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from glint_edge.tables import Table, columns


@dataclass(frozen=True)
class Recommendation:
    """One recommended item.

    Attributes:
        key: the user's own.
        title: None if the bundle has none for it.
        score: the higher the better; to be compared within one list alone.
        fields: what else the bundle tells of it, such as its category.
        image: the address of its picture; None if the bundle has none for it.
    """

    key: str
    title: str | None
    score: float
    fields: Mapping[str, str] = field(default_factory=dict, hash=False)
    image: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; fields and the picture where there are any."""
        plain = {"key": self.key, "title": self.title or "", "score": self.score}
        more = {"fields": dict(self.fields), "image": self.image}
        return plain | {name: value for name, value in more.items() if value}

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

    def table(self, *, fields: bool = False) -> Table:
        """For people; `fields`: with a column for each that one of the items has."""
        names = dict.fromkeys(name for one in self for name in one.fields) if fields else {}
        rows = [
            (f"{rank}", one.title or "", *(one.fields.get(name, "") for name in names), one.key,
             f"{one.score:.3f}")
            for rank, one in enumerate(self, 1)
        ]  # fmt: skip
        return columns(self.title, ("", "title", *names, "key", "score"), rows)

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()
