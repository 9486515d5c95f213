"""`glint-edge push` and `pull`: checkpoints on the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glint_edge.cli import console, render
from glint_edge.cli.endings import keeping
from glint_edge.cli.options import Json

Repository = Annotated[str, typer.Argument(help="OWNER/NAME on the Hugging Face Hub.")]


def push(
    checkpoint: Annotated[Path, typer.Argument(help="A folder that `train` or `import` wrote.")],
    repository: Repository,
    public: Annotated[
        bool, typer.Option("--public", help="Make a new repository public, not private.")
    ] = False,
    json: Json = False,
) -> None:
    """Upload a checkpoint, its items' keys included, to the Hugging Face Hub."""
    from glint_edge import api

    commit = api.push(checkpoint, repository, public=public)
    console.show_result(
        {"repository": repository, "commit": commit}, f"{checkpoint} is at {commit}", json=json
    )


def pull(
    repository: Repository,
    out: Annotated[Path, typer.Option(help="The checkpoint's folder.")],
    json: Json = False,
) -> None:
    """Download a checkpoint from the Hugging Face Hub: OWNER/NAME or OWNER/NAME@REVISION."""
    from glint_edge import api

    with keeping("what was downloaded is kept: the same command goes on"):
        checkpoint = api.pull(repository, out)
    console.show_result(
        {"checkpoint": str(out), "model": checkpoint.model.config.to_dict()},
        render.imported(out, checkpoint), json=json,
    )  # fmt: skip
