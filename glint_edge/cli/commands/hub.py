"""`glint-edge push` and `pull`: checkpoints on the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glint_edge.cli import console, render
from glint_edge.cli.options import Json, require_new

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
    from glint_edge.checkpoints import hub
    from glint_edge.checkpoints.checkpoint import load_checkpoint

    address = hub.push(load_checkpoint(checkpoint), repository, private=not public)
    if json:
        console.show_json({"repository": repository, "commit": address})
    else:
        console.show(f"{checkpoint} is at {address}")


def pull(
    repository: Repository,
    out: Annotated[Path, typer.Option(help="The checkpoint's folder.")],
    json: Json = False,
) -> None:
    """Download a checkpoint from the Hugging Face Hub: OWNER/NAME or OWNER/NAME@REVISION."""
    from glint_edge.checkpoints import hub
    from glint_edge.checkpoints.checkpoint import load_checkpoint, save_checkpoint

    require_new(out)
    checkpoint = load_checkpoint(hub.fetch(repository))
    save_checkpoint(checkpoint, out)
    if json:
        console.show_json({"checkpoint": str(out), "model": checkpoint.model.config.to_dict()})
    else:
        console.show(render.imported(out, checkpoint))
