"""The stock program: a whole history in, the top-k out.

What one exports without this tool: the model as it is written, its batch form, which reads all of a
history at every tap.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from glint_edge.model.glint_ru import GlintRU


class BatchProgram(nn.Module):
    """`GlintRU.score` and top-k, for one history of at most N items."""

    def __init__(self, model: GlintRU, top_k: int) -> None:
        super().__init__()
        self.model, self.top_k = model, top_k

    def forward(self, items: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Items int64 [1, N], right padded, and their number int64 [1] → ids and scores [1, k]."""
        scores, ids = torch.topk(self.model.score(items, lengths), self.top_k)
        return ids, scores


def example(length: int) -> tuple[Tensor, Tensor]:
    """Inputs of a full history of N items."""
    return torch.ones(1, length, dtype=torch.int64), torch.tensor([length])
