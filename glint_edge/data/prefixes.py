"""Many prefixes of many users' histories: what rounding costs is judged on these.

What an artifact loses to the float model is no question of generalisation, so training and
validation items tell it as well as test items, which are left for the last word on a model.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from glint_edge.data.sequences import HeldOut

Ids = npt.NDArray[np.int64]

POSITIONS = 20_000  # a loss of 1 % of NDCG@10 is then known to some 0.3 %: docs/bench.md


def prefixes(validation: HeldOut, longest: int, count: int = POSITIONS) -> HeldOut:
    """Evenly spread prefixes of each user's last items, the validation item the last target.

    Args:
        validation: each user's training items, and the validation item that follows them.
        longest: most items of a prefix: N, so that every window sees all of it.
        count: about how many in all; fewer where there are fewer, one a user where there are more
            users, who are then evenly spread.
    """
    every = len(validation.targets)
    users = np.unique(np.linspace(0, every - 1, min(count, every)).astype(np.int64))
    most = np.minimum(np.diff(validation.offsets), longest)[users]  # prefixes that each user has
    each = np.minimum(most, _share(most, count))
    user, full = np.repeat(users, each), np.repeat(most, each)
    lengths = _counted(each) * full // np.repeat(each, each)
    starts = validation.offsets[1:][user] - full
    offsets = np.concatenate([[0], lengths.cumsum()])
    ids = validation.ids[np.repeat(starts, lengths) + _counted(lengths) - 1]
    last = lengths == full
    targets = np.empty_like(lengths)
    targets[last] = validation.targets[user[last]]
    targets[~last] = validation.ids[(starts + lengths)[~last]]
    return HeldOut(ids, offsets, targets, user)


def _share(most: Ids, count: int) -> int:
    """How many prefixes a user gives at most, so that all of them together give `count`."""
    low, high = 1, int(most.max(initial=1))
    while low < high:
        middle = (low + high) // 2
        if np.minimum(most, middle).sum() >= count:
            high = middle
        else:
            low = middle + 1
    return low


def _counted(counts: Ids) -> Ids:
    """1 to each count, one after the other."""
    firsts = np.cumsum(counts) - counts
    return np.arange(counts.sum()) - np.repeat(firsts, counts) + 1
