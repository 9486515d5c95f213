"""Item features in training: an item's vector is its own row plus the mean of its fields' rows.

    vector of item i = own_i + mean over its (field, value) pairs f of row_f

The whole catalogue's vectors are one table, made once a step and read by lookup and scoring alike.
In training own rows are dropped at random, so that the fields alone can carry an item; in the end
all is folded into a plain table (kept.py), and what runs on a device knows nothing of it.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from glint_edge.checkpoints.vectors import FieldVectors
from glint_edge.config import TrainConfig
from glint_edge.data.features import Features
from glint_edge.model.glint_ru import GlintRU
from glint_edge.training.row_sums import RowSums

WITHOUT: dict[str, Any] = {"digest": "", "item_row_dropout": 0.0}  # as runs of before are


class FieldRows(nn.Module):
    """Own rows [V + 1, d] → vectors of items [V + 1, d]; a parametrization of the item table."""

    alone: Tensor  # which rows have no features: bool [V + 1, 1]

    def __init__(self, features: Features, own: Tensor, row_dropout: float) -> None:
        super().__init__()
        self.row_dropout = row_dropout
        offsets, numbers = torch.from_numpy(features.offsets), torch.from_numpy(features.numbers)
        counts = offsets.diff()
        self.register_buffer("alone", (counts == 0)[:, None], persistent=False)
        share = (1 / counts).repeat_interleave(counts)
        self.of_features = RowSums(numbers, offsets, share, len(features.pairs))
        items = torch.arange(len(counts)).repeat_interleave(counts)
        times = numbers.bincount(minlength=len(features.pairs))
        sums = torch.zeros(len(features.pairs), own.shape[1])
        sums.index_add_(0, numbers, own.detach()[items])
        self.rows = nn.Parameter(sums / times[:, None])  # the mean row of its items

    def forward(self, own: Tensor) -> Tensor:
        """What lookup and scoring read: [V + 1, d] → [V + 1, d]."""
        if self.training and self.row_dropout:
            kept = torch.rand(len(own), 1, device=own.device) >= self.row_dropout
            own = own * (kept | self.alone)
        return own + self.of_fields()

    def of_fields(self) -> Tensor:
        """The mean of each item's fields' rows, zeros where it has none: [V + 1, d]."""
        means: Tensor = self.of_features(self.rows)
        return means


def add_field_rows(table: nn.Embedding, features: Features, row_dropout: float) -> None:
    """Let a table's rows be own rows plus their fields'; what they come to stays as it is.

    Args:
        table: [V + 1, d], on the CPU.
        features: of the V items.
        row_dropout: share of the own rows that a step goes without.
    """
    fields = FieldRows(features, table.weight, row_dropout)
    with torch.no_grad():
        table.weight -= fields.of_fields()
    parametrize.register_parametrization(table, "weight", fields)


def field_vectors(model: GlintRU, features: Features | None) -> FieldVectors | None:
    """What the fields' rows came to; None: the model had none.

    Args:
        model: whose table has them still.
        features: with which they were added.
    """
    if features is None:
        return None
    fields = cast("FieldRows", model.embedding.parametrizations["weight"][0])  # type: ignore[index]  # torch's
    return FieldVectors(features.pairs, fields.rows.detach().cpu(), features.separator)


def of_features(features: Features | None, config: TrainConfig) -> dict[str, Any]:
    """What a resumed run must share."""
    if features is None:
        return WITHOUT
    return {"digest": features.digest, "item_row_dropout": config.item_row_dropout}
