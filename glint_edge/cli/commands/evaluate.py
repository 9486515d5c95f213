"""`glint-edge evaluate`: what a model is worth, and to whom."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glint_edge.cli import console, render
from glint_edge.cli.endings import NOTHING, keeping
from glint_edge.cli.options import CheckpointArgument, DataOption, Json, Reading


def evaluate(
    reading: Reading,
    checkpoint: CheckpointArgument = None,
    other: Annotated[
        Path | None,
        typer.Argument(help="Another, trained on the same data, to compare on the same users."),
    ] = None,
    data: DataOption = None,
    part: Annotated[str, typer.Option(help="test or validation.")] = "test",
    protocol: Annotated[
        str | None,
        typer.Option(
            help="full ranks the whole catalogue; unseen leaves out the user's own items, as "
            "published tables often do; sampled-pop100 ranks among 100 popular negatives, as the "
            "paper's do. Not comparable.  [default: unseen where nobody takes an item again, else "
            "full]"
        ),
    ] = None,
    k: Annotated[int, typer.Option(min=1, help="The cut of every figure.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the sampled negatives.")] = 0,
    by_slice: Annotated[
        bool, typer.Option("--slices", help="Also by history length and the target's popularity.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the slices into a .png or .svg file.")
    ] = None,
    json: Json = False,
) -> None:
    """Recall, MRR and NDCG of a float checkpoint on held-out items, beside its baselines."""
    from glint_edge import api

    with keeping(NOTHING), console.steps() as on_step:
        appraisal = api.evaluate(
            checkpoint, other, data=data, part=part, protocol=protocol, k=k, seed=seed, plot=plot,
            on_step=on_step, **reading,
        )  # fmt: skip
    title = f"{checkpoint or 'the shipped checkpoint'} on {appraisal.on}"
    if json:
        console.show_json(appraisal.to_dict())
        return
    console.show(render.appraisal(title, appraisal, by_slice=by_slice))
    for line in appraisal.lines(str(checkpoint or "the shipped checkpoint")):
        console.show(line)
