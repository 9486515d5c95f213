"""Where held-out items rank, by a model or a baseline.

A tie counts against the target: r = 1 + the other items that score as much or more, so a model that
scores everything alike gets nothing. What that comes to: `glint_edge.evaluation.metrics`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from glint_edge.config import WINDOWS
from glint_edge.data.histories import padded
from glint_edge.data.neighbours import Neighbours
from glint_edge.data.sequences import HeldOut
from glint_edge.errors import ConfigError, DivergedError
from glint_edge.evaluation.metrics import RankingMetrics, metrics_of_ranks
from glint_edge.evaluation.negatives import draw_negatives
from glint_edge.evaluation.protocols import PROTOCOLS
from glint_edge.model.protocols import Scorer
from glint_edge.processes.distributed import Alone
from glint_edge.suggestions import one_of

CHUNK = 256  # users scored at once, at most
POSITIONS = 1 << 16  # items of their histories at once: of very long ones, fewer users'
SCORES = 1 << 25  # scores held at once: of a large catalogue, fewer users'
NEVER = 2**31 - 1  # the rank of a target that no list has


def evaluate(
    model: Scorer,
    held_out: HeldOut,
    *,
    k: int = 10,
    protocol: str = "full",
    popularity: npt.NDArray[np.int64] | None = None,
    seed: int = 0,
    group: Alone | None = None,
    neighbours: Neighbours | None = None,
) -> RankingMetrics:
    """Rank each user's target after the last `max_length` items before it: the average figures.

    Args and errors: those of `ranked`; `k` is the cut of every figure, and with a `group` of
    processes each ranks a part of the users.
    """
    group = group or Alone()
    mine = part_of_users(held_out, group)
    ranks = ranked(
        model, mine, protocol=protocol, popularity=popularity, seed=seed, neighbours=neighbours
    ).ranks
    return metrics_of_ranks(group.gather(torch.from_numpy(ranks)).numpy(), k, held_out.weights)


def part_of_users(held_out: HeldOut, group: Alone) -> HeldOut:
    """The users that one process ranks."""
    if group.size == 1:
        return held_out
    users = len(held_out.targets)
    first, end = (users * rank // group.size for rank in (group.rank, group.rank + 1))
    offsets = held_out.offsets[first : end + 1]
    ids = held_out.ids[offsets[0] : offsets[-1]]
    return HeldOut(ids, offsets - offsets[0], held_out.targets[first:end])


class Ranked(NamedTuple):
    """Where the targets rank, and what is recommended.

    Attributes:
        ranks: int64 [U], 1 is best; `NEVER`: what is ranked is without the target.
        lists: int64 [U, k], the best ids, best first; 0: fewer are left.
    """

    ranks: npt.NDArray[np.int64]
    lists: npt.NDArray[np.int64]


def ranked(
    model: Scorer,
    held_out: HeldOut,
    *,
    protocol: str = "full",
    popularity: npt.NDArray[np.int64] | None = None,
    seed: int = 0,
    window: str = "sliding",
    top: int = 0,
    neighbours: Neighbours | None = None,
) -> Ranked:
    """Rank each user's target after the items before it.

    Args:
        model: the float model or a baseline; put into evaluation mode for the time of the call.
        held_out: histories and targets.
        protocol: "full" ranks the whole catalogue (padding is never ranked). "unseen" leaves out
            what stands in the user's history, as lists of an app do: a target that stands there
            is a miss. So are the published figures of RecBoard and of S3-Rec's line of code.
            "sampled-pop100" ranks the target among 100 negatives drawn by popularity, as in the
            authors' tables (`mode: pop100` in their overall.yaml). Figures of different protocols
            cannot be compared.
        popularity: int64 [V + 1], interactions by item id; needed for "sampled-pop100".
        seed: of the drawn negatives.
        window: "sliding": the model sees the last `max_length` items of a history. "unbounded": all
            of them, as the stream does whose state is never built again.
        top: how many items of each list to keep; "unseen" leaves out all of the user's own items,
            the sampled protocol none.
        neighbours: the expert whose gains the scores have; None: the model alone.

    Raises:
        ConfigError: the protocol or the window is unknown, or a popularity is missing.
        DivergedError: a score is no number.
    """
    _refuse_unknown(protocol, window, popularity)
    ranks = np.zeros(len(held_out.targets), dtype=np.int64)
    lists = np.zeros((len(ranks), top), dtype=np.int64)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    targets = torch.from_numpy(held_out.targets).to(device)
    negatives = (
        draw_negatives(popularity, held_out.targets, seed).to(device)
        if protocol == "sampled-pop100" and popularity is not None and len(ranks)
        else None
    )
    training = model.training
    model.eval()
    with torch.inference_mode():
        for users, scores in scored(model, held_out, window, device):
            if neighbours is not None:
                add_gains(scores, neighbours, held_out, users)
            if protocol == "unseen":
                leave_out_seen(scores, held_out, users)
            target = scores.gather(1, targets[users, None])  # [b, 1]
            if top:
                best = scores.topk(min(top, scores.shape[1]))
                shown = best.indices.masked_fill(best.values == -math.inf, 0)
                lists[users, : shown.shape[1]] = shown.cpu().numpy()
            if negatives is None:
                rank = _rank(scores, target) - 1  # the target ties with itself
            else:
                rank = _rank(scores.gather(1, negatives[users]), target)
            ranks[users] = rank.masked_fill(target[:, 0] == -math.inf, NEVER).cpu().numpy()
    model.train(training)
    return Ranked(ranks, lists)


def _refuse_unknown(protocol: str, window: str, popularity: npt.NDArray[np.int64] | None) -> None:
    if window not in WINDOWS:
        raise ConfigError(f"window {window!r} is unknown; {one_of(window, WINDOWS)}")
    if protocol not in PROTOCOLS:
        raise ConfigError(f"protocol {protocol!r} is unknown; {one_of(protocol, PROTOCOLS)}")
    if protocol == "sampled-pop100" and popularity is None:
        raise ConfigError("the sampled protocol needs the items' popularity")


def scored(
    model: Scorer, held_out: HeldOut, window: str, device: torch.device
) -> Iterator[tuple[npt.NDArray[np.int64], Tensor]]:
    """Users, int64 [b], and the scores of all items after their histories, [b, V + 1]."""
    lengths = np.diff(held_out.offsets)
    order = np.arange(len(lengths))
    if window == "sliding":
        lengths = np.minimum(lengths, model.config.max_length)
    else:
        order = np.argsort(lengths, kind="stable")  # no short history is padded to the longest
    at, size = 0, 1  # one user, until it is known how many scores that is
    while at < len(order):
        users = order[at : at + size]
        users = users[: max(1, POSITIONS // int(lengths[users].max()))]
        items = padded(held_out.ids, held_out.offsets[users + 1], lengths[users])
        scores = model.score(
            torch.from_numpy(items).to(device), torch.from_numpy(lengths[users]).to(device)
        )
        # Padding alone is −inf. amax passes NaN on, and takes no memory of its own.
        if not scores.amax(dim=1).isfinite().all():
            raise DivergedError(
                "the model scores in no numbers (its weights are not finite, or too large)",
                "train it again",
            )
        yield users, scores
        at, size = at + len(users), min(CHUNK, max(1, SCORES // scores.shape[1]))


def add_gains(
    scores: Tensor, neighbours: Neighbours, held_out: HeldOut, users: npt.NDArray[np.int64]
) -> None:
    """Add what scores gain by an expert; in place, scores [b, V + 1] of users int64 [b]."""
    row, item, expert = experts_of(neighbours, held_out, users)
    gains = torch.from_numpy(neighbours.gain(expert)).to(scores)
    at = torch.from_numpy(row).to(scores.device), torch.from_numpy(item).to(scores.device)
    scores.index_put_(at, gains, accumulate=True)


def experts_of(
    neighbours: Neighbours, held_out: HeldOut, users: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The experts of users int64 [b] where they are not 0: rows of `users`, items, and e."""
    ends, starts = held_out.offsets[users + 1], held_out.offsets[users]
    return neighbours.experts(held_out.ids, ends, ends - starts)


def leave_out_seen(scores: Tensor, held_out: HeldOut, users: npt.NDArray[np.int64]) -> None:
    """Put the items of each user's history last; in place, scores [b, V + 1] of users int64 [b]."""
    firsts, ends = held_out.offsets[users], held_out.offsets[users + 1]
    rows = np.repeat(np.arange(len(users)), ends - firsts)
    seen = np.concatenate(
        [held_out.ids[first:end] for first, end in zip(firsts, ends, strict=True)]
    )
    scores[torch.from_numpy(rows), torch.from_numpy(seen)] = -math.inf


def _rank(others: Tensor, target: Tensor) -> Tensor:
    """1 + the others that score at least the target: [b, n] and [b, 1] → int64 [b]."""
    return (others >= target).sum(dim=1) + 1


def rank_in_top_k(
    items: npt.NDArray[np.int64], scores: npt.NDArray[np.float32], targets: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Ranks of targets in exported top-k lists, ties against the target.

    Args:
        items: int64 [U, k], best first.
        scores: float32 [U, k].
        targets: int64 [U].

    Returns:
        int64 [U]; k + 1 where the target is not in the list.
    """
    is_target = items == targets[:, None]
    target_score = np.where(is_target, scores, -math.inf).max(axis=1)
    # NaN compares false with everything; it must not rank first
    beaten = ~(scores < target_score[:, None])
    ranks: npt.NDArray[np.int64] = beaten.sum(axis=1, dtype=np.int64)
    return np.where(is_target.any(axis=1), ranks, items.shape[1] + 1)
