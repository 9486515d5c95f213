"""A trained model and its items' keys, to be asked for scores by ids, in torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from glint_edge.checkpoints.checkpoint import load_checkpoint
from glint_edge.config import ModelConfig
from glint_edge.errors import ConfigError, UnknownItemError
from glint_edge.model.glint_ru import GlintRU


@dataclass(frozen=True)
class Scorer:
    """A trained model and what its ids stand for.

    Attributes:
        model: in evaluation mode.
        items: the users' own item keys by id; `items[0]` is "", padding or an unknown item.
    """

    model: GlintRU
    items: tuple[str, ...]

    @property
    def config(self) -> ModelConfig:
        """The model's."""
        return self.model.config

    def encode(self, items: Tensor, lengths: Tensor) -> Tensor:
        """The hidden of each history's last position.

        Args:
            items: int64 [B, N], ids in time order, right padded with 0. The model was trained on
                `config.max_length` of them; give no more than the last so many.
            lengths: int64 [B], 1 ≤ length ≤ N.

        Returns:
            float32 [B, d].

        Raises:
            ConfigError: a shape, a dtype or a length is impossible.
            UnknownItemError: an id is outside the catalogue.
        """
        self._check(items, lengths)
        with torch.no_grad():
            return self.model.encode(items, lengths)

    def score(self, items: Tensor, lengths: Tensor) -> Tensor:
        """Scores of the whole catalogue after each history; arguments and errors as for `encode`.

        Returns:
            float32 [B, V + 1], by id; column 0 (padding) is −inf.
        """
        self._check(items, lengths)
        with torch.no_grad():
            return self.model.score(items, lengths)

    def _check(self, items: Tensor, lengths: Tensor) -> None:
        if items.dtype != torch.int64 or lengths.dtype != torch.int64:
            raise ConfigError(f"ids and lengths are int64, not {items.dtype} and {lengths.dtype}")
        if items.ndim != 2 or lengths.shape != items.shape[:1]:
            raise ConfigError(
                f"ids are [B, N] and lengths [B], not {list(items.shape)} and {list(lengths.shape)}"
            )
        if bool(((lengths < 1) | (lengths > items.shape[1])).any()):
            raise ConfigError(f"each length is between 1 and {items.shape[1]}, the items given")
        if bool(((items < 0) | (items > self.config.items)).any()):
            raise UnknownItemError(
                f"an id is outside 0 … {self.config.items}; unknown items and padding are 0"
            )


def load_scorer(path: str | Path | None = None) -> Scorer:
    """Load a checkpoint folder; without one, the model shipped with the package.

    Args:
        path: of a folder; or "hf://owner/name", which fetches that of the Hugging Face Hub (and
            takes glint-edge[hub]). Nothing else uses the network.

    Raises:
        CheckpointError: it is missing, damaged, of another model, or newer than this version.
        HubError: the Hub has none, refuses, or is out of reach.
        MissingExtraError: glint-edge[hub] is not installed.
    """
    if isinstance(path, str) and path.startswith("hf://"):
        from glint_edge.checkpoints.hub import fetch

        path = fetch(path)
    checkpoint = load_checkpoint(path)
    return Scorer(checkpoint.model, checkpoint.catalogue.keys)
