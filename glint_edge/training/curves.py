"""The picture of a training run."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from glint_edge.files import write_atomic


def draw_curves(path: Path, loss: Sequence[float], ndcg: Sequence[float]) -> None:
    """Draw loss and validation NDCG@10 by epoch, the best epoch marked, as PNG."""
    epochs = range(1, len(loss) + 1)
    best = max(range(len(ndcg)), key=ndcg.__getitem__)
    # Figure without pyplot: no global state, no display, safe in a library.
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(epochs, loss, color="tab:blue")
    left.set(xlabel="epoch", ylabel="training loss (nats)")
    right.plot(epochs, ndcg, color="tab:orange")
    right.plot([best + 1], [ndcg[best]], "o", color="tab:orange")
    right.annotate(f"{ndcg[best]:.4f}", (best + 1, ndcg[best]), textcoords="offset points",
                   xytext=(4, 6))  # fmt: skip
    right.set(xlabel="epoch", ylabel="validation NDCG@10")
    right.set_ylim(0, max(ndcg) * 1.15 + 1e-6)
    for axes in (left, right):
        axes.grid(alpha=0.3)
    image = io.BytesIO()
    FigureCanvasAgg(figure).print_png(image)
    write_atomic(path, image.getvalue())
