"""What a model has to beat: popularity, and the neighbours of the last item.

Both score like a model, so that they are ranked under the very same metric, and know the training
interactions alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

REACH = 5  # positions within which two items of a sequence are neighbours
REMEMBERED = 256  # items whose neighbours are kept: frequent ones are asked for again and again


@dataclass(frozen=True)
class BaselineConfig:
    """What `glint_edge.evaluation.ranking` asks of a model: how many of the last items are seen."""

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

    Neighbours are counted when an item is asked for: a table of all pairs takes gigabytes where
    20 million interactions are 0.3.
    """

    def __init__(
        self,
        ids: npt.NDArray[np.integer],
        offsets: npt.NDArray[np.int64],
        counts: npt.NDArray[np.int64],
    ) -> None:
        """Sort the interactions by item.

        Args:
            ids: integers [T], training sequences, one after another.
            offsets: int64 [U + 1], where each starts, and T.
            counts: int64 [V + 1], training interactions by id.
        """
        super().__init__()
        self.config = BaselineConfig()
        # Below one, so that it only orders equals and what is no neighbour.
        base = torch.from_numpy(counts / (counts.max(initial=0) + 1.0))
        base[0] = -math.inf
        self.base = base
        self._ids, self._offsets = ids, offsets
        self._places = np.argsort(ids, kind="stable")
        self._starts = np.concatenate([[0], np.bincount(ids, minlength=len(counts)).cumsum()])
        self._of = lru_cache(REMEMBERED)(self._count)

    def score(self, items: Tensor, lengths: Tensor) -> Tensor:
        """Scores of the catalogue: int64 [B, N], [B] → float64 [B, V + 1]."""
        last = items[torch.arange(len(items)), lengths - 1]
        scores = self.base.repeat(len(items), 1)
        for row, item in zip(scores.numpy(), last.tolist(), strict=True):
            near, times = self._of(item)
            row[near] += times
        return scores

    def _count(self, item: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The items near an item, each once, and how often."""
        at = self._places[self._starts[item] : self._starts[item + 1]]
        user = np.searchsorted(self._offsets, at, side="right") - 1
        first, end = self._offsets[user], self._offsets[user + 1]
        neighbours = [
            self._ids[near[(near >= first) & (near < end)]]
            for distance in range(1, REACH + 1)
            for near in (at - distance, at + distance)
        ]
        near, times = np.unique(np.concatenate(neighbours), return_counts=True)
        known = (near != item) & (near > 0)
        return near[known].astype(np.int64), times[known]
