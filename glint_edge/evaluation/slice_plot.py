"""The picture of an evaluation by slices."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from glint_edge.errors import ConfigError
from glint_edge.evaluation.slices import Slice
from glint_edge.files import require_place, write_atomic

CANVAS = {".png": FigureCanvasAgg, ".svg": FigureCanvasSVG}

# Told apart by shape as well as by colour; Okabe and Ito's colours, which the colour-blind tell
# apart too.
MODEL = "#0072B2"
OTHERS = (("s", "#D55E00"), ("^", "#009E73"), ("D", "#CC79A7"))


def check_plot(path: Path) -> None:
    """Refuse, before anything is measured, a file that could not be drawn.

    Raises:
        ConfigError: its name does not end in .png or .svg, or its folder does not exist.
    """
    if path.suffix not in CANVAS:
        raise ConfigError(f"{path}: a plot is a .png or .svg file; call it so")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}; make it first")
    require_place(path)


def draw_slices(path: Path, parts: Sequence[Slice]) -> None:
    """Draw NDCG of each slice with its 95 % interval, the others beside it, as PNG or SVG.

    Raises:
        ConfigError: as `check_plot`.
        OSError: it cannot be written.
    """
    check_plot(path)
    figure = Figure(figsize=(8, 0.34 * len(parts) + 1.3), layout="constrained")
    axes = figure.subplots()
    rows = range(len(parts))
    axes.errorbar(
        [part.figures.ndcg for part in parts], rows, xerr=[part.half_width for part in parts],
        fmt="o", color=MODEL, capsize=3, label="model, 95 % interval",
    )  # fmt: skip
    for number, name in enumerate(parts[0].beside):
        marker, colour = OTHERS[number % len(OTHERS)]
        axes.plot(
            [part.beside[name].ndcg for part in parts], rows, marker,
            color=colour, fillstyle="none", label=name,
        )  # fmt: skip
    axes.set_yticks(list(rows), [f"{part.name} ({part.figures.users:,})" for part in parts])
    axes.invert_yaxis()
    # A handful of users has an interval that would squeeze all others.
    highest = max(f.ndcg for part in parts for f in (part.figures, *part.beside.values()))
    axes.set_xlim(0, 1.25 * highest + 1e-3)
    axes.set_xlabel(f"NDCG@{parts[0].figures.k}")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=4, fontsize="small")
    image = io.BytesIO()
    CANVAS[path.suffix](figure).print_figure(image, format=path.suffix[1:])
    write_atomic(path, image.getvalue())
