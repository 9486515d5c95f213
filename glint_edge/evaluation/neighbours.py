"""How much a model's lists gain by the neighbours' expert: chosen on validation items."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from glint_edge.data.neighbour_counts import count_neighbours
from glint_edge.data.neighbours import DECAY, LAST, Neighbours
from glint_edge.data.sequences import HeldOut
from glint_edge.evaluation.metrics import mean, ndcg_by_user
from glint_edge.evaluation.ranking import experts_of, leave_out_seen, part_of_users, scored
from glint_edge.evaluation.slices import half_width
from glint_edge.model.protocols import Scorer
from glint_edge.processes.distributed import Alone

if TYPE_CHECKING:
    from glint_edge.data.sequences import Split
    from glint_edge.data.sharded.shards import ShardedLog

C = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
GAMMA = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
LASTS = (8, 16, 32, 64)  # items of a history that count
TOP = 10  # of a list, by which a choice is judged

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """How much the scores gain, and by how much of a history.

    Attributes:
        neighbours: what the choice is of, with the c, γ, last and decay that were chosen; None:
            nothing helps.
        ndcg: validation NDCG@10 with it.
        alone: the same of the model alone.
    """

    neighbours: Neighbours | None
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
    chosen = choice.neighbours
    if group.rank != 0:
        return chosen
    if chosen is None:
        log.info("neighbours do not help (%s), so that none are kept", said)
    else:
        log.info("%s, %.4f with %d neighbours of each of the last %d items (c %g, γ %g)", said,
                 choice.ndcg, k, chosen.last, chosen.c, chosen.gamma)  # fmt: skip
    return chosen


def choose(
    model: Scorer,
    held_out: HeldOut,
    neighbours: Neighbours,
    *,
    protocol: str = "full",
    group: Alone | None = None,
    lasts: Sequence[int] = LASTS,
) -> Choice:
    """What gives the best NDCG@10, in one pass over the users' scores; of equals the first.

    More items of a history cost more at each tap, so of numbers of items that are level, as
    `Difference.verdict` has it, the fewest count.

    Args:
        model: put into evaluation mode for the time of the call.
        held_out: validation items.
        neighbours: counted.
        protocol: "full" or "unseen".
        group: the processes that share the users.
        lasts: how many items of a history may count, ascending.
    """
    group = group or Alone()
    ways = [
        replace(neighbours, c=c, gamma=gamma, last=last, decay=_decay(last))
        for last in lasts for c in C for gamma in GAMMA
    ]  # fmt: skip
    own = _ranks(model, part_of_users(held_out, group), ways, protocol)
    ranks = group.gather(torch.from_numpy(own.reshape(-1))).numpy().reshape(-1, 1 + len(ways))
    alone, *ndcg = (mean(ndcg_by_user(column, TOP), held_out.weights) for column in ranks.T)
    best = int(np.argmax(ndcg))
    if ndcg[best] <= alone:
        return Choice(None, alone, alone)
    per_last = len(C) * len(GAMMA)
    for first in range(0, len(ways), per_last):
        own_best = first + int(np.argmax(ndcg[first : first + per_last]))
        lead = ndcg_by_user(ranks[:, 1 + best], TOP) - ndcg_by_user(ranks[:, 1 + own_best], TOP)
        if ndcg[best] - ndcg[own_best] <= half_width(lead, held_out.weights):
            break
    return Choice(ways[own_best], ndcg[own_best], alone)


def _decay(last: int) -> float:
    """By which the last of the items that count always counts as much; as a file keeps it."""
    return float(np.float32(DECAY ** (LAST / last)))


def _ranks(
    model: Scorer, held_out: HeldOut, ways: Sequence[Neighbours], protocol: str
) -> npt.NDArray[np.uint8]:
    """The targets' ranks by the model alone, and by each way, `TOP` + 1 at most: [U, 1 + ways]."""
    ranks = np.zeros((len(held_out.targets), 1 + len(ways)), dtype=np.uint8)
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
            best = scores.topk(min(TOP, scores.shape[1]), dim=1).values
            above = [(best >= own).sum(dim=1)]
            for _, of_one_last in groupby(ways, lambda way: way.last):
                alike = list(of_one_last)
                row, item, expert = (
                    torch.from_numpy(values).to(device)
                    for values in experts_of(alike[0], held_out, users)
                )
                mine, before = item == targets[row, 0], scores[row, item]
                for way in alike:
                    gains = (way.c * torch.log1p(way.gamma * expert)).to(scores)
                    level = own[:, 0].index_add(0, row[mine], gains[mine])
                    above.append(_above(best, level, row, before, gains))
            ranks[users] = 1 + torch.stack(above, dim=1).clamp(max=TOP).cpu().numpy()
    model.train(training)
    return ranks


def _above(best: Tensor, level: Tensor, row: Tensor, before: Tensor, gains: Tensor) -> Tensor:
    """How many others score at least a level where some scores gain; exact below `TOP`.

    No score falls, so that of the best `TOP` those above stay there. Of most items nothing changes
    but the level that they are compared with.

    Args:
        best: [b, TOP], the best scores of others before.
        level: [b].
        row: int64 [n], whose score gains.
        before: [n], that score.
        gains: [n], at least 0.

    Returns:
        int64 [b].
    """
    at = level[row]
    passes = (before + gains >= at).long() - (before >= at).long()
    return (best >= level[:, None]).sum(dim=1).index_add(0, row, passes)
