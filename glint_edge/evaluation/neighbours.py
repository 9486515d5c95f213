"""How much a model's lists gain by the neighbours' expert: chosen on validation items."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from glint_edge.data.neighbour_counts import count_neighbours
from glint_edge.data.neighbours import DECAY, LAST, Neighbours
from glint_edge.data.sequences import HeldOut
from glint_edge.evaluation.metrics import mean, ndcg_by_user
from glint_edge.evaluation.paired import Difference
from glint_edge.evaluation.ranking import experts_of, leave_out_seen, part_of_users, scored
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
    ways = [replace(neighbours, last=last, decay=_decay(last)) for last in lasts]
    pairs = [(c, gamma) for c in C for gamma in GAMMA]
    own = _ranks(model, part_of_users(held_out, group), ways, pairs, protocol)
    ranks = group.gather(torch.from_numpy(own.reshape(-1))).numpy()
    columns = ranks.reshape(-1, 1 + len(ways) * len(pairs)).T
    alone, *each = (mean(ndcg_by_user(column, TOP), held_out.weights) for column in columns)
    ndcg = np.reshape(each, (len(ways), len(pairs)))
    best = int(ndcg.argmax())
    if ndcg.max() <= alone:
        return Choice(None, alone, alone)
    of_best = ndcg_by_user(columns[1 + best], TOP)
    for way, figures in enumerate(ndcg):
        pair = int(figures.argmax())
        lead = of_best - ndcg_by_user(columns[1 + way * len(pairs) + pair], TOP)
        if Difference.of(lead, held_out.weights).verdict == "level":
            break
    c, gamma = pairs[pair]
    return Choice(replace(ways[way], c=c, gamma=gamma), float(figures[pair]), alone)


def _decay(last: int) -> float:
    """By which the last of the items that count always counts as much; as a file keeps it."""
    return float(np.float32(DECAY ** (LAST / last)))


def _ranks(
    model: Scorer,
    held_out: HeldOut,
    ways: Sequence[Neighbours],
    pairs: Sequence[tuple[float, float]],
    protocol: str,
) -> npt.NDArray[np.uint8]:
    """The targets' ranks by the model alone, and each way with each c and γ, `TOP` + 1 at most.

    Returns:
        [U, 1 + ways · pairs].
    """
    ranks = np.zeros((len(held_out.targets), 1 + len(ways) * len(pairs)), dtype=np.uint8)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    training = model.training
    model.eval()
    with torch.inference_mode():
        for users, scores in scored(model, held_out, "sliding", device):
            targets = torch.from_numpy(held_out.targets[users])[:, None].to(device)
            if protocol == "unseen":
                leave_out_seen(scores, held_out, users)
            own = scores.gather(1, targets)
            scores.scatter_(1, targets, -math.inf)  # the others
            best = scores.topk(min(TOP, scores.shape[1]), dim=1).values
            above = [(best >= own).sum(dim=1)]
            for way in ways:
                row, item, expert = (
                    torch.from_numpy(values).to(device)
                    for values in experts_of(way, held_out, users)
                )
                mine, before = item == targets[row, 0], scores[row, item]
                for c, gamma in pairs:
                    gains = (c * torch.log1p(gamma * expert)).to(scores)
                    level = own[:, 0].index_add(0, row[mine], gains[mine])
                    above.append(_above(best, level, row, before, gains))
            most = torch.stack(above, dim=1).clamp(max=TOP).masked_fill(own == -math.inf, TOP)
            ranks[users] = 1 + most.cpu().numpy()
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
