"""Counting the neighbours' expert: which items stand near which in the training sequences.

For places a < b of one sequence and g = b − a, up to a reach:

    C[x_a, x_b] += 1/g,    C[x_b, x_a] += 0.7/g

Of row i the k largest C[i, j] / √(f_i f_j) are kept, f the items' frequencies, and scaled to sum 1:
so f_i cancels. All counts are whole numbers, a multiple of the least common one, so that they do
not depend on the order in which sequences come.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from glint_edge.data.neighbours import Neighbours
from glint_edge.data.record import nobody_repeats

if TYPE_CHECKING:
    from glint_edge.data.sequences import Split
    from glint_edge.data.sharded.shards import ShardedLog

Ids = npt.NDArray[np.int64]
Sequences = tuple[npt.NDArray[np.integer], Ids]

REACH = 10
FORWARDS, BACKWARDS = 10, 7  # tenths
MOST = 1 << 23  # pairs held at once, in some 400 MB
POSITIONS = 1 << 20  # items of sequences looked at together
LARGEST = 255  # of a stored weight


def count_neighbours(data: Split | ShardedLog, k: int, repeats: float | None) -> Neighbours:
    """The k nearest items of each, by the training sequences; c and γ are 1 until they are chosen.

    Args:
        data: in memory, or in shards, of which one at a time is read.
        k: neighbours of an item, at least 1.
        repeats: share of the log's targets that repeat an item of their user's: where nobody does,
            an item is no neighbour of itself.
    """
    return count(data.training_parts, data.counts(), k, itself=not nobody_repeats(repeats))


def count(
    sequences: Callable[[], Iterable[Sequences]],
    frequencies: Ids,
    k: int,
    *,
    itself: bool,
    reach: int = REACH,
) -> Neighbours:
    """The same of sequences, which are gone through once for each band of items.

    A band is so many items that the pairs in which one of them comes first fit in memory.

    Args:
        sequences: gives the training sequences anew, some at a time: integers [T], one after
            another, and int64 [U + 1], where each starts, and T.
        frequencies: int64 [V + 1], how often each item stands in them.
        k: neighbours of an item, at least 1.
        itself: whether an item may be one of its own.
        reach: places between two items, at most; at least 1.
    """
    rows = len(frequencies)
    sizes, scales = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.float32)
    all_ids: list[Ids] = [np.empty(0, np.int64)]
    all_weights = [np.empty(0, np.uint8)]
    for first, end in _bands(2 * reach * frequencies):
        pairs = _Pairs(rows, reach)
        for ids, offsets in sequences():
            for some, of_user in _chunks(ids, offsets):
                pairs.add(some, of_user, first, end)
        item, near, times = pairs.sums()
        keep = (near > 0) & (itself | (item != near))
        item, near, times = item[keep], near[keep], times[keep]
        # Squared, so that equals are equal: what is whole has no rounding.
        weight = np.sqrt(times**2 / np.maximum(frequencies[near], 1))
        item, near, weight = _nearest(item, near, weight, k)
        weights, item_scales = _quantized(item, weight, rows)
        stays = weights > 0
        sizes += np.bincount(item[stays], minlength=rows)
        scales += item_scales
        all_ids.append(near[stays])
        all_weights.append(weights[stays])
    starts = np.concatenate([[0], sizes.cumsum()])
    near, weights = np.concatenate(all_ids), np.concatenate(all_weights)
    return Neighbours(starts, scales, weights, near, 1.0, 1.0)


def _bands(most: Ids) -> Iterator[tuple[int, int]]:
    """Items first … end − 1 that are few enough, by how many pairs begin with each at most."""
    upto = np.concatenate([[0], np.cumsum(most)])
    first = 1
    while first < len(most):
        end = int(np.searchsorted(upto, upto[first] + MOST, side="right")) - 1
        end = min(max(end, first + 1), len(most))
        yield first, end
        first = end


def _chunks(ids: npt.NDArray[np.integer], offsets: Ids) -> Iterator[tuple[Ids, Ids]]:
    """Sequences some at a time: their items, and whose each is; both int64 [n]."""
    user, users = 0, len(offsets) - 1
    while user < users:
        last = int(np.searchsorted(offsets, offsets[user] + POSITIONS, side="right")) - 1
        last = max(last, user + 1)
        some = ids[offsets[user] : offsets[last]].astype(np.int64)
        yield some, np.repeat(np.arange(user, last), np.diff(offsets[user : last + 1]))
        user = last


@dataclass
class _Pairs:
    """Counts of pairs, summed up whenever they become too many."""

    rows: int
    reach: int
    _keys: list[Ids] = field(default_factory=list)
    _counts: list[Ids] = field(default_factory=list)
    _held: int = 0

    def add(self, ids: Ids, of_user: Ids, first: int, end: int) -> None:
        """Count the pairs that begin with one of the items first … end − 1."""
        whole = math.lcm(*range(1, self.reach + 1))  # a tenth of 1, as a count
        for gap in range(1, min(self.reach, len(ids) - 1) + 1):
            same = of_user[:-gap] == of_user[gap:]
            before, after = ids[:-gap][same], ids[gap:][same]
            for item, other, share in ((before, after, FORWARDS), (after, before, BACKWARDS)):
                own = (item >= first) & (item < end)
                self._keys.append(item[own] * self.rows + other[own])
                times = share * whole // gap
                self._counts.append(np.full(len(self._keys[-1]), times, dtype=np.int64))
                self._held += len(self._keys[-1])
        if self._held > MOST:  # of one item that fills a band alone
            self._sum_up()

    def sums(self) -> tuple[Ids, Ids, npt.NDArray[np.float64]]:
        """Items, those near them, both ascending, and how often: int64 [n] twice, float64 [n]."""
        self._sum_up()
        keys, counts = self._keys[0], self._counts[0]
        return keys // self.rows, keys % self.rows, counts.astype(np.float64)

    def _sum_up(self) -> None:
        keys = np.concatenate([np.empty(0, np.int64), *self._keys])
        counts = np.concatenate([np.empty(0, np.int64), *self._counts])
        order = np.argsort(keys, kind="stable")
        keys, counts = keys[order], counts[order]
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        self._keys = [keys[starts]]
        self._counts = [np.add.reduceat(counts, starts) if len(starts) else counts]
        self._held = len(starts)


def _nearest(
    item: Ids, near: Ids, weight: npt.NDArray[np.float64], k: int
) -> tuple[Ids, Ids, npt.NDArray[np.float64]]:
    """The k heaviest of each item, by item and id; of equals the lower ids."""
    order = np.lexsort((near, -weight, item))
    item, near, weight = item[order], near[order], weight[order]
    place = np.arange(len(item)) - np.searchsorted(item, item)
    item, near, weight = item[place < k], near[place < k], weight[place < k]
    order = np.lexsort((near, item))
    return item[order], near[order], weight[order]


def _quantized(
    item: Ids, weight: npt.NDArray[np.float64], rows: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Weights as 0 … 255 by row, uint8 [n], and each row's scale, by which they sum to 1."""
    most = np.zeros(rows)
    np.maximum.at(most, item, weight)
    quantized = np.rint(weight / most[item] * LARGEST).astype(np.uint8)
    sums = np.bincount(item, quantized, rows)
    return quantized, np.where(sums, 1 / np.maximum(sums, 1), 0).astype(np.float32)
