"""What training lowers, made of its settings: the loss, and what keeps it from overfitting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from glint_edge.config import TrainConfig
from glint_edge.model.protocols import Encoder
from glint_edge.training.loss import catalogue_cross_entropy, sampled_softmax


class Objective(Protocol):
    """A loss to lower."""

    def __call__(
        self,
        model: Encoder,
        items: Tensor,
        lengths: Tensor,
        targets: Tensor,
        weights: Tensor | None = None,
        /,
    ) -> Tensor:
        """The mean of a prediction, weighted where there are weights: float32 [].

        Args:
            model: to be trained.
            items: int64 [B, N].
            lengths: int64 [B].
            targets: int64 [B, N], the item after each position; anything beyond a length.
            weights: float32 [B, N], how much each target counts.
        """


# A loss of hidden [P, d], table [V, d], target rows [P] or [P, m], with a margin the seen rows
# [P, n], weights [P], if targets have some, and of m targets their shares [P, m].
_Loss = Callable[[Tensor, Tensor, Tensor, Tensor | None, Tensor | None, Tensor | None], Tensor]

# Negatives are drawn by popularity to this power: between even (0), which seldom meets the items
# that outrank the target, and the log's own shares (1), which seldom meets the tail.
POPULARITY_POWER = 0.75

LATER = 4  # items after the next one that may be targets, too


def prefix_objective(config: TrainConfig, counts: npt.NDArray[np.int64]) -> Objective:
    """The mean loss of each prefix's next item.

    Args:
        config: which loss and which regularisation.
        counts: int64 [V + 1], how often each item is met in training.
    """
    loss = _loss(config, counts)
    low = config.precision == "bfloat16"

    def objective(
        model: Encoder,
        items: Tensor,
        lengths: Tensor,
        targets: Tensor,
        weights: Tensor | None = None,
    ) -> Tensor:
        inside = torch.arange(items.shape[1], device=items.device) < lengths[:, None]
        with torch.autocast(items.device.type, torch.bfloat16, enabled=low):
            hidden = model.prefixes(items, lengths)[inside].float()  # [P, d]
        # Row 0, padding, is no candidate.
        table, wanted, shares = model.embedding.weight[1:], targets[inside] - 1, None
        if config.later_items:
            wanted, shares = _with_later(targets - 1, inside, config.later_items)
        seen = _seen(items, inside) - 1 if config.seen_margin else None
        counted = None if weights is None else weights[inside]
        return loss(hidden, table, wanted, seen, counted, shares)

    return objective


def has_bfloat16(device: str) -> bool:
    """Whether products of matrices are faster in bfloat16 here than in float32.

    A CPU without instructions for it computes them six times slower (AVX2, one thread).
    """
    if device != "cpu":
        return True
    has = torch.cpu.get_capabilities()
    return any(has.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))


def _loss(config: TrainConfig, counts: npt.NDArray[np.int64]) -> _Loss:
    if config.loss == "sampled-softmax":
        share = torch.from_numpy(counts[1:].astype(np.float32)).clamp_min(1) ** POPULARITY_POWER
        share /= share.sum()
        log_expected = (share * config.negatives).log()

        def sampled(
            hidden: Tensor,
            table: Tensor,
            targets: Tensor,
            seen: Tensor | None,
            weights: Tensor | None,
            shares: Tensor | None,
        ) -> Tensor:
            if shares is not None:  # each target is a position of its own, of a share's weight
                m = shares.shape[1]
                hidden, targets = hidden.repeat_interleave(m, dim=0), targets.flatten()
                seen = None if seen is None else seen.repeat_interleave(m, dim=0)
                weights = (shares if weights is None else shares * weights[:, None]).flatten()
            drawn = torch.multinomial(share, config.negatives, replacement=True)
            drawn, expected = (t.to(table.device) for t in (drawn, log_expected[drawn]))
            raised = _seen_logits(hidden, table, targets, seen, config.seen_margin)
            return sampled_softmax(
                hidden, table, targets, drawn, expected, seen_logits=raised, weights=weights
            )

        return sampled
    return lambda hidden, table, targets, seen, weights, shares: catalogue_cross_entropy(
        hidden, table, targets, weights=weights, shares=shares,
        seen=seen, seen_margin=config.seen_margin, precision=getattr(torch, config.precision),
    )  # fmt: skip


def _seen_logits(
    hidden: Tensor, table: Tensor, targets: Tensor, seen: Tensor | None, margin: float
) -> Tensor | None:
    """Logits of the seen rows, raised by the margin; −inf for repeats and the target: [P, n]."""
    if seen is None:
        return None
    seen = seen.sort(dim=1).values
    left_out = seen == targets[:, None]
    left_out[:, 1:] |= seen[:, 1:] == seen[:, :-1]
    logits = torch.einsum("pd,pnd->pn", hidden, table[seen]) + margin
    return logits.masked_fill(left_out, -torch.inf)


def _with_later(targets: Tensor, inside: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Each position's next item and those after it in its window, as targets.

    Args:
        targets: int64 [B, N], the item after each position.
        inside: bool [B, N], which positions are predictions: the first ones of each row.
        share: what an item counts of the one before it.

    Returns:
        int64 [P, m] items, the next one in place of those that a window lacks, which count nothing;
        float32 [P, m] how much each counts, 1 in all.
    """
    rows, columns = inside.nonzero(as_tuple=True)
    further = torch.arange(1 + LATER, device=targets.device)
    at = columns[:, None] + further  # [P, m]
    exists = at < inside.sum(dim=1)[rows, None]
    items = targets[rows[:, None], torch.where(exists, at, columns[:, None])]
    shares = torch.where(exists, share**further, 0.0)
    return items, shares / shares.sum(dim=1, keepdim=True)


def _seen(items: Tensor, inside: Tensor) -> Tensor:
    """Each position's items up to and with its own, the first one filling up: [P, N]."""
    rows, columns = inside.nonzero(as_tuple=True)
    ahead = torch.arange(items.shape[1], device=items.device) > columns[:, None]
    of_user = items[rows]
    return torch.where(ahead, of_user[:, :1], of_user)
