"""Which float model a bundle came from, if it is still at hand."""

from __future__ import annotations

import logging
from pathlib import Path

from glint_edge.bundles.bundle import Bundle
from glint_edge.checkpoints.checkpoint import DEFAULT_CHECKPOINT, Checkpoint, load_checkpoint
from glint_edge.errors import CheckpointError

log = logging.getLogger("glint_edge.bench")


def find_checkpoint(bundle: Bundle, given: Path | None = None) -> Checkpoint | None:
    """The checkpoint that the manifest names; None, with the reason logged, if it is not there.

    Args:
        bundle: names its checkpoint by the weights' sha256 and a path relative to itself.
        given: take this folder instead.

    Raises:
        CheckpointError: the given one cannot be read, or is not what the bundle was made from.
    """
    named = bundle.manifest["checkpoint"]
    if given is not None:
        checkpoint = load_checkpoint(given)
        if checkpoint.sha256 != named["sha256"]:
            raise CheckpointError(
                f"{given} is not the model that {bundle.path} was made from (the sha256 of its "
                "weights differs); pass the one that was exported, or export this one"
            )
        return checkpoint
    # The export saw both paths resolved, so links between them do not count.
    path = named["path"]
    folder = DEFAULT_CHECKPOINT if path is None else (bundle.path.resolve() / path).resolve()
    try:
        checkpoint = load_checkpoint(folder)
    except CheckpointError as error:
        log.warning("the float model is not at hand: %s", error)
        return None
    if checkpoint.sha256 != named["sha256"]:
        log.warning("%s is not the model that %s was made from any more", folder, bundle.path)
        return None
    return checkpoint
