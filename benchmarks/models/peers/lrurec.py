"""LRURec: Yue et al., "Linear Recurrent Units for Sequential Recommendation", WSDM 2024.

LayerNorm(Drop(E)), then blocks of a linear recurrent unit with 2 d complex states and a
feed-forward layer, each with a residual that is normalised after it. A unit:
h_t = λ ⊙ h_{t − 1} + γ ⊙ (B x_t + b), y_t = Re(C h_t + c), λ = exp(−exp ν + i exp θ), started with
|λ| between 0.8 and 0.99 and γ at √(1 − |λ|²). Source: yueqirex/LRURec `model/lru.py`.

Left out: a bias of each item in its scores, for all models here are scored by the table alone.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from glint_edge.model.dropout import Dropout
from models.peers.base import SPREAD, FeedForward, Peer, PeerConfig, norm
from models.peers.recurrence import complex_scan

SLOWEST, QUICKEST = 0.99, 0.8  # |λ| at the start


class LinearRecurrentUnit(nn.Module):
    """A unit, its residual and its norm."""

    def __init__(self, config: PeerConfig) -> None:
        super().__init__()
        states = 2 * config.d
        ring = torch.rand(states) * (SLOWEST**2 - QUICKEST**2) + QUICKEST**2  # |λ|², evenly
        self.nu = nn.Parameter((-0.5 * ring.log()).log())
        self.theta = nn.Parameter((2 * math.pi * torch.rand(states)).log())
        self.gamma = nn.Parameter((1 - ring).sqrt().log())
        self.into = nn.Linear(config.d, 2 * states)  # B, its real and its imaginary part
        self.out = nn.Linear(2 * states, config.d)  # C's real part, and its imaginary one negated
        self.drop, self.norm = Dropout(config.dropout), norm(config.d)

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, d] → [B, N, d]."""
        size, angle = (-self.nu.exp()).exp(), self.theta.exp()
        real, imaginary = (part * self.gamma.exp() for part in self.into(x).float().chunk(2, -1))
        states = complex_scan((size * angle.cos(), size * angle.sin()), (real, imaginary))
        out: Tensor = self.norm(x + self.drop(self.out(torch.cat(states, dim=-1))))
        return out


class LRURec(Peer):
    """Linear recurrent units."""

    def __init__(self, config: PeerConfig) -> None:
        super().__init__(config)
        self.norm = norm(config.d)
        self.blocks = nn.Sequential(
            *(
                part
                for _ in range(config.layers)
                for part in (LinearRecurrentUnit(config), FeedForward(config, inner_drop=True))
            )
        )
        for matrix in self.parameters():
            if matrix.ndim > 1:
                nn.init.trunc_normal_(matrix, std=SPREAD, a=-2 * SPREAD, b=2 * SPREAD)
        with torch.no_grad():
            self.embedding.weight[0].zero_()

    def prefixes(self, items: Tensor, lengths: Tensor) -> Tensor:  # noqa: D102  # Peer's
        out: Tensor = self.blocks(self.norm(self.embedding_drop(self.embedding(items))))
        return out
