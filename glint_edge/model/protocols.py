"""What training and evaluation ask of a model, so that other models run under the same loop.

GLINT-RU is one; `benchmarks/models/peers` has others. Nothing has to be inherited.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor, nn


class Window(Protocol):
    """The part of a model's configuration that is read from outside."""

    @property
    def max_length(self) -> int:
        """N, the last items of a history that are seen."""


class Scorer(Protocol):
    """What can be evaluated."""

    training: bool

    @property
    def config(self) -> Window:
        """The model's configuration."""

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """All that is trained; a baseline may have none."""

    def train(self, mode: bool = True) -> object:
        """Switch dropout on, or off."""

    def eval(self) -> object:
        """Switch dropout off."""

    def score(self, items: Tensor, lengths: Tensor) -> Tensor:
        """Scores of the whole catalogue after each history.

        Args:
            items: int64 [B, N], histories in time order, right padded with anything.
            lengths: int64 [B], 1 ≤ length ≤ N.

        Returns:
            Floats [B, V + 1], a new tensor; padding, column 0, is −inf.
        """


class Encoder(Scorer, Protocol):
    """What can be trained on every prefix of a sequence in one pass."""

    embedding: nn.Embedding  # [V + 1, d], which scores as well; row 0 is padding and unknown items

    def prefixes(self, items: Tensor, lengths: Tensor) -> Tensor:
        """The hidden of every prefix, none of which sees a later item.

        Args:
            items: int64 [B, N], as for `score`.
            lengths: int64 [B].

        Returns:
            float32 [B, N, d]; rows beyond a length are finite and meaningless.
        """
