"""The plots of a bench's page: latencies, size against accuracy, and growth beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from device_bench.judge.recorded import COLD_START, Json, artifact, where
from device_bench.reports.labels import NAME, SCALE, STOCK, lengths, row_names
from device_bench.reports.plots.axes import logarithmic, plain, short
from device_bench.reports.plots.growth import (
    by_side,
    cold_starts,
    drawn_name,
    of_all,
    of_one_shape,
    recommends,
)
from device_bench.reports.plots.labels import Point, label_points
from device_bench.reports.plots.svg import BAND, HIGH, INK, MUTED, SERIES, Plot, svg_of

STRIPS = "Thin: the fastest call to the 99th percentile; thick: the middle half; tick: median."
REFERENCE = "torch"  # the float stream: no colour of its own
FAR_APART = 10  # times the smallest file
GATE = 0.01  # of NDCG@10: what the export's own gate lets pass


def plots(document: Json) -> list[Plot]:
    """Those that the document has figures for, in the order of the page."""
    rows = [
        {**row, NAME: name}
        for row, name in zip(document["rows"], row_names(document["rows"]), strict=True)
    ]
    colours = _colours(rows)
    alike = of_one_shape(rows)
    steps = [f"{COLD_START}{length}" for length in lengths(alike)]
    of_calls = [
        *(_distribution(alike, method, colours) for method in ("append", "recommend", *steps[-1:])),
        _accuracy(rows, colours),
    ]
    of_growth = [
        cold_starts(alike, colours),
        recommends(alike, colours),
        by_side(rows, colours, "items"),
        by_side(rows, colours, "width"),
    ]
    ordered = of_growth + of_calls if document["kind"] == SCALE else of_calls + of_growth
    return [plot for plot in ordered if plot is not None]


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
                short(drawn_name(row)), (0, place), xycoords=("axes fraction", "data"),
                xytext=(1, 7.5), textcoords="offset points", va="bottom", color=INK,
            )  # fmt: skip
        axes.set_ylim(len(shown) - 0.6, -0.85)
        axes.set_yticks([])
        logarithmic(axes, "x")
        axes.set_xlabel("µs a call")
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)

    title = f"Latency: {_method(method)}"
    note = f"{STRIPS}{of_all([row for row, _ in shown])}"
    return Plot(title, note, svg_of(draw, title, 0.75 + 0.38 * len(shown)))


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
            Point(row["file_bytes"] / 1e3, row["ndcg_at_10"], short(_file(row)),
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


def _sizes(axes: Axes, kilobytes: Sequence[float]) -> None:
    """File sizes from left to right: from 0, unless they are too far apart to be seen so."""
    if max(kilobytes) <= FAR_APART * min(kilobytes) or min(kilobytes) <= 0:
        axes.set_xlim(0, 1.12 * max(*kilobytes, 1e-3))
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    else:
        axes.margins(x=0.15)
        logarithmic(axes, "x")


def _method(method: str) -> str:
    if method.startswith(COLD_START):
        return f"cold start, {method.removeprefix(COLD_START)} items"
    return method
