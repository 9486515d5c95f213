"""`glint-edge evaluate`: what a model is worth, and to whom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from glint_edge.cli import console, render
from glint_edge.cli.options import CheckpointArgument, DataOption, Json, Reading, load_options

if TYPE_CHECKING:
    from glint_edge.checkpoints.checkpoint import Checkpoint
    from glint_edge.data.record import LoadOptions
    from glint_edge.data.sequences import HeldOut
    from glint_edge.evaluation.appraisal import Ids, Training


def evaluate(
    reading: Reading,
    checkpoint: CheckpointArgument = None,
    data: DataOption = None,
    split: Annotated[str, typer.Option(help="test or validation.")] = "test",
    protocol: Annotated[
        str, typer.Option(help="full ranks the whole catalogue; unseen leaves out the user's own "
                          "items, as published tables often do; sampled-pop100 ranks among 100 "
                          "popular negatives, as the paper's do. Not comparable.")
    ] = "full",
    k: Annotated[int, typer.Option(min=1, help="The cut of every figure.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the sampled negatives.")] = 0,
    by_slice: Annotated[
        bool, typer.Option("--slices", help="Also by history length and the target's popularity.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the slices into a .png or .svg file.")
    ] = None,
    json: Json = False,
) -> None:  # fmt: skip
    """Recall, MRR and NDCG of a float checkpoint on held-out items, beside its baselines."""
    from glint_edge.checkpoints.checkpoint import load_checkpoint
    from glint_edge.evaluation.appraisal import appraise

    if plot:
        from glint_edge.evaluation.slice_plot import check_plot, draw_slices

        check_plot(plot)
    loaded = load_checkpoint(checkpoint)
    options = load_options(**reading)
    measured = _measured_on(loaded, data, options, split)
    with console.steps() as on_step:
        found = appraise(
            loaded.model, measured.held_out, measured.training, popularity=measured.popularity,
            protocol=protocol, k=k, seed=seed, on_step=on_step,
        )  # fmt: skip
    if plot:
        draw_slices(plot, found.slices)
    if json:
        console.show_json(found.to_dict())
        return
    title = (
        f"{checkpoint or 'the shipped checkpoint'} on {measured.name}, {split}, protocol {protocol}"
    )
    console.show(render.appraisal(title, found, loaded.model.config.max_length))
    if by_slice:
        console.show(render.slices(found.slices))


class _Measured(NamedTuple):
    """What a model is measured on; the fields are those of `appraise`."""

    name: str
    held_out: HeldOut
    training: Training
    popularity: Ids


def _measured_on(
    loaded: Checkpoint, data: str | None, options: LoadOptions, part: str
) -> _Measured:
    from glint_edge.data.source import part_of, read_beside, split_for

    log = read_beside(loaded.data, data, options)
    parts = split_for(log, loaded.catalogue)
    return _Measured(log.name, part_of(parts, part), parts.training(), parts.popularity())
