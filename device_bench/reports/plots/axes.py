"""Axes of a plot: logarithmic ones with plain numbers; how numbers and names are written."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

LONGEST = 34  # letters of a name
STEPS = ((1,), (1, 3), (1, 2, 5))  # numbers to a decade of a logarithmic axis


def logarithmic(axes: Axes, which: str) -> None:
    """Make an axis logarithmic, with as few numbers to a decade as give three in all.

    Args:
        axes: with everything drawn.
        which: "x" or "y".
    """
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
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    axis.set_minor_locator(NullLocator())
    axis.set_view_interval(low, high, ignore=True)


def _ticks(low: float, high: float, steps: Sequence[int]) -> Iterator[float]:
    """Those steps of each decade that the range touches."""
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        yield from (step * 10.0**power for step in steps)


def plain(value: float) -> str:
    """A number of an axis: "0.3", "7.6", "1,000"."""
    return f"{value:,.10g}"


def compact(value: float) -> str:
    """A count where there is little room: "200", "1k", "2.5M"."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:.4g}{letter}"
    return f"{value:g}"


def short(name: str) -> str:
    """A name on one line that leaves room for the plot."""
    name = " ".join(name.split())
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
