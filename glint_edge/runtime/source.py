"""What a path is, or what was loaded: a bundle, or something to be looked for as a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glint_edge.bundles.manifest import MANIFEST, SUFFIX

if TYPE_CHECKING:
    from glint_edge.bundles.bundle import Bundle
    from glint_edge.checkpoints.checkpoint import Checkpoint

CONFIG = "config.json"  # of a checkpoint; its module needs torch


def bundle_folder(path: str | Path | Bundle | Checkpoint | None) -> Path | None:
    """The folder of a bundle; None: it is a checkpoint, or to be looked for as one."""
    if path is None or (isinstance(path, str) and path.startswith("hf://")):
        return None
    if not isinstance(path, str | Path):
        manifest = getattr(path, "manifest", None)  # of a Bundle; a Checkpoint has none
        return None if manifest is None else Path(path.path)  # type: ignore[union-attr]
    folder = Path(path)
    # What is neither is refused as a bundle that lacks its manifest, which needs no torch.
    checkpoint = (folder / CONFIG).is_file() and not (folder / MANIFEST).is_file()
    return None if checkpoint and folder.suffix != SUFFIX else folder
