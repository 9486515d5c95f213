"""The picture of an evaluation by slices."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from glint_edge.errors import ConfigError
from glint_edge.files import write_atomic
from glint_edge.slices import Slice

# Told apart by shape as well as by colour.
MARKERS = ("s", "^", "D")
COLOURS = ("tab:gray", "tab:olive", "tab:purple")


def draw_slices(path: Path, parts: Sequence[Slice], k: int) -> None:
    """Draw NDCG of each slice with its 95 % interval, the baselines beside it, as PNG or SVG.

    Raises:
        ConfigError: the file's name ends otherwise.
        OSError: it cannot be written.
    """
    canvas = {".png": FigureCanvasAgg, ".svg": FigureCanvasSVG}.get(path.suffix)
    if canvas is None:
        raise ConfigError(f"{path}: a plot is a .png or .svg file; call it so")
    figure = Figure(figsize=(8, 0.34 * len(parts) + 1.3), layout="constrained")
    axes = figure.subplots()
    rows = range(len(parts))
    axes.errorbar(
        [part.ndcg for part in parts], rows, xerr=[part.half_width for part in parts],
        fmt="o", color="tab:blue", capsize=3, label="model, 95 % interval",
    )  # fmt: skip
    for number, name in enumerate(parts[0].baselines):
        axes.plot(
            [part.baselines[name] for part in parts], rows, MARKERS[number % 3],
            color=COLOURS[number % 3], fillstyle="none", label=name,
        )  # fmt: skip
    axes.set_yticks(list(rows), [f"{part.name} ({part.users:,})" for part in parts])
    axes.invert_yaxis()
    # A handful of users has an interval that would squeeze all others.
    axes.set_xlim(0, 1.25 * max(max(p.ndcg, *p.baselines.values()) for p in parts) + 1e-3)
    axes.set_xlabel(f"NDCG@{k}")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize="small")
    image = io.BytesIO()
    canvas(figure).print_figure(image, format=path.suffix[1:])
    write_atomic(path, image.getvalue())
