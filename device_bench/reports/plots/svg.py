"""Matplotlib's picture as an `<svg>` whose colours and letters are the page's own.

Matplotlib is given colours that stand for names (`INK`, …); in what it writes they become CSS
variables, so that a plot follows the page from light to dark. Letters stay letters.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

WIDTH = 4.2  # inches; a page scales it to a column's width
HIGH = 2.9  # inches of a plot, where nothing asks for more
SIZE = 10.0  # points of a letter
INK, MUTED, LINE, BAND = "#010101", "#020202", "#030303", "#040404"
SERIES = tuple(f"#0505{n:02x}" for n in range(6))
NAMES = {"ink": INK, "muted": MUTED, "line": LINE, "band": BAND}
NAMES |= {f"series-{n}": colour for n, colour in enumerate(SERIES)}


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


def svg_of(draw: Callable[[Axes], None], label: str, height: float) -> str:
    """Have a picture drawn, and write it as an `<svg>` element of the page.

    Args:
        draw: given axes to draw on.
        label: what the picture shows, for those who hear the page; unlike other pictures' labels.
        height: inches.
    """
    style: dict[Any, Any] = {
        "svg.fonttype": "none", "figure.facecolor": "none", "axes.facecolor": "none",
         "svg.hashsalt": label, "text.parse_math": False,
        "font.size": SIZE, "text.color": INK, "axes.labelcolor": MUTED, "xtick.color": MUTED,
        "ytick.color": MUTED, "axes.edgecolor": LINE, "grid.color": LINE, "axes.grid": True,
        "grid.linewidth": 0.6, "axes.axisbelow": True, "axes.spines.top": False,
        "axes.spines.right": False, "xtick.major.size": 0, "ytick.major.size": 0,
        "xtick.minor.size": 0, "ytick.minor.size": 0,
    }  # fmt: skip
    text = io.StringIO()
    with matplotlib.rc_context(style), warnings.catch_warnings():
        # A name may have letters that matplotlib's own font has not; the page's has them.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure.subplots())
        FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None, "Creator": None})
    return _of_the_page(text.getvalue(), label)


def _of_the_page(svg: str, label: str) -> str:
    """Only the element, its size left to the page, colours as variables, ids unlike others'."""
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg [^>]*?)\s(?:width)="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg [^>]*?)\s(?:height)="[^"]*"', r"\1", svg, count=1)
    own = re.sub(r"\W+", "-", label).lower()
    svg = svg.replace('id="', f'id="{own}-').replace("url(#", f"url(#{own}-")
    svg = svg.replace('href="#', f'href="#{own}-')
    svg = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", svg)
    svg = re.sub(r"font-family: [^;\"]*(; )?", "", svg)
    for name, colour in NAMES.items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
