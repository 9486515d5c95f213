"""The columns that a choice is made by, in every report: the best of each, and bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from device_bench.judge.choice import is_contender
from device_bench.judge.recorded import Json, shape, where
from device_bench.reports.columns import NDCG, TAP_US, VERDICT, Cell, Column, cold_heading, few
from device_bench.reports.labels import SCALE, lengths

CUT = 1.01  # a bar that is longer goes on beyond its cell


@dataclass(frozen=True)
class Shown:
    """What a row has in a column of the overview.

    Attributes:
        cell: its figure.
        best: of what was measured at one place, nothing that is good is better.
        share: length of its bar, 1 that of the longest that an app could take; None: it has none.
    """

    cell: Cell
    best: bool = False
    share: float | None = None

    @property
    def beyond(self) -> bool:
        """Its bar is cut."""
        return self.share is not None and self.share > CUT


def overview(document: Json) -> tuple[list[Column], list[list[Shown]]]:
    """The columns, and what each row has in them.

    Args:
        document: a bench's; of a `bench scale`, whose weights were drawn, without accuracy.
    """
    rows = document["rows"]
    cold = [cold_heading(length) for length in lengths(rows)[-1:]]
    accuracy = [] if document["kind"] == SCALE else [NDCG]
    columns = few(rows, [TAP_US, *cold, "file KB", "added MB", *accuracy, VERDICT])
    shown = [_shown(column, rows) for column in columns]
    return columns, [list(line) for line in zip(*shown, strict=True)]


def _shown(column: Column, rows: Sequence[Json]) -> list[Shown]:
    cells = [column.cell(row) for row in rows]
    if column.title == VERDICT:
        return [Shown(cell) for cell in cells]
    values = [cell.order for cell in cells]
    taken = [
        None if value is None or not is_contender(row) else value
        for row, value in zip(rows, values, strict=True)
    ]
    longest = max(_known(taken) or _known(values), default=0.0)
    best = _best(taken, cells, rows, most=column.heading == NDCG)
    return [
        Shown(cell, number in best, value / longest if value and longest else None)
        for number, (cell, value) in enumerate(zip(cells, values, strict=True))
    ]


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _best(
    values: Sequence[float | None], cells: Sequence[Cell], rows: Sequence[Json], *, most: bool
) -> set[int]:
    """Of each runner's rows those that read as the best one; none where there is one alone."""
    places: dict[tuple[str, str], list[int]] = {}
    for number, (row, value) in enumerate(zip(rows, values, strict=True)):
        if value is not None:
            places.setdefault((where(row), shape(row)), []).append(number)
    best = set()
    for beside in places.values():
        first = sorted(beside, key=lambda number: values[number] or 0.0, reverse=most)[0]
        if len(beside) > 1:
            best |= {number for number in beside if cells[number].text == cells[first].text}
    return best
