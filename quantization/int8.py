"""The int8 scheme: what an integer means, and the modules that compute with it.

Weights: int8 [out, in], symmetric, one float32 scale per output row: w ≈ scale[o] · q[o, i],
|q| ≤ 127. Activations: int8, asymmetric, quantized while running, one scale and zero point per
row of the input. A matrix product is then a sum of int8 · int8 in int32, scaled back to float32;
biases are float32. The embedding table: int8 rows [V, d], one scale per row.

The modules here compute that in plain torch. They are the reference that every target's kernels
are compared with, and the carriers of the integers that every converter lowers.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from quantization.finite import require_finite

WEIGHT_MAX = 127  # −128 is left out, so that a row and its negative quantize alike
ACTIVATION_MIN, ACTIVATION_MAX = -128, 127


def quantize_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round each row to int8.

    Args:
        weight: float32 [rows, columns].

    Returns:
        q int8 [rows, columns] and scale float32 [rows] with weight ≈ scale[:, None] · q; a row of
        zeros has scale 1.

    Raises:
        ConfigError: a weight is infinite or not a number.
    """
    scale = row_scales(weight)
    q = torch.round(weight / scale[:, None]).clamp(-WEIGHT_MAX, WEIGHT_MAX)
    return q.to(torch.int8), scale


def row_scales(weight: Tensor) -> Tensor:
    """The step between two levels of each row: float32 [rows, columns] → [rows].

    Raises:
        ConfigError: a weight is infinite or not a number.
    """
    require_finite(weight)
    largest = weight.abs().amax(dim=1)
    return torch.where(largest > 0, largest / WEIGHT_MAX, 1.0)


def fake_quantize_activation(x: Tensor) -> Tensor:
    """Round each row to its 256 levels and back: float32 [rows, n] → same.

    The range is widened to hold 0, so that zeros stay exact.
    """
    low = x.amin(dim=-1, keepdim=True).clamp(max=0.0)
    high = x.amax(dim=-1, keepdim=True).clamp(min=0.0)
    levels = ACTIVATION_MAX - ACTIVATION_MIN
    scale = ((high - low) / levels).clamp(min=torch.finfo(torch.float32).eps)
    zero = (ACTIVATION_MIN - torch.round(low / scale)).clamp(ACTIVATION_MIN, ACTIVATION_MAX)
    q = (torch.round(x / scale) + zero).clamp(ACTIVATION_MIN, ACTIVATION_MAX)
    return (q - zero) * scale


class Int8Linear(nn.Module):
    """A linear with int8 weights and int8 activations.

    Attributes:
        q: int8 [out, in].
        scale: float32 [out].
        bias: float32 [out] or None.
    """

    q: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        q, scale = quantize_rows(linear.weight.detach())
        self.register_buffer("q", q)
        self.register_buffer("scale", scale)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        """Float32 [rows, in] → float32 [rows, out]."""
        return F.linear(fake_quantize_activation(x), self.dequantize(), self.bias)

    def dequantize(self) -> Tensor:
        """The weight that the integers stand for: float32 [out, in]."""
        return self.q * self.scale[:, None]


class Int8Embedding(nn.Module):
    """An embedding table of int8 rows.

    Attributes:
        q: int8 [rows, d].
        scale: float32 [rows].
    """

    q: Tensor
    scale: Tensor

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        q, scale = quantize_rows(embedding.weight.detach())
        self.register_buffer("q", q)
        self.register_buffer("scale", scale)

    def forward(self, ids: Tensor) -> Tensor:
        """Row ids int64 [n] → float32 [n, d]."""
        return self.q[ids] * self.scale[ids, None]
