"""`glint-edge shard`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glint_edge.cli import console, render
from glint_edge.cli.endings import keeping, unwritten
from glint_edge.cli.options import Json, Reading


def shard(
    reading: Reading,
    log: Annotated[Path, typer.Argument(help="A log as for train, or a folder of Parquet.")],
    out: Annotated[Path, typer.Option(help="The shards' folder.")],
    parts: Annotated[
        int, typer.Option(help="Shards; two at a time are in memory, and each process needs one.")
    ] = 16,
    held_out: Annotated[int, typer.Option(help="Users to evaluate on, at most.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of the choice of these users.")] = 0,
    json: Json = False,
) -> None:
    """Cut a log that is larger than memory into shards that `train` reads a few at a time."""
    from glint_edge import api
    from glint_edge.data.log import load_log

    with keeping(lambda: unwritten(out)):
        shards = api.shard(log, out, parts=parts, held_out=held_out, seed=seed, **reading)
    if json:
        console.show_json({"shards": str(out), "parts": parts, **shards.summary})
    else:
        console.show(f"{out}: {parts} shards of {render.data(load_log(out))}")
