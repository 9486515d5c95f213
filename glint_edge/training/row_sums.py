"""Weighted sums of a table's rows: a sparse matrix times the table, and its transpose as gradient.

torch's own gradient of `embedding_bag` takes several times as long.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RowSums(nn.Module):
    """A sparse matrix [n, m] that turns rows [m, d] into weighted sums of them [n, d].

    Args:
        numbers: int64 [z], the rows of each sum, one sum after another.
        offsets: int64 [n + 1], where each sum's rows start, and z.
        weights: float32 [z].
        rows: m.
    """

    def __init__(self, numbers: Tensor, offsets: Tensor, weights: Tensor, rows: int) -> None:
        super().__init__()
        order = numbers.argsort(stable=True)
        sums = torch.arange(len(offsets) - 1).repeat_interleave(offsets.diff())
        buffers = {
            "numbers": numbers, "offsets": offsets, "weights": weights,
            # The transpose: the sums of each row, one row after another.
            "sums": sums[order], "weights_of_rows": weights[order],
            "starts": F.pad(numbers.bincount(minlength=rows).cumsum(0), (1, 0)),
        }  # fmt: skip
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer, persistent=False)

    def forward(self, rows: Tensor) -> Tensor:
        """The sums: [m, d] → [n, d]."""
        sums: Tensor = _Product.apply(rows, self)  # type: ignore[no-untyped-call]  # torch's
        return sums


class _Product(torch.autograd.Function):
    """The matrix times rows; of the gradient, its transpose times that."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, of: RowSums) -> Tensor:  # noqa: ANN401  # torch's
        ctx.of = of
        return _sums(rows, of.numbers, of.offsets, of.weights)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401  # torch's
        of = ctx.of
        return _sums(grads[0], of.sums, of.starts, of.weights_of_rows), None


def _sums(rows: Tensor, numbers: Any, offsets: Any, weights: Any) -> Tensor:  # noqa: ANN401  # buffers
    return F.embedding_bag(
        numbers, rows, offsets, mode="sum", per_sample_weights=weights, include_last_offset=True
    )
