"""Checkpoints that come from elsewhere, and go there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glint_edge.api.arguments import AnyCheckpoint, AnyPath, as_checkpoint
from glint_edge.errors import CheckpointError, ConfigError
from glint_edge.extras import require_extra
from glint_edge.files import new_folder, require_place
from glint_edge.suggestions import no_file

if TYPE_CHECKING:
    from glint_edge.checkpoints.checkpoint import Checkpoint


def import_recbole(model: AnyPath, out: AnyPath, items: AnyPath | None = None) -> Checkpoint:
    """Make a checkpoint folder of one that the authors' code saved; runs no code in it.

    Args:
        model: MODEL.pth, as RecBole saved it.
        out: the checkpoint's folder; new or empty.
        items: the items' keys in RecBole's order, one a line; None: the file's own, else the ids.
    """
    _require_new(Path(out))
    if not Path(model).is_file():  # before torch is imported
        raise CheckpointError(no_file(model, "give a RecBole .pth"))
    from glint_edge.checkpoints.checkpoint import load_checkpoint, save_checkpoint
    from glint_edge.checkpoints.recbole import import_recbole as run

    with new_folder(Path(out), stood=None) as work:
        save_checkpoint(run(Path(model), Path(items) if items else None), work)
    return load_checkpoint(out)


def push(checkpoint: AnyCheckpoint, repository: str, *, public: bool = False) -> str:
    """Upload a checkpoint to the Hugging Face Hub, items' keys included; the commit's address."""
    require_extra(("huggingface_hub",), "glint-edge[hub]", "the Hugging Face Hub")
    loaded = as_checkpoint(checkpoint)
    from glint_edge.checkpoints import hub

    return hub.push(loaded, repository, private=not public)


def pull(repository: str, out: AnyPath) -> Checkpoint:
    """Download OWNER/NAME or OWNER/NAME@REVISION from the Hugging Face Hub into a new folder."""
    from glint_edge.checkpoints import hub
    from glint_edge.checkpoints.checkpoint import load_checkpoint, save_checkpoint

    _require_new(Path(out))
    with new_folder(Path(out), stood=None) as work:
        save_checkpoint(load_checkpoint(hub.fetch(repository)), work)
    return load_checkpoint(out)


def _require_new(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} exists and is not empty; choose another --out")
    require_place(folder)
