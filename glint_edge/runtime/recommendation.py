"""What is recommended: a list, best first, to be read by programs and people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from glint_edge.tables import Table, columns


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
