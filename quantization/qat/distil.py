"""How far one model's predictions are from another's: what quantization-aware training lowers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from glint_edge.training.loss import LOGITS


def catalogue_divergence(hidden: Tensor, table: Tensor, wanted: tuple[Tensor, Tensor]) -> Tensor:
    """Mean Kullback-Leibler divergence from the wanted next-item distribution, over the catalogue.

    A block of logits at a time, as the training loss.

    Args:
        hidden: float32 [P, d].
        table: float32 [V, d]; scores are hidden · tableᵀ, and their softmax the distribution.
        wanted: the hidden [P, d] and table [V, d] of the model to be like; no gradient.

    Returns:
        float32 [], in nats, differentiable in `hidden` and `table`.
    """
    divergence: Tensor = _CatalogueDivergence.apply(hidden, table, *wanted)  # type: ignore[no-untyped-call]  # torch's
    return divergence


class _CatalogueDivergence(torch.autograd.Function):
    """Takes the gradient while a block's logits are at hand, so that none is kept or made twice."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, table: Tensor, wanted: Tensor, rows: Tensor) -> Tensor:  # noqa: ANN401  # torch's context
        total = hidden.new_zeros(())
        to_hidden, to_table = torch.empty_like(hidden), torch.zeros_like(table)
        size = max(1, LOGITS // len(table))
        for block in torch.arange(len(hidden), device=hidden.device).split(size):
            own = torch.log_softmax(hidden[block] @ table.T, dim=1)  # [b, V]
            right = torch.log_softmax(wanted[block] @ rows.T, dim=1)
            share = right.exp()
            total += (share * (right - own)).sum()
            difference = own.exp_().sub_(share)  # d divergence / d logits
            to_hidden[block] = difference @ table
            to_table.addmm_(difference.T, hidden[block])
        ctx.save_for_backward(to_hidden.div_(len(hidden)), to_table.div_(len(hidden)))
        return total / len(hidden)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:  # noqa: ANN401  # torch's context
        to_hidden, to_table = ctx.saved_tensors
        return grads[0] * to_hidden, grads[0] * to_table, None, None
