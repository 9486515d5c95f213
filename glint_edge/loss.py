"""The training loss: cross-entropy over the whole catalogue, a block of logits at a time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

# Logits held at once. 1 MB of float32 stays in a core's cache, so that the passes over them (the
# exponential, the sum, the gradient) do not go to memory.
LOGITS = 1 << 18


def catalogue_cross_entropy(hidden: Tensor, table: Tensor, targets: Tensor) -> Tensor:
    """Mean of −log softmax(hidden · tableᵀ) at the targets (eq. 13 and the paper's loss).

    Args:
        hidden: float32 [P, d].
        table: float32 [V, d].
        targets: int64 [P], rows of the table.

    Returns:
        float32 [], differentiable in `hidden` and `table`.
    """
    loss: Tensor = _CatalogueCrossEntropy.apply(hidden, table, targets)  # type: ignore[no-untyped-call]  # torch's
    return loss


class _CatalogueCrossEntropy(torch.autograd.Function):
    """Takes the gradient while a block's logits are at hand, so that none is kept or made twice."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, table: Tensor, targets: Tensor) -> Tensor:  # noqa: ANN401  # torch's context
        total = hidden.new_zeros(())
        to_hidden, to_table = torch.empty_like(hidden), torch.zeros_like(table)
        size = max(1, LOGITS // len(table))
        for block in torch.arange(len(hidden), device=hidden.device).split(size):
            rows, wanted = hidden[block], targets[block, None]  # [b, d], [b, 1]
            logits = rows @ table.T  # [b, V]
            largest = logits.amax(dim=1, keepdim=True)
            total += (largest - logits.gather(1, wanted)).sum()
            share = logits.sub_(largest).exp_()
            sums = share.sum(dim=1, keepdim=True)
            total += sums.log().sum()
            # d loss / d logits = softmax − one at the target
            share.div_(sums).scatter_add_(1, wanted, torch.full_like(sums, -1.0))
            to_hidden[block] = share @ table
            to_table.addmm_(share.T, rows)
        ctx.save_for_backward(to_hidden.div_(len(hidden)), to_table.div_(len(hidden)))
        return total / len(hidden)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:  # noqa: ANN401  # torch's context
        to_hidden, to_table = ctx.saved_tensors
        return grads[0] * to_hidden, grads[0] * to_table, None
