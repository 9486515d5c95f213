"""Neighbours' rows in training: an item's vector is its own row and, in part, its neighbours'.

    vector of item i = own_i + SHARE · Σ_j w_ij own_j,    Σ_j w_ij = 1 over the nearest items j

One step of a graph convolution without weights of its own (Wu et al., "Simplifying Graph
Convolutional Networks", ICML 2019; He et al., "LightGCN", SIGIR 2020), over the items that stand
near one another in the training sequences. What a tap teaches of an item its neighbours learn, too,
which helps those with few taps the most. The whole catalogue's vectors are one table, made once a
step; in the end it is a plain one, and what runs on a device knows nothing of it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from glint_edge.config import TrainConfig
from glint_edge.data.neighbour_counts import count_neighbours
from glint_edge.data.neighbours import Neighbours
from glint_edge.data.sequences import Split
from glint_edge.data.sharded.shards import ShardedLog
from glint_edge.training.row_sums import RowSums
from glint_edge.training.start import MOST_ITEMS

SHARE = 0.5  # what the neighbours' mean counts


class NeighbourRows(nn.Module):
    """Own rows [V + 1, d] → vectors of items [V + 1, d]; a parametrization of the item table."""

    def __init__(self, neighbours: Neighbours) -> None:
        super().__init__()
        rows, sizes = len(neighbours.scales), np.diff(neighbours.starts)
        weights = neighbours.weights * np.repeat(SHARE * neighbours.scales, sizes)
        ids, starts = torch.from_numpy(neighbours.ids), torch.from_numpy(neighbours.starts)
        self.of_neighbours = RowSums(ids, starts, torch.from_numpy(weights), rows)

    def forward(self, own: Tensor) -> Tensor:
        """What lookup and scoring read: [V + 1, d] → [V + 1, d]."""
        vectors: Tensor = own + self.of_neighbours(own)
        return vectors

    @torch.no_grad()
    def shorten(self, table: nn.Embedding) -> None:
        """Scale own rows so that the vectors are spread as the rows were: [V + 1, d], in place."""
        table.weight *= table.weight.std() / self(table.weight).std()


def neighbour_rows(
    config: TrainConfig, data: Split | ShardedLog | None, items: int
) -> NeighbourRows | None:
    """The neighbours whose rows a training reads; None: it reads none.

    Args:
        config: how many of each item.
        data: the training sequences.
        items: catalogue size V; of more than `MOST_ITEMS` there are none.
    """
    if data is None or not config.neighbour_rows or items > MOST_ITEMS:
        return None
    return NeighbourRows(count_neighbours(data, config.neighbour_rows, repeats=0.0))
