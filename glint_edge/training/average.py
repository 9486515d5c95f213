"""A running average of the weights over a training's steps: what is validated and kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from glint_edge.model.protocols import Scorer

SOON = 10  # before so many steps, each older one counts less: the first weights are soon forgotten


class Averaged:
    """Exponentially weighted averages of a model's weights.

    Attributes:
        weights: in the order of the model's parameters.
        steps: taken so far.
    """

    def __init__(self, model: Scorer, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.weights = [weight.detach().clone() for weight in model.parameters()]

    @torch.no_grad()
    def step(self, model: Scorer) -> None:
        """Take in the weights after one step more."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (SOON + self.steps))
        for mean, weight in zip(self.weights, model.parameters(), strict=True):
            mean.lerp_(weight, 1.0 - decay)


@contextmanager
def averaged(model: Scorer, average: Averaged | None) -> Iterator[None]:
    """While it lasts the model has its averaged weights; without any, its own."""
    if average is None:
        yield
        return
    own = [weight.detach().clone() for weight in model.parameters()]
    _set(model, average.weights)
    try:
        yield
    finally:
        _set(model, own)


@torch.no_grad()
def _set(model: Scorer, weights: list[torch.Tensor]) -> None:
    for weight, value in zip(model.parameters(), weights, strict=True):
        weight.copy_(value)
