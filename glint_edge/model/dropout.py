"""Dropout that costs little on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LEVELS = 256  # one random byte an element


class Dropout(nn.Module):
    """Zeroes elements at random in training and scales up the rest, as `torch.nn.Dropout` does.

    torch draws a number an element, a third of this model's forward pass in training. A byte an
    element does: the rate is rounded to a 256th, and the scale is that of the rounded rate, so the
    expected value is exact.

    Attributes:
        threshold: bytes below it drop their element.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.threshold = min(round(rate * LEVELS), LEVELS - 1)

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, float32 → the same."""
        if not self.training or self.threshold == 0:
            return x
        words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64, device=x.device)
        # All 64 bits: from the least int64, with no upper bound.
        drawn = words.random_(torch.iinfo(torch.int64).min, None).view(torch.uint8)
        kept = drawn[: x.numel()].view(x.shape) >= self.threshold
        return x * (kept.to(x.dtype) * (LEVELS / (LEVELS - self.threshold)))
