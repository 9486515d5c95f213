"""The commands by which checkpoints come in and go out: `import`, `push`, `pull`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glint_edge.cli import console, render
from glint_edge.cli.options import Json, Verbose
from glint_edge.errors import ConfigError

Repository = Annotated[str, typer.Argument(help="OWNER/NAME on the Hugging Face Hub.")]


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
    verbose: Verbose = False,
) -> None:
    """Make a checkpoint folder of one that the authors' code saved; runs no code in it."""
    from glint_edge.checkpoints.checkpoint import save_checkpoint
    from glint_edge.checkpoints.recbole import import_recbole

    _require_new(out)
    checkpoint = import_recbole(model, items)
    save_checkpoint(checkpoint, out)
    if json:
        console.show_json({"checkpoint": str(out), "model": checkpoint.model.config.to_dict()})
    else:
        console.show(render.imported(out, checkpoint))


def push(
    checkpoint: Annotated[Path, typer.Argument(help="A folder that `train` or `import` wrote.")],
    repository: Repository,
    public: Annotated[
        bool, typer.Option("--public", help="Make a new repository public, not private.")
    ] = False,
    json: Json = False,
    verbose: Verbose = False,
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
    verbose: Verbose = False,
) -> None:
    """Download a checkpoint from the Hugging Face Hub: OWNER/NAME or OWNER/NAME@REVISION."""
    from glint_edge.checkpoints import hub
    from glint_edge.checkpoints.checkpoint import load_checkpoint, save_checkpoint

    _require_new(out)
    checkpoint = load_checkpoint(hub.fetch(repository))
    save_checkpoint(checkpoint, out)
    if json:
        console.show_json({"checkpoint": str(out), "model": checkpoint.model.config.to_dict()})
    else:
        console.show(render.imported(out, checkpoint))


def _require_new(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} exists and is not empty; choose another --out")
