"""The edge variant's filter: how much of an item is its history's trend, and how much its own."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Positions a block of the scan: inside one a product with the decays' powers, between them a state.
BLOCK = 64
# A decay's logit, at most: so near to 1 that a channel remembers some fifty items, and far enough
# that 1 − gᵗ keeps its digits in float32.
MOST = 4.0
HIGH = 0.7  # β before training: half of what is high is added


class LowPass(nn.Module):
    """x ↦ low + β² ⊙ (x − low), low the running mean of x with a decay g for each channel.

        low_t = s_t / n_t,   s_t = g ⊙ s_{t−1} + x_t,   n_t = g ⊙ n_{t−1} + 1 = (1 − gᵗ) / (1 − g)

    The frequency filter of BSARec (Shin et al., AAAI 2024, eq. 6 and 7: β rescales what is high),
    causal: a Fourier transform sees the whole history, this mean what came before alone.

    Attributes:
        decay: g's logits [d].
        high: β [d].
    """

    def __init__(self, d: int) -> None:
        super().__init__()
        self.decay = nn.Parameter(torch.linspace(0.0, 3.0, d))
        self.high = nn.Parameter(torch.full((d,), HIGH))

    def forward(self, x: Tensor) -> Tensor:
        """Float32 [B, N, d] → the same; a position depends on those before it alone."""
        low = self.low(x)
        return low + self.high.square() * (x - low)

    def log_decay(self) -> Tensor:
        """Log g: [d], all below 0."""
        return F.logsigmoid(self.decay.clamp(max=MOST))

    def low(self, x: Tensor) -> Tensor:
        """The running mean at every position, in blocks: [B, N, d] → the same."""
        log_g = self.log_decay()
        size = min(BLOCK, x.shape[1])
        at = torch.arange(size, device=x.device, dtype=log_g.dtype)
        gap = at[:, None] - at  # [L, L]
        powers = torch.exp(gap.clamp(min=0) * log_g[:, None, None]).tril()  # [d, L, L]
        carried = torch.exp((at + 1) * log_g[:, None])[..., None]  # [d, L, 1]
        sums: list[Tensor] = []
        by_channel = x.permute(2, 1, 0)
        for start in range(0, x.shape[1], size):  # `split` into one part is more than LiteRT takes
            block = by_channel[:, start : start + size]  # [d, L, B]
            n = block.shape[1]
            total = torch.bmm(powers[:, :n, :n], block)
            if sums:
                total = total + carried[:, :n] * sums[-1][:, -1:]
            sums.append(total)
        count = torch.arange(1, x.shape[1] + 1, device=x.device, dtype=log_g.dtype)[:, None]
        return torch.cat(sums, dim=1).permute(2, 1, 0) * rate(log_g, count)


def rate(log_g: Tensor, count: Tensor) -> Tensor:
    """1 / n_t, what a new item counts in the mean: [d] and t [n, 1] → [n, d]."""
    return torch.expm1(log_g) / torch.expm1(count * log_g)
