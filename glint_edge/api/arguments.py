"""What the functions take in more than one form, as one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from glint_edge.bundles.bundle import Bundle
    from glint_edge.checkpoints.checkpoint import Checkpoint

AnyPath: TypeAlias = str | Path
AnyCheckpoint: TypeAlias = "Checkpoint | str | Path | None"
AnyBundle: TypeAlias = "Bundle | str | Path"

log = logging.getLogger(__name__)


def as_checkpoint(value: AnyCheckpoint) -> Checkpoint:
    """A checkpoint, read where it is not yet; None: the shipped one."""
    from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint

    if isinstance(value, Checkpoint):
        return value
    if value is None:
        log.info("the shipped checkpoint: GLINT-RU on MovieLens-100K")
    return load_checkpoint(value)


def as_bundle(value: AnyBundle) -> Bundle:
    """A bundle, read where it is not yet."""
    from glint_edge.bundles.bundle import Bundle, load_bundle

    return value if isinstance(value, Bundle) else load_bundle(value)


def several(names: Sequence[str]) -> tuple[str, ...]:
    """Names; one text is one name, or several with commas between them."""
    return tuple(names.split(",")) if isinstance(names, str) else tuple(names)
