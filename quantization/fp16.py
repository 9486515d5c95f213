"""The float16 scheme: weights are stored in half the bytes, and computed with in float32.

A float16 has 11 significant bits, so a weight moves by at most 1/2048 of itself (one below 6e-5 by
at most 3e-8). Inputs, biases and sums stay float32: a kernel widens each weight when it reads it,
or the runtime does so once, when it loads the file.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glint_edge.errors import ConfigError
from quantization.finite import require_finite

LARGEST = torch.finfo(torch.float16).max  # 65504


def to_half(weight: Tensor) -> Tensor:
    """Round to the nearest float16: float32, any shape → same.

    Raises:
        ConfigError: a weight is not finite, or beyond float16's range.
    """
    require_finite(weight)
    largest = weight.abs().amax().item()
    if largest > LARGEST:
        raise ConfigError(
            f"a weight of {largest:g} does not fit into float16, which ends at {LARGEST:g}; "
            "choose int8 or none"
        )
    return weight.to(torch.float16)


class Fp16Linear(nn.Module):
    """A linear with float16 weights.

    Attributes:
        weight: float16 [out, in].
        bias: float32 [out] or None.
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.register_buffer("weight", to_half(linear.weight.detach()))
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        """Float32 [rows, in] → float32 [rows, out]."""
        return F.linear(x, self.weight.float(), self.bias)


class Fp16Embedding(nn.Module):
    """An embedding table of float16 rows.

    Attributes:
        weight: float16 [rows, d].
    """

    weight: Tensor

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        self.register_buffer("weight", to_half(embedding.weight.detach()))

    def forward(self, ids: Tensor) -> Tensor:
        """Row ids int64 [n] → float32 [n, d]."""
        return self.weight[ids].float()
