"""Names written into a plot beside what they name, where they cover no other name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from device_bench.reports.plots.svg import SIZE

HEIGHT = 1.25 * SIZE  # of a name, in points
LETTER = 0.55 * SIZE  # mean width of a letter; the page's font is not known here
AWAY = 7.0  # points between a point and its name
LEADER = {"arrowstyle": "-", "linewidth": 0.7, "alpha": 0.6, "shrinkA": 0, "shrinkB": 3}

Box = tuple[float, float, float, float]  # left, bottom, right, top, in points


@dataclass(frozen=True)
class Point:
    """What a name belongs to.

    Attributes:
        x: in the axes' units.
        y: as `x`.
        name: what is written.
        colour: of both.
    """

    x: float
    y: float
    name: str
    colour: str


@dataclass(frozen=True)
class End:
    """Where a line ends.

    Attributes:
        y: in the axes' units.
        name: what is written.
        colour: of both.
    """

    y: float
    name: str
    colour: str


def label_points(axes: Axes, points: Sequence[Point], lines: Sequence[float] = ()) -> None:
    """Write a name beside each point, at the first place where it covers nothing else.

    A name further away has a line to its point; one for which there is no place is left out.

    Args:
        axes: with their limits and scales set.
        points: what to name.
        lines: heights of horizontal lines that go all across.
    """
    scale = _laid_out(axes)
    spots = [axes.transData.transform((point.x, point.y)) * scale for point in points]
    left, right = (edge * scale for edge in (axes.bbox.x0, axes.bbox.x1))
    taken: list[Box] = [(x - 4, y - 4, x + 4, y + 4) for x, y in spots]
    for height in (axes.transData.transform((0.5, y))[1] * scale for y in lines):
        taken.append((left, height - 1, right, height + 1))
    for point, (at_x, at_y) in zip(points, spots, strict=True):
        width = LETTER * len(point.name)
        moved = (_within(box, left, right) for box in _places(at_x, at_y, width))
        box = next((b for b in moved if not any(_overlap(b, t) for t in taken)), None)
        if box is None:
            continue
        taken.append(box)
        away = (box[1] + box[3]) / 2 - at_y
        axes.annotate(
            point.name, (point.x, point.y), xytext=((box[0] + box[2]) / 2 - at_x, away),
            textcoords="offset points", va="center", ha="center", color=point.colour,
            arrowprops={**LEADER, "color": point.colour} if abs(away) > HEIGHT else None,
        )  # fmt: skip


def _places(x: float, y: float, width: float) -> list[Box]:
    """Where a name may stand: right, left, then above and below, then further away."""
    return [
        (x + aside, y + away - HEIGHT / 2, x + aside + width, y + away + HEIGHT / 2)
        for away in (step * HEIGHT for step in (0, 1, -1, 2, -2, 3, -3, 4, -4))
        for aside in (-width / 2, AWAY, -AWAY - width)
        if away or aside != -width / 2
    ]


def _within(box: Box, left: float, right: float) -> Box:
    """Moved aside as far as it stands out; at the left, if it is too wide."""
    aside = max(min(0.0, right - box[2]), left - box[0])
    return box[0] + aside, box[1], box[2] + aside, box[3]


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def label_ends(axes: Axes, ends: Sequence[End]) -> None:
    """Write names right of the axes, each at its height or as near as others leave it.

    Args:
        axes: with their limits and scales set, and `names_height` high at least.
        ends: what to name.
    """
    scale = _laid_out(axes)
    ends = sorted(ends, key=lambda end: end.y)
    heights = [axes.transData.transform((1, end.y))[1] * scale for end in ends]
    places = _apart(heights, axes.bbox.y1 * scale)
    for end, height, place in zip(ends, heights, places, strict=True):
        axes.annotate(
            end.name, (1, end.y), xycoords=("axes fraction", "data"), xytext=(5, place - height),
            textcoords="offset points", va="center", color=end.colour, annotation_clip=False,
        )  # fmt: skip


def names_height(count: int) -> float:
    """What so many names take one above the other, in inches."""
    return count * HEIGHT / 72


def _apart(heights: Sequence[float], top: float) -> list[float]:
    """Ascending heights moved up to be `HEIGHT` apart, and down again from the top."""
    places: list[float] = []
    for height in heights:
        places.append(max(height, places[-1] + HEIGHT) if places else height)
    most = max(top, heights[-1])
    for number in reversed(range(len(places))):
        places[number] = most = min(places[number], most)
        most -= HEIGHT
    return places


def _laid_out(axes: Axes) -> float:
    """Have the axes take their place; points a pixel."""
    figure = axes.get_figure(root=True)
    if figure is None:
        raise ValueError("the axes are of no figure")
    figure.draw_without_rendering()
    return float(72 / figure.dpi)
