"""`glint-edge import`: a checkpoint that RecBole saved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glint_edge.cli import console, render
from glint_edge.cli.endings import keeping, unwritten
from glint_edge.cli.options import Json


def import_(
    model: Annotated[Path, typer.Argument(help="MODEL.pth, as RecBole saved it.")],
    out: Annotated[Path, typer.Option(help="The checkpoint's folder.")],
    items: Annotated[
        Path | None,
        typer.Option(
            help="The items' keys in RecBole's order, one a line.  [default: the checkpoint's own "
            "if it has them, else the ids]"
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Make a checkpoint folder of one that the authors' code saved; runs no code in it."""
    from glint_edge import api

    with keeping(lambda: unwritten(out)):
        checkpoint = api.import_recbole(model, out, items)
    console.show_result(
        {"checkpoint": str(out), "model": checkpoint.model.config.to_dict()},
        render.imported(out, checkpoint), json=json,
    )  # fmt: skip
