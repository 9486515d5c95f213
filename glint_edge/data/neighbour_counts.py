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
from itertools import pairwise
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
MOST = 1 << 22  # pairs held at once, in some 200 MB
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
    for first, end in _bands(2 * reach * frequencies, _most_items(rows, reach)):
        pairs = _Pairs(rows, reach, first, end)
        for ids, offsets in sequences():
            pairs.add(ids, offsets)
        item, near, times = pairs.sums()
        keep = (near > 0) & (itself | (item != near))
        item, near, times = item[keep], near[keep], times[keep]
        # Squared, so that equals are equal: what is whole has no rounding.
        weight = np.sqrt(times**2 / np.maximum(frequencies[near], 1))
        keep = _nearest(item, weight, k)
        item, near, weight = item[keep], near[keep], weight[keep]
        weights, item_scales = _quantized(item, weight, rows)
        stays = weights > 0
        sizes += np.bincount(item[stays], minlength=rows)
        scales += item_scales
        all_ids.append(near[stays])
        all_weights.append(weights[stays])
    starts = np.concatenate([[0], sizes.cumsum()])
    near, weights = np.concatenate(all_ids), np.concatenate(all_weights)
    return Neighbours(starts, scales, weights, near, 1.0, 1.0)


def _bands(pairs: Ids, items: int) -> Iterator[tuple[int, int]]:
    """Items first … end − 1 that are few enough, by how many pairs begin with each at most."""
    upto = np.concatenate([[0], np.cumsum(pairs)])
    first = 1
    while first < len(pairs):
        end = int(np.searchsorted(upto, upto[first] + MOST, side="right")) - 1
        end = min(max(end, first + 1), first + items, len(pairs))
        yield first, end
        first = end


def _bits(reach: int) -> tuple[int, int]:
    """A tenth of 1 as a count that all gaps divide, and the bits of the largest count."""
    whole = math.lcm(*range(1, reach + 1))
    return whole, (max(FORWARDS, BACKWARDS) * whole).bit_length()


def _most_items(rows: int, reach: int) -> int:
    """Items of which every pair and its count fit in 63 bits."""
    return max(1, (1 << 63 - _bits(reach)[1]) // rows - 1)


@dataclass
class _Pairs:
    """Counts of the pairs that begin with one of the items first … end − 1.

    A pair and its count are one number, so that they are sorted together; pairs that become too
    many meanwhile, which a single frequent item's may, are summed up.
    """

    rows: int
    reach: int
    first: int
    end: int
    _pairs: list[Ids] = field(default_factory=list)
    _summed: list[tuple[Ids, Ids]] = field(default_factory=list)
    _held: int = 0

    def add(self, ids: npt.NDArray[np.integer], offsets: Ids) -> None:
        """Count the pairs of sequences: integers [T], and int64 [U + 1]."""
        whole, bits = _bits(self.reach)
        at = np.flatnonzero((ids >= self.first) & (ids < self.end))
        user = np.searchsorted(offsets, at, side="right") - 1
        begin, end = offsets[user], offsets[user + 1]
        own = (ids[at].astype(np.int64) - self.first) * self.rows
        for gap in range(1, self.reach + 1):
            for share, there, near in (
                (FORWARDS, at + gap < end, gap), (BACKWARDS, at - gap >= begin, -gap)
            ):  # fmt: skip
                pair = own[there] + ids[at[there] + near]
                self._pairs.append(pair << bits | (share * whole // gap))
                self._held += len(pair)
            if self._held > MOST:
                self._sum_up()

    def sums(self) -> tuple[Ids, Ids, npt.NDArray[np.float64]]:
        """Items, those near them, both ascending, and how often: int64 [n] twice, float64 [n]."""
        self._sum_up()
        pairs, counts = map(np.concatenate, zip(*self._summed, strict=True))
        if len(self._summed) > 1:
            order = np.argsort(pairs, kind="stable")
            pairs, counts = _by_pair(pairs[order], counts[order])
        return pairs // self.rows + self.first, pairs % self.rows, counts.astype(np.float64)

    def _sum_up(self) -> None:
        held = np.concatenate([np.empty(0, np.int64), *self._pairs])
        held.sort()
        bits = _bits(self.reach)[1]
        self._summed.append(_by_pair(held >> bits, held & (1 << bits) - 1))
        self._pairs, self._held = [], 0


def _by_pair(pairs: Ids, counts: Ids) -> tuple[Ids, Ids]:
    """Of ascending pairs int64 [n] each once, and the sum of its counts."""
    starts = np.flatnonzero(np.diff(pairs, prepend=-1))
    return pairs[starts], np.add.reduceat(counts, starts) if len(starts) else counts


def _nearest(item: Ids, weight: npt.NDArray[np.float64], k: int) -> npt.NDArray[np.bool_]:
    """Which are the k heaviest of their item, [n]; items ascend, and of equals the first count."""
    starts = np.flatnonzero(np.diff(item, prepend=-1))
    keep = np.ones(len(item), dtype=bool)
    for first, end in pairwise([*starts.tolist(), len(item)]):
        if end - first <= k:
            continue
        own = weight[first:end]
        heavy = np.flatnonzero(own >= np.partition(own, -k)[-k])
        keep[first:end] = False
        keep[first + heavy[np.argsort(-own[heavy], kind="stable")[:k]]] = True
    return keep


def _quantized(
    item: Ids, weight: npt.NDArray[np.float64], rows: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Weights as 0 … 255 by row, uint8 [n], and each row's scale, by which they sum to 1."""
    most = np.zeros(rows)
    np.maximum.at(most, item, weight)
    quantized = np.rint(weight / most[item] * LARGEST).astype(np.uint8)
    sums = np.bincount(item, quantized, rows)
    return quantized, np.where(sums, 1 / np.maximum(sums, 1), 0).astype(np.float32)
