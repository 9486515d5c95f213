"""How much a model's lists gain by the neighbours' expert: chosen on validation items."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from glint_edge.data.neighbour_counts import count_neighbours
from glint_edge.data.neighbours import Neighbours
from glint_edge.data.sequences import HeldOut
from glint_edge.evaluation.metrics import metrics_of_ranks
from glint_edge.evaluation.ranking import experts_of, leave_out_seen, part_of_users, scored
from glint_edge.model.protocols import Scorer
from glint_edge.processes.distributed import Alone

if TYPE_CHECKING:
    from glint_edge.data.sequences import Split
    from glint_edge.data.sharded.shards import ShardedLog

C = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
GAMMA = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
NONE = (0.0, 1.0)  # c and γ of the model alone

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """How much the scores gain.

    Attributes:
        c: 0: nothing.
        gamma: γ.
        ndcg: validation NDCG@10 with it.
        alone: the same of the model alone.
    """

    c: float
    gamma: float
    ndcg: float
    alone: float


def fitting_neighbours(
    model: Scorer,
    data: Split | ShardedLog,
    k: int,
    *,
    repeats: float | None,
    protocol: str,
    group: Alone | None = None,
) -> Neighbours | None:
    """The k nearest items of each, as much as helps a model; None, and it is logged: nothing does.

    Args:
        model: whose lists gain.
        data: training sequences and validation items.
        k: neighbours of an item, at least 1.
        repeats: as for `count_neighbours`.
        protocol: "full" or "unseen", as `glint_edge.evaluation.ranking.ranked` takes it.
        group: the processes that work together: rank 0 counts.
    """
    group = group or Alone()
    own = count_neighbours(data, k, repeats).to_bytes() if group.rank == 0 else b""
    counted = Neighbours.from_bytes(group.copy_of_first(own))
    choice = choose(model, data.validation(), counted, protocol=protocol, group=group)
    said = f"validation NDCG@10 {choice.alone:.4f} by the model alone"
    if not choice.c:
        if group.rank == 0:
            log.info("neighbours do not help (%s), so that none are kept", said)
        return None
    if group.rank == 0:
        log.info("%s, %.4f with %d neighbours of each item (c %g, γ %g)", said, choice.ndcg, k,
                 choice.c, choice.gamma)  # fmt: skip
    return replace(counted, c=choice.c, gamma=choice.gamma)


def choose(
    model: Scorer,
    held_out: HeldOut,
    neighbours: Neighbours,
    *,
    protocol: str = "full",
    group: Alone | None = None,
) -> Choice:
    """The c and γ of the best NDCG@10, in one pass over the users' scores; of equals the least c.

    Args:
        model: put into evaluation mode for the time of the call.
        held_out: validation items.
        neighbours: counted.
        protocol: "full" or "unseen".
        group: the processes that share the users.
    """
    group = group or Alone()
    pairs = [NONE, *((c, gamma) for c in C for gamma in GAMMA)]
    own = _ranks(model, part_of_users(held_out, group), neighbours, pairs, protocol)
    ranks = group.gather(torch.from_numpy(own.reshape(-1))).numpy().reshape(-1, len(pairs))
    ndcg = [metrics_of_ranks(column, 10, held_out.weights).ndcg for column in ranks.T]
    best = int(np.argmax(ndcg))  # the first of equals
    return Choice(*pairs[best], ndcg[best], ndcg[0])


def _ranks(
    model: Scorer,
    held_out: HeldOut,
    neighbours: Neighbours,
    pairs: list[tuple[float, float]],
    protocol: str,
) -> npt.NDArray[np.int64]:
    """The targets' ranks with each pair of c and γ: int64 [U, pairs]."""
    ranks = np.zeros((len(held_out.targets), len(pairs)), dtype=np.int64)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    training = model.training
    model.eval()
    with torch.inference_mode():
        for users, scores in scored(model, held_out, "sliding", device):
            targets = torch.from_numpy(held_out.targets[users])[:, None].to(device)
            own = scores.gather(1, targets)
            if protocol == "unseen":
                leave_out_seen(scores, held_out, users)
            scores.scatter_(1, targets, -math.inf)  # the others
            row, item, expert = (
                torch.from_numpy(values).to(device)
                for values in experts_of(neighbours, held_out, users)
            )
            for number, (c, gamma) in enumerate(pairs):
                gains = (c * torch.log1p(gamma * expert)).to(scores)
                ranks[users, number] = _with(scores, own, targets, row, item, gains).cpu().numpy()
    model.train(training)
    return ranks


def _with(
    scores: Tensor, own: Tensor, targets: Tensor, row: Tensor, item: Tensor, gains: Tensor
) -> Tensor:
    """The targets' ranks where some scores gain.

    Args:
        scores: [b, V + 1]; the target's own is −inf.
        own: the targets' [b, 1].
        targets: int64 [b, 1].
        row: int64 [n], whose score gains.
        item: int64 [n], of which item.
        gains: [n].

    Returns:
        int64 [b].
    """
    mine = item == targets[row, 0]
    level = own[:, 0].index_add(0, row[mine], gains[mine])
    before = scores[row, item]
    # Of most items nothing changes but the level that they are compared with.
    passes = (before + gains >= level[row]).long() - (before >= level[row]).long()
    return 1 + (scores >= level[:, None]).sum(dim=1).index_add(0, row, passes)
