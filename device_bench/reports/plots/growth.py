"""How times grow: with the history, and in `bench scale` with the catalogue and the width."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes

from device_bench.judge.recorded import COLD_START, Json, median_us, row_name, shape
from device_bench.reports.labels import NAME, STOCK, lengths
from device_bench.reports.plots.axes import compact, logarithmic, short
from device_bench.reports.plots.labels import End, label_ends, names_height
from device_bench.reports.plots.svg import HIGH, Plot, svg_of

DRAWN_AT_RANDOM = "weights drawn at random"
LEAST_RATIO = 4  # of an axis' ends
MARGIN = 1.12  # times the highest µs, and under the lowest


@dataclass
class _Line:
    """Of one file on one runner, or of one target's files.

    Attributes:
        name: written beside it.
        row: one of those it is made of.
        points: µs by what they grow with.
    """

    name: str
    row: Json
    points: dict[float, float] = field(default_factory=dict)


def drawn_name(row: Json) -> str:
    """Of one of several rows of one shape, which is told by `of_all`."""
    return row_name({**row, "generated": False}) if row.get("generated") else str(row[NAME])


def of_all(rows: Iterable[Json]) -> str:
    """The shape of generated models that all have one, as a sentence; empty for trained ones."""
    first = next((shape(row) for row in rows if row.get("generated")), "")
    unbroken = first.replace(" ", "\N{NO-BREAK SPACE}")
    return f" Models of {unbroken}, {DRAWN_AT_RANDOM}." if first else ""


def of_one_shape(rows: Sequence[Json]) -> list[Json]:
    """Trained models', and of generated ones the shape that most were timed at, the largest."""
    timed = Counter(
        _sides(row)
        for row in rows
        if row.get("generated") and median_us(row, "recommend") is not None
    )
    chosen = max(timed, key=lambda sides: (timed[sides], sides), default=None)
    return [row for row in rows if not row.get("generated") or _sides(row) == chosen]


def _sides(row: Json) -> tuple[int, int]:
    return row.get("items") or 0, row.get("width") or 0


def cold_starts(rows: Sequence[Json], colours: Mapping[str, str]) -> Plot | None:
    """Cold start by the history's length, a line a row.

    Args:
        rows: of one shape.
        colours: by target.
    """
    lines = []
    for row in rows:
        times = ((length, median_us(row, f"{COLD_START}{length}")) for length in lengths([row]))
        points = {float(length): time for length, time in times if time is not None}
        lines.append(_Line(drawn_name(row), row, points))
    note = "From no history to the first top-k, medians; both axes are logarithmic."
    return _plot(
        "Growth with history", note + of_all(rows), lines,
        ("items in the history", "cold start, µs"), colours,
    )  # fmt: skip


def recommends(rows: Sequence[Json], colours: Mapping[str, str]) -> Plot | None:
    """As `cold_starts`, where calls after short and long histories were told apart."""
    lines = []
    for row in rows:
        times = (row.get("by_history_us") or {}).get("recommend") or {}
        points = {float(length): time["p50"] for length, time in times.items() if time}
        lines.append(_Line(drawn_name(row), row, points))
    note = "One call with so many items in the state, medians; both axes are logarithmic."
    return _plot(
        "Recommend after a history", note + of_all(rows), lines,
        ("items in the history", "recommend, µs"), colours,
    )  # fmt: skip


def by_side(rows: Sequence[Json], colours: Mapping[str, str], side: str) -> Plot | None:
    """A method's time by one side of generated models, a line a target and other side.

    Args:
        rows: of the document.
        colours: by target.
        side: "items" or "width".
    """
    by_items = side == "items"
    method, what, label = (
        ("recommend", "catalogue", "items") if by_items else ("append", "width", "width d")
    )
    lines: dict[str, _Line] = {}
    for row in rows:
        time = median_us(row, method)
        if not row.get("generated") or row.get(side) is None or time is None:
            continue
        name = f"{drawn_name(row)}{_other(row, by_items)}"
        lines.setdefault(name, _Line(name, row)).points[row[side]] = time
    note = f"{method}, medians, {DRAWN_AT_RANDOM}; both axes are logarithmic."
    return _plot(f"Growth with {what}", note, lines.values(), (label, f"{method}, µs"), colours)


def _other(row: Json, by_items: bool) -> str:
    """The side that stays the same along a line."""
    if by_items:
        return "" if row.get("width") is None else f", d {row['width']:,}"
    return "" if row.get("items") is None else f", {compact(row['items'])} items"


def _plot(
    title: str,
    note: str,
    lines: Iterable[_Line],
    labels: tuple[str, str],
    colours: Mapping[str, str],
) -> Plot | None:
    """None if no line has two points."""
    drawn = [line for line in lines if len(line.points) > 1]
    if not drawn:
        return None
    height = max(HIGH, names_height(len(drawn)) + 0.7)
    return Plot(title, note, svg_of(_drawing(drawn, labels, colours), title, height))


def _drawing(
    lines: Sequence[_Line], labels: tuple[str, str], colours: Mapping[str, str]
) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        ends = []
        for line in lines:
            colour, points = colours[line.row["target"]], sorted(line.points.items())
            axes.plot(
                *zip(*points, strict=True), color=colour, linewidth=1.8, marker="o", markersize=4,
                linestyle=(0, (4, 2)) if line.row["runner"] == STOCK else "-",
            )  # fmt: skip
            ends.append(End(points[-1][1], short(line.name), colour))
        axes.set_ylim(*_ends([us for line in lines for us in line.points.values()]))
        logarithmic(axes, "x")
        logarithmic(axes, "y")
        ticks = sorted({x for line in lines for x in line.points})
        axes.set_xticks(ticks, [compact(tick) for tick in ticks])
        axes.set(xlabel=labels[0], ylabel=labels[1])
        label_ends(axes, ends)

    return draw


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """The lowest and highest µs of an axis, far enough apart for noise not to look like growth."""
    low, high = min(values), max(values)
    beside = max(MARGIN, math.sqrt(LEAST_RATIO * low / high))
    return low / beside, high * beside
