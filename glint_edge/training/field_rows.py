"""Item features in training: an item's vector is its own row plus the mean of its fields' rows.

    vector of item i = own_i + mean over its (field, value) pairs f of row_f

The whole catalogue's vectors are one table, made once a step and read by lookup and scoring alike.
In training own rows are dropped at random, so that the fields alone can carry an item; in the end
all is folded into a plain table (kept.py), and what runs on a device knows nothing of it.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from glint_edge.checkpoints.vectors import FieldVectors
from glint_edge.config import TrainConfig
from glint_edge.data.features import Features
from glint_edge.model.glint_ru import GlintRU

WITHOUT: dict[str, Any] = {"digest": "", "item_row_dropout": 0.0}  # as runs of before are


class FieldRows(nn.Module):
    """Own rows [V + 1, d] → vectors of items [V + 1, d]; a parametrization of the item table."""

    share: Tensor  # one over how many features each row has, 0 where it has none: [V + 1, 1]

    def __init__(self, features: Features, own: Tensor, row_dropout: float) -> None:
        super().__init__()
        self.row_dropout = row_dropout
        counts = torch.from_numpy(features.offsets).diff()
        numbers = torch.from_numpy(features.numbers)
        order = numbers.argsort(stable=True)
        times = numbers.bincount(minlength=len(features.pairs))
        buffers = {
            "share": (counts > 0)[:, None] / counts.clamp_min(1)[:, None],
            # The features of each row, and the rows of each feature, one after another.
            "numbers": numbers,
            "offsets": torch.from_numpy(features.offsets),
            "items": torch.arange(len(counts)).repeat_interleave(counts)[order],
            "starts": F.pad(times.cumsum(0), (1, 0)),
        }
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer, persistent=False)
        with torch.no_grad():  # the mean row of its items
            self.rows = nn.Parameter(self.sums_of_items(own.detach()) / times[:, None])

    def forward(self, own: Tensor) -> Tensor:
        """What lookup and scoring read: [V + 1, d] → [V + 1, d]."""
        if self.training and self.row_dropout:
            kept = torch.rand(len(own), 1, device=own.device) >= self.row_dropout
            own = own * (kept | (self.share == 0))
        return own + self.of_fields()

    def of_fields(self) -> Tensor:
        """The mean of each item's fields' rows, zeros where it has none: [V + 1, d]."""
        means: Tensor = _Means.apply(self.rows, self)  # type: ignore[no-untyped-call]  # torch's
        return means

    def sums_of_fields(self, rows: Tensor) -> Tensor:
        """Of each item, the sum of its features' rows: [F, d] → [V + 1, d]."""
        return _sums(rows, self.numbers, self.offsets)

    def sums_of_items(self, rows: Tensor) -> Tensor:
        """Of each feature, the sum of its items' rows: [V + 1, d] → [F, d]."""
        return _sums(rows, self.items, self.starts)


def _sums(rows: Tensor, numbers: Any, offsets: Any) -> Tensor:  # noqa: ANN401  # buffers
    return F.embedding_bag(numbers, rows, offsets, mode="sum", include_last_offset=True)


class _Means(torch.autograd.Function):
    """Means of rows by item, whose gradient is sums by feature: torch's own takes ten times it."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, fields: FieldRows) -> Tensor:  # noqa: ANN401  # torch's
        ctx.fields = fields
        return fields.sums_of_fields(rows).mul_(fields.share)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401  # torch's
        return ctx.fields.sums_of_items(grads[0] * ctx.fields.share), None


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
