"""glint-edge: put a sequential recommender on a phone.

The names in `__all__` are the public API. They are imported when first used, so that the command
line's `--help` does not pay for torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glint_edge.bundles.bundle import Bundle, load_bundle
    from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
    from glint_edge.checkpoints.scorer import Recommender, load
    from glint_edge.config import ModelConfig, TrainConfig
    from glint_edge.errors import GlintEdgeError
    from glint_edge.model.glint_ru import GlintRU
    from glint_edge.model.stream import StreamProgram, stream_program

__all__ = [
    "Bundle",
    "Checkpoint",
    "GlintEdgeError",
    "GlintRU",
    "ModelConfig",
    "Recommender",
    "StreamProgram",
    "TrainConfig",
    "load",
    "load_bundle",
    "load_checkpoint",
    "save_checkpoint",
    "stream_program",
]

_MODULE_OF = {
    "Bundle": "bundles.bundle",
    "Checkpoint": "checkpoints.checkpoint",
    "GlintEdgeError": "errors",
    "GlintRU": "model.glint_ru",
    "ModelConfig": "config",
    "Recommender": "checkpoints.scorer",
    "StreamProgram": "model.stream",
    "TrainConfig": "config",
    "load": "checkpoints.scorer",
    "load_bundle": "bundles.bundle",
    "load_checkpoint": "checkpoints.checkpoint",
    "save_checkpoint": "checkpoints.checkpoint",
    "stream_program": "model.stream",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'glint_edge' has no attribute {name!r}")
    return getattr(importlib.import_module(f"glint_edge.{_MODULE_OF[name]}"), name)
