"""Neighbours' rows in training: an item's vector is its own row and, in part, its neighbours'.

    vector of item i = own_i + SHARE · Σ_j w_ij own_j,    Σ_j w_ij = 1 over the nearest items j

One step of a graph convolution without weights of its own (Wu et al., "Simplifying Graph
Convolutional Networks", ICML 2019; He et al., "LightGCN", SIGIR 2020), over the items that stand
near one another in the training sequences. What a tap teaches of an item its neighbours learn, too,
which helps those with few taps the most. The whole catalogue's vectors are one table, made once a
step; in the end it is a plain one, and what runs on a device knows nothing of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glint_edge.config import TrainConfig
from glint_edge.data.neighbour_counts import count_neighbours
from glint_edge.data.neighbours import Neighbours
from glint_edge.data.sequences import Split
from glint_edge.data.sharded.shards import ShardedLog
from glint_edge.training.start import MOST_ITEMS

SHARE = 0.5  # what the neighbours' mean counts


class NeighbourRows(nn.Module):
    """Own rows [V + 1, d] → vectors of items [V + 1, d]; a parametrization of the item table."""

    def __init__(self, neighbours: Neighbours) -> None:
        super().__init__()
        rows, sizes = len(neighbours.scales), np.diff(neighbours.starts)
        item = np.repeat(np.arange(rows), sizes)
        weight = neighbours.weights * np.repeat(SHARE * neighbours.scales, sizes)
        order = np.argsort(neighbours.ids, kind="stable")
        times = np.bincount(neighbours.ids, minlength=rows)
        buffers = {
            # The neighbours of each item, and the items that each is a neighbour of.
            "near": neighbours.ids, "starts": neighbours.starts, "weight": weight,
            "items": item[order], "item_starts": np.concatenate([[0], times.cumsum()]),
            "item_weight": weight[order],
        }  # fmt: skip
        for name, buffer in buffers.items():
            self.register_buffer(name, torch.from_numpy(buffer), persistent=False)

    def forward(self, own: Tensor) -> Tensor:
        """What lookup and scoring read: [V + 1, d] → [V + 1, d]."""
        means: Tensor = _Means.apply(own, self)  # type: ignore[no-untyped-call]  # torch's
        return own + means

    def of_neighbours(self, rows: Tensor) -> Tensor:
        """What each item takes in of its neighbours' rows: [V + 1, d] → [V + 1, d]."""
        return _sums(rows, self.near, self.starts, self.weight)

    def of_items(self, rows: Tensor) -> Tensor:
        """The transpose: what each item's row is to all that it is a neighbour of."""
        return _sums(rows, self.items, self.item_starts, self.item_weight)

    @torch.no_grad()
    def shorten(self, table: nn.Embedding) -> None:
        """Scale own rows so that the vectors are spread as the rows were: [V + 1, d], in place."""
        table.weight *= table.weight.std() / self(table.weight).std()


def _sums(rows: Tensor, numbers: Any, offsets: Any, weights: Any) -> Tensor:  # noqa: ANN401  # buffers
    return F.embedding_bag(
        numbers, rows, offsets, mode="sum", per_sample_weights=weights, include_last_offset=True
    )


class _Means(torch.autograd.Function):
    """Weighted means of rows, whose gradient is weighted sums: torch's own takes longer."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, neighbours: NeighbourRows) -> Tensor:  # noqa: ANN401  # torch's
        ctx.neighbours = neighbours
        return neighbours.of_neighbours(own)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401  # torch's
        return ctx.neighbours.of_items(grads[0]), None


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
