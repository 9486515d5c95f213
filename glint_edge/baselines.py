"""What a model has to beat: popularity, and the neighbours of the last item.

Both score like a model, so that they are ranked under the very same metric, and know the training
interactions alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

REACH = 5  # positions within which two items of a sequence are neighbours


@dataclass(frozen=True)
class BaselineConfig:
    """What `glint_edge.evaluate` asks of a model: how many of the last items are seen."""

    max_length: int = 1


class Popularity(nn.Module):
    """The most frequent items, whoever asks."""

    counts: Tensor

    def __init__(self, counts: npt.NDArray[np.int64]) -> None:
        """`counts`: int64 [V + 1], training interactions by id."""
        super().__init__()
        self.config = BaselineConfig()
        scores = torch.from_numpy(counts.astype(np.float64))
        scores[0] = -math.inf
        self.register_buffer("counts", scores)

    def score(self, items: Tensor, lengths: Tensor) -> Tensor:
        """Scores of the catalogue: int64 [B, N], [B] → float64 [B, V + 1]."""
        return self.counts.repeat(len(items), 1)


class LastItemNeighbours(nn.Module):
    """The items that stood most often near the last item, then the most popular ones.

    Near is within `REACH` positions before or after it in a training sequence; an item is no
    neighbour of itself. Equally frequent neighbours are in order of popularity.
    """

    def __init__(
        self,
        ids: npt.NDArray[np.int64],
        offsets: npt.NDArray[np.int64],
        counts: npt.NDArray[np.int64],
    ) -> None:
        """Count neighbours.

        Args:
            ids: int64 [T], training sequences, one after another.
            offsets: int64 [U + 1], where each starts, and T.
            counts: int64 [V + 1], training interactions by id.
        """
        super().__init__()
        self.config = BaselineConfig()
        # Below one, so that it only orders equals and what is no neighbour.
        base = torch.from_numpy(counts / (counts.max(initial=0) + 1.0))
        base[0] = -math.inf
        self.base = base
        pairs, times = _neighbours(ids, offsets, len(counts))
        item = pairs // len(counts)
        self.neighbour = torch.from_numpy(pairs % len(counts))
        self.times = torch.from_numpy(times.astype(np.float64))
        self.starts = torch.from_numpy(np.searchsorted(item, np.arange(len(counts) + 1)))

    def score(self, items: Tensor, lengths: Tensor) -> Tensor:
        """Scores of the catalogue: int64 [B, N], [B] → float64 [B, V + 1]."""
        last = items[torch.arange(len(items)), lengths - 1]
        first, end = self.starts[last], self.starts[last + 1]
        found = end - first
        row = torch.repeat_interleave(torch.arange(len(items)), found)
        before = torch.repeat_interleave(found.cumsum(0) - found, found)
        at = torch.repeat_interleave(first, found) + torch.arange(len(row)) - before
        scores = self.base.repeat(len(items), 1)
        scores[row, self.neighbour[at]] += self.times[at]
        return scores


def _neighbours(
    ids: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64], rows: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Each pair as item · rows + neighbour, ascending, and how often it occurs."""
    user = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    pairs, times = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for distance in range(1, REACH + 1):
        left, right = ids[:-distance], ids[distance:]
        near = (user[:-distance] == user[distance:]) & (left != right)
        a, b = left[near], right[near]
        # Counted a distance at a time: what is held is the distinct pairs.
        more, count = np.unique(np.concatenate([a * rows + b, b * rows + a]), return_counts=True)
        whole = np.concatenate([pairs, more])
        pairs, place = np.unique(whole, return_inverse=True)
        times = np.bincount(place, np.concatenate([times, count])).astype(np.int64)
    known = (pairs // rows > 0) & (pairs % rows > 0)
    return pairs[known], times[known]
