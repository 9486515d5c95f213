"""The training losses: which item comes next, against the whole catalogue or a sample of it.

All take the hidden of every prefix and the item table, so any encoder with tied item embeddings can
be trained by them.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# Logits held at once. 1 MB of float32 stays in a core's cache, so that the passes over them (the
# exponential, the sum, the gradient) do not go to memory.
LOGITS = 1 << 18
# But never fewer rows: a product of a few reads all of the other side for little work. With 150,000
# items, one row at a time takes ten times as long as 64.
LEAST_ROWS = 64
# Products in a lower precision are so quick that they want more rows at a time.
LOW_LOGITS = 1 << 21
# A GPU has no use for a small block: it would wait for the next.
GPU_LOGITS = 1 << 26
# In place of no weight at all: a batch of which nothing counts has the loss 0.
LEAST_WEIGHT = 1e-30


def catalogue_cross_entropy(
    hidden: Tensor,
    table: Tensor,
    targets: Tensor,
    *,
    seen: Tensor | None = None,
    seen_margin: float = 0.0,
    precision: torch.dtype | None = None,
    weights: Tensor | None = None,
    shares: Tensor | None = None,
) -> Tensor:
    """Mean of −log softmax(hidden · tableᵀ) at the targets (eq. 13 and the paper's loss).

    A block of logits at a time: memory does not grow with positions × catalogue.

    Args:
        hidden: float32 [P, d].
        table: float32 [V, d].
        targets: int64 [P], rows of the table; with `shares` int64 [P, m], several of a position.
        seen: int64 [P, n], rows that each position's user already took, repeats allowed; a
            target is never one of them.
        seen_margin: added to the logits of `seen`, so that these have to be scored that much lower
            than the rest to cost as little.
        precision: of the three large products and of what is as wide as the catalogue; None is
            that of `hidden`. Sums are taken in float32.
        weights: float32 [P], how much each position counts; None: all count 1.
        shares: float32 [P, m], how much each of a position's targets counts in it, 1 in all.

    Returns:
        float32 [], differentiable in `hidden` and `table`.
    """
    if seen_margin == 0.0:
        seen = None
    loss: Tensor = _CatalogueCrossEntropy.apply(  # type: ignore[no-untyped-call]  # torch's
        hidden, table, targets[:, None] if shares is None else targets, seen, seen_margin,
        precision or hidden.dtype, weights, shares,
    )  # fmt: skip
    return loss


class _CatalogueCrossEntropy(torch.autograd.Function):
    """Takes the gradient while a block's logits are at hand, so that none is kept or made twice."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401  # torch's context
        hidden: Tensor,
        table: Tensor,
        targets: Tensor,
        seen: Tensor | None,
        seen_margin: float,
        precision: torch.dtype,
        weights: Tensor | None,
        shares: Tensor | None,
    ) -> Tensor:
        total = hidden.new_zeros(())
        counted = None if weights is None else weights[:, None]
        to_hidden, to_table = torch.empty_like(hidden), torch.zeros_like(table)
        low_hidden, low_table = hidden.to(precision), table.to(precision)
        size = _rows_at_once(hidden, len(table), lower=precision != hidden.dtype)
        # One for all blocks: fresh memory costs a page fault every 4 KB.
        room = low_hidden.new_empty(min(size, len(hidden)), len(table))
        for block in torch.arange(len(hidden), device=hidden.device).split(size):
            rows, wanted = low_hidden[block], targets[block]  # [b, d], [b, m]
            logits = torch.mm(rows, low_table.T, out=room[: len(block)])  # [b, V]
            if seen is not None:
                _raise_seen(logits, seen[block], wanted, seen_margin)
            largest = logits.amax(dim=1, keepdim=True)
            own = None if counted is None else counted[block]
            below = largest.to(hidden.dtype) - logits.gather(1, wanted)  # [b, m]
            total += _times(below if shares is None else below * shares[block], own).sum()
            share = logits.sub_(largest).exp_()
            sums = share.sum(dim=1, keepdim=True).to(hidden.dtype)
            total += _times(sums.log(), own).sum()
            # d loss / d logits = softmax − the targets' shares. What is as wide as the catalogue is
            # passed over as few times as can be: the sums divide, and the shares are taken off,
            # where it is d wide.
            to_hidden[block] = (share @ low_table).to(hidden.dtype).div_(sums)
            weighted = _times(hidden[block] / sums, own).to(precision)
            if precision == hidden.dtype:
                to_table.addmm_(share.T, weighted)
            else:
                to_table += share.T @ weighted
        for column, wanted in enumerate(targets.unbind(dim=1)):
            own = None if shares is None else shares[:, column, None]
            to_hidden -= _times(table[wanted], own)
            to_table.index_add_(0, wanted, _times(_times(hidden, own), counted), alpha=-1)
        to_hidden = _times(to_hidden, counted)
        count = _count(hidden, weights)
        ctx.save_for_backward(to_hidden.div_(count), to_table.div_(count))
        return total / count

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401  # torch's context
        to_hidden, to_table = ctx.saved_tensors
        return (grads[0] * to_hidden, grads[0] * to_table, *[None] * 6)


def _times(values: Tensor, weights: Tensor | None) -> Tensor:
    return values if weights is None else values * weights


def _count(hidden: Tensor, weights: Tensor | None) -> Tensor | int:
    """What a sum over positions is divided by: how many there are, or their weights' sum."""
    return len(hidden) if weights is None else weights.sum().clamp_min(LEAST_WEIGHT)


def _rows_at_once(hidden: Tensor, columns: int, *, lower: bool = False) -> int:
    """Positions whose logits against so many items are held together."""
    held = LOW_LOGITS if lower else LOGITS
    return max(LEAST_ROWS, (held if hidden.device.type == "cpu" else GPU_LOGITS) // columns)


def _raise_seen(logits: Tensor, seen: Tensor, wanted: Tensor, margin: float) -> None:
    """Add the margin once to each seen item's logit, and not to a target's; in place."""
    target = logits.gather(1, wanted)
    starts = torch.arange(len(logits), device=logits.device)[:, None] * logits.shape[1]
    # Written, not added, so that an item taken twice is raised once. By `put_`: `scatter_` copies
    # all of a bfloat16 block, twice.
    logits.put_(starts + seen, logits.gather(1, seen) + margin)
    logits.put_(starts + wanted, target)


def sampled_softmax(
    hidden: Tensor,
    table: Tensor,
    targets: Tensor,
    negatives: Tensor,
    log_expected: Tensor,
    *,
    seen_logits: Tensor | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """Cross-entropy against drawn items in place of the catalogue, with logQ correction.

    The softmax's denominator is estimated from the negatives by importance sampling: each counts by
    one over how often it was to be expected among them, so the estimate's mean is the true sum,
    whatever they are drawn from (Bengio & Senécal 2008). The target is no draw: it counts once, as
    in the true sum (Khrylchenko et al., "Correcting the LogQ Correction", RecSys 2025).

    Args:
        hidden: float32 [P, d].
        table: float32 [V, d].
        targets: int64 [P], rows of the table.
        negatives: int64 [M], rows drawn with replacement, shared by all positions. One that is a
            position's target is left out there.
        log_expected: float32 [M], log(M · the probability that a draw is this item).
        seen_logits: float32 [P, n], of more items that count beside the sample; −inf for none.
        weights: float32 [P], how much each position counts; None: all count 1.

    Returns:
        float32 [], differentiable in `hidden` and `table`.
    """
    # One lookup: the gradient of each is as large as the table.
    rows = F.embedding(torch.cat([targets, negatives]), table)
    of_targets, of_negatives = rows.split([len(targets), len(negatives)])
    own_logits = (hidden * of_targets).sum(dim=1, keepdim=True)  # [P, 1]
    if seen_logits is not None:
        own_logits = torch.cat([own_logits, seen_logits], dim=1)
    loss: Tensor = _DrawnCrossEntropy.apply(  # type: ignore[no-untyped-call]  # torch's
        hidden, of_negatives, own_logits, log_expected, negatives, targets, weights
    )
    return loss


class _DrawnCrossEntropy(torch.autograd.Function):
    """Mean of logsumexp(own_logits, hidden · rowsᵀ − log_expected) − own_logits₀, in blocks."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401  # torch's context
        hidden: Tensor,
        rows: Tensor,
        own_logits: Tensor,
        log_expected: Tensor,
        negatives: Tensor,
        targets: Tensor,
        weights: Tensor | None,
    ) -> Tensor:
        total = hidden.new_zeros(())
        to_hidden, to_rows = torch.empty_like(hidden), torch.zeros_like(rows)
        to_own_logits = torch.empty_like(own_logits)
        size = _rows_at_once(hidden, len(rows))
        for block in torch.arange(len(hidden), device=hidden.device).split(size):
            mine, known = hidden[block], own_logits[block]  # [b, d], [b, 1 + n]
            logits = torch.addmm(log_expected, mine, rows.T, beta=-1)  # [b, M]
            logits.masked_fill_(negatives == targets[block, None], -torch.inf)
            largest = torch.maximum(
                logits.amax(dim=1, keepdim=True), known.amax(dim=1, keepdim=True)
            )
            share, known_share = logits.sub_(largest).exp_(), (known - largest).exp_()
            sums = share.sum(dim=1, keepdim=True) + known_share.sum(dim=1, keepdim=True)
            own = None if weights is None else weights[block, None]
            total += _times(sums.log() + largest - known[:, :1], own).sum()
            share = _times(share.div_(sums), own)
            known_share.div_(sums)[:, 0] -= 1  # softmax − one at the target
            known_share = _times(known_share, own)
            to_own_logits[block] = known_share
            to_hidden[block] = share @ rows
            to_rows.addmm_(share.T, mine)
        count = _count(hidden, weights)
        ctx.save_for_backward(*(t.div_(count) for t in (to_hidden, to_rows, to_own_logits)))
        return total / count

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401  # torch's context
        return (*(grads[0] * held for held in ctx.saved_tensors), None, None, None, None)
