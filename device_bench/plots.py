"""The plots of a bench's page: latencies, size against accuracy, growth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from device_bench.labels import (
    COLD_START,
    Json,
    artifact,
    lengths,
    row_name,
    row_names,
    time_of,
    where,
)
from device_bench.plot_labels import Point, label_ends, label_points, names_height
from device_bench.plot_svg import BAND, INK, MUTED, SERIES, svg_of

STRIPS = "Thin: the fastest call to the 99th percentile; thick: the middle half; tick: median."
REFERENCE = "torch"  # the float stream: no colour of its own
STOCK = "stock"
NAME = "name"  # of a row among all rows of the document; added here
LONGEST = 34  # letters of a name
STEPS = ((1,), (1, 3), (1, 2, 5))  # numbers to a decade of a logarithmic axis
FAR_APART = 10  # times the smallest file
HIGH = 2.9  # inches of a plot
GATE = 0.01  # of NDCG@10: what the export's own gate lets pass


@dataclass(frozen=True)
class Plot:
    """One picture.

    Attributes:
        title: what it shows.
        note: how to read it, in a sentence or two.
        svg: the text of its `<svg>` element.
    """

    title: str
    note: str
    svg: str


def plots(document: Json) -> list[Plot]:
    """Those that the document has figures for, in the order of the page."""
    rows = [
        {**row, NAME: name}
        for row, name in zip(document["rows"], row_names(document["rows"]), strict=True)
    ]
    colours = _colours(rows)
    steps = [f"{COLD_START}{length}" for length in lengths(rows)]
    made = [
        *(_distribution(rows, method, colours) for method in ("append", "recommend", *steps[-1:])),
        _accuracy(rows, colours),
        _history(rows, colours),
        _growth(rows, colours, "items", "recommend", "catalogue", "items"),
        _growth(rows, colours, "width", "append", "width", "width d"),
    ]
    return [plot for plot in made if plot is not None]


def _colours(rows: Sequence[Json]) -> dict[str, str]:
    """By target, in the order in which they come."""
    targets = [t for t in dict.fromkeys(row["target"] for row in rows) if t != REFERENCE]
    series = {target: SERIES[n % len(SERIES)] for n, target in enumerate(targets)}
    return {REFERENCE: MUTED, **series}


def _distribution(rows: Sequence[Json], method: str, colours: dict[str, str]) -> Plot | None:
    """A strip a row; `STRIPS` says how to read it."""
    shapes = [(row, (row.get("quantiles_us") or {}).get(method)) for row in rows]
    shown = [(row, shape) for row, shape in shapes if shape and min(shape) > 0]
    if not shown:
        return None

    def draw(axes: Axes) -> None:
        for place, (row, shape) in enumerate(shown):
            colour = colours[row["target"]]
            _strip(axes, place, shape, colour)
            axes.annotate(
                _short(row[NAME]), (0, place), xycoords=("axes fraction", "data"),
                xytext=(1, 6.5), textcoords="offset points", va="bottom", color=INK,
            )  # fmt: skip
        axes.set_ylim(len(shown) - 0.6, -0.85)
        axes.set_yticks([])
        _log(axes, "x")
        axes.set_xlabel("µs a call")
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)

    title = f"Latency: {_method(method)}"
    return Plot(title, STRIPS, svg_of(draw, title, 0.75 + 0.38 * len(shown)))


def _strip(axes: Axes, place: float, shape: Sequence[float], colour: str) -> None:
    """One row's quantiles, evenly spaced up to the 99th percentile."""

    def at(percent: float) -> float:
        return shape[round(percent / 99 * (len(shape) - 1))]

    axes.plot([shape[0], shape[-1]], [place] * 2, color=colour, linewidth=1.2, alpha=0.6)
    left, right = at(25), at(75)
    axes.plot([left, right], [place] * 2, color=colour, linewidth=7, solid_capstyle="butt",
              alpha=0.55)  # fmt: skip
    axes.plot([at(50)] * 2, [place - 0.19, place + 0.19], color=colour, linewidth=2)


def _accuracy(rows: Sequence[Json], colours: dict[str, str]) -> Plot | None:
    """Bytes against NDCG@10, files once; rows over the same histories, so that they compare."""
    measured = [row for row in rows if row.get("ndcg_at_10") is not None]
    if not measured:
        return None
    users = max(row.get("users") or 0 for row in measured)
    points = {
        (row["bundle"], artifact(row), row["runner"] == STOCK): row
        for row in reversed(measured)
        if (row.get("users") or 0) == users
    }
    shown = list(points.values())
    floats = sorted({row["ndcg_at_10_float"] for row in shown if row.get("ndcg_at_10_float")})

    def draw(axes: Axes) -> None:
        _float_lines(axes, floats)
        for row in shown:
            axes.plot(row["file_bytes"] / 1e3, row["ndcg_at_10"], "o", markersize=6,
                      color=colours[row["target"]])  # fmt: skip
        values = [*(row["ndcg_at_10"] for row in shown), *floats]
        middle = (min(values) + max(values)) / 2
        reach = max(0.6 * (max(values) - min(values)), 0.025 * middle, 1e-4)
        axes.set_ylim(middle - reach, middle + reach)
        _sizes(axes, [row["file_bytes"] / 1e3 for row in shown])
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set(xlabel="file, KB", ylabel="NDCG@10")
        points = [
            Point(row["file_bytes"] / 1e3, row["ndcg_at_10"], _short(_file(row)),
                  colours[row["target"]])
            for row in shown
        ]  # fmt: skip
        label_points(axes, points, floats)

    note = f"Over {users:,} histories. " if users else ""
    note += f"Dashed: the float model. Shaded: within {GATE:.0%} of it, which an export lets pass."
    return Plot("Size against accuracy", note, svg_of(draw, "Size against accuracy", HIGH))


def _file(row: Json) -> str:
    """Its name, without the runner: what was measured here is the same on all."""
    plain = row[NAME].removesuffix(f" ({where(row)})")
    return f"{plain} (stock)" if row["runner"] == STOCK else str(plain)


def _float_lines(axes: Axes, floats: Iterable[float]) -> None:
    for value in floats:
        axes.axhspan(value * (1 - GATE), value * (1 + GATE), color=BAND, linewidth=0)
        axes.axhline(value, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))


def _history(rows: Sequence[Json], colours: dict[str, str]) -> Plot | None:
    """Cold start by the history's length, a line a row; of generated shapes, the largest."""
    generated = [row for row in rows if row.get("generated")]
    largest = max(((r.get("items") or 0, r.get("width") or 0) for r in generated), default=None)
    shown = [
        (row, points)
        for row in rows
        if (not row.get("generated") or ((row.get("items") or 0, row.get("width") or 0) == largest))
        and len(points := _starts(row)) > 1
    ]
    if not shown:
        return None

    def draw(axes: Axes) -> None:
        for row, points in shown:
            _line(axes, points, colours[row["target"]], stock=row["runner"] == STOCK)
        _log(axes, "x")
        _log(axes, "y")
        ticks = sorted({x for _, points in shown for x, _ in points})
        axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
        axes.set(xlabel="items in the history", ylabel="cold start, µs")
        label_ends(axes, [(points[-1][1], _short(row[NAME])) for row, points in shown])

    note = "From no history to the first top-k, medians; both axes are logarithmic."
    return Plot(
        "Growth with history", note, svg_of(draw, "Cold start by history length", _high(len(shown)))
    )


def _starts(row: Json) -> list[tuple[float, float]]:
    found = ((n, time_of(row, f"{COLD_START}{n}")) for n in lengths([row]))
    return [(float(n), time.median) for n, time in found if time is not None]


def _growth(
    rows: Sequence[Json], colours: dict[str, str], by: str, method: str, what: str, label: str
) -> Plot | None:
    """A method's time by one side of generated models, a line a target and other side."""
    other = "width" if by == "items" else "items"
    series: dict[tuple[str, str], dict[float, float]] = {}
    for row in rows:
        time = time_of(row, method)
        if not row.get("generated") or row.get(by) is None or time is None:
            continue
        plain = row_name({**row, "generated": False})
        side = row.get(other)
        shape = "" if side is None else f", {'d ' if other == 'width' else ''}{side:,}"
        shape += " items" if shape and other == "items" else ""
        series.setdefault((row["target"], plain + shape), {})[float(row[by])] = time.median
    lines = {key: sorted(points.items()) for key, points in series.items() if len(points) > 1}
    if not lines:
        return None

    def draw(axes: Axes) -> None:
        for (target, _), points in lines.items():
            _line(axes, points, colours[target])
        _log(axes, "x")
        _log(axes, "y")
        ticks = sorted({x for points in lines.values() for x, _ in points})
        axes.set_xticks(ticks, [_thousands(tick) for tick in ticks])
        axes.set(xlabel=label, ylabel=f"{method}, µs")
        label_ends(axes, [(points[-1][1], _short(name)) for (_, name), points in lines.items()])

    title = f"Growth with {what}"
    note = f"{method} on models with weights drawn at random; both axes are logarithmic."
    return Plot(title, note, svg_of(draw, title, _high(len(lines))))


def _high(lines: int) -> float:
    """Inches of a plot with a name beside each line."""
    return max(HIGH, names_height(lines) + 0.7)


def _line(
    axes: Axes, points: Sequence[tuple[float, float]], colour: str, *, stock: bool = False
) -> None:
    style = (0, (4, 2)) if stock else "-"
    axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.8, linestyle=style,
              marker="o", markersize=4)  # fmt: skip


def _log(axes: Axes, which: str) -> None:
    """A logarithmic axis with plain numbers: as few to a decade as give three in all."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    low, high = axis.get_view_interval()
    for steps in STEPS:
        ticks = [tick for tick in _ticks(low, high, steps) if low <= tick <= high]
        if len(ticks) > 2:
            break
    else:
        ticks = list(MaxNLocator(4).tick_values(low, high))
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _thousands(value)))
    axis.set_minor_locator(NullLocator())
    axis.set_view_interval(low, high, ignore=True)


def _ticks(low: float, high: float, steps: Sequence[int]) -> Iterator[float]:
    """Those steps of each decade that the range touches."""
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        yield from (step * 10.0**power for step in steps)


def _sizes(axes: Axes, kilobytes: Sequence[float]) -> None:
    """File sizes from left to right: from 0, unless they are too far apart to be seen so."""
    if max(kilobytes) <= FAR_APART * min(kilobytes) or min(kilobytes) <= 0:
        axes.set_xlim(0, 1.12 * max(*kilobytes, 1e-3))
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _thousands(value)))
    else:
        axes.margins(x=0.15)
        _log(axes, "x")


def _thousands(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _method(method: str) -> str:
    if method.startswith(COLD_START):
        return f"cold start, {method.removeprefix(COLD_START)} items"
    return method


def _short(name: str) -> str:
    name = " ".join(name.split())
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
