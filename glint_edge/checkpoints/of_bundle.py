"""Which float model a bundle came from, if it is still at hand."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from glint_edge.bundles.bundle import Bundle
from glint_edge.bundles.manifest import digest_of
from glint_edge.checkpoints.checkpoint import (
    ARCHITECTURE,
    DEFAULT_CHECKPOINT,
    Checkpoint,
    load_checkpoint,
    model_digest,
)
from glint_edge.errors import CheckpointError, ConfigError
from glint_edge.files import cache_folder, write_atomic

log = logging.getLogger("glint_edge.bench")


def find_checkpoint(bundle: Bundle, chosen: Path | None = None) -> Checkpoint | None:
    """What a bundle was made from; None, with the reason logged, if it is not there.

    Args:
        bundle: does not say where that lies: it goes to strangers. This machine remembers.
        chosen: take this folder instead.

    Raises:
        CheckpointError: the chosen one cannot be read, or is not what the bundle was made from.
    """
    digest = model_digest(bundle.config, bundle.manifest["checkpoint"]["sha256"], bundle.catalogue)
    if chosen is not None:
        checkpoint = load_checkpoint(chosen)
        if checkpoint.digest != digest:
            raise CheckpointError(
                f"{chosen} is not the model that {bundle.path} was made from (its weights, its "
                "settings or its catalogue differ); pass the one that was exported, or export this "
                "one"
            )
        return checkpoint
    folder = _place_of(bundle, digest)
    try:
        checkpoint = load_checkpoint(folder)
    except (CheckpointError, OSError) as error:  # a name that is too long is the second
        log.warning("the float model is not at hand: %s", error)
        return None
    if checkpoint.digest != digest:
        log.warning("%s is not the model that %s was made from any more", folder, bundle.path)
        return None
    return checkpoint


def remember_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Note for this user where the model of a bundle lies, so that `find_checkpoint` finds it."""
    if folder.resolve() == DEFAULT_CHECKPOINT.resolve():
        return
    try:
        write_atomic(_note(checkpoint.digest), f"{folder.resolve()}\n".encode())
    except (OSError, ConfigError) as error:  # the second: there is no home folder
        log.info("where the checkpoint lies is not remembered: %s", error)


def _place_of(bundle: Bundle, digest: str) -> Path:
    # Bundles of before say it: the export saw both paths resolved, so links do not count.
    path: str | None = bundle.manifest["checkpoint"]["path"]
    if path:
        return Path(os.path.realpath(os.path.realpath(bundle.path) + f"/{path}"))
    for known in (digest, _titled_digest(bundle)):
        try:
            noted = _note(known).read_text("utf-8").strip()
        except (OSError, UnicodeError, ConfigError):
            continue
        if noted.isprintable() and noted:
            return Path(noted)
    return DEFAULT_CHECKPOINT


def _titled_digest(bundle: Bundle) -> str:
    """What notes were called when a title was part of what a model is."""
    return digest_of(
        {
            "architecture": ARCHITECTURE,
            "model": bundle.config.to_dict(),
            "weights": bundle.manifest["checkpoint"]["sha256"],
            "items": bundle.catalogue.to_dict(),
        }
    )


def _note(digest: str) -> Path:
    return cache_folder() / "checkpoints" / digest
