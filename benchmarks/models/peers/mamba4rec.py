"""Mamba4Rec: Liu et al., 2024, arXiv 2403.03900, above Mamba: Gu & Dao, 2023, arXiv 2312.00752.

LayerNorm(Drop(E)), then blocks of Mamba and a feed-forward layer, normalised after each; Mamba has
a residual only where blocks are stacked, as in its authors' code. Mamba is a gate beside a causal
convolution of four places and a selective state space (S6):
h_t = exp(Δ_t A) ⊙ h_{t − 1} + Δ_t B_t x_t, y_t = C_t h_t + D x_t, with Δ, B and C made of x_t.
Sources: chengkai-liu/Mamba4Rec `mamba4rec.py` (32 states a channel, twice as wide), and
state-spaces/mamba `mamba_simple.py`, whose start of A, D and Δ this is.

Their scan is a CUDA kernel; here it is run step by step (`peers.recurrence`).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glint_edge.model.dropout import Dropout
from models.peers.base import FeedForward, Peer, PeerConfig, norm
from models.peers.recurrence import selective_scan

STATES = 32  # a channel
EXPAND = 2
KERNEL = 4
FIRST_DELTA = (1e-3, 0.1)  # between which Δ starts, evenly by its logarithm


class Mamba(nn.Module):
    """The selective state space and what stands around it."""

    def __init__(self, d: int) -> None:
        super().__init__()
        inner, self.rank = EXPAND * d, math.ceil(d / 16)
        self.into = nn.Linear(d, 2 * inner, bias=False)  # x and its gate
        self.conv = nn.Conv1d(inner, inner, KERNEL, groups=inner)
        self.selected = nn.Linear(inner, self.rank + 2 * STATES, bias=False)  # Δ, B, C
        self.delta = nn.Linear(self.rank, inner)
        self.log_a = nn.Parameter(torch.arange(1.0, STATES + 1).log().repeat(inner, 1))
        self.skip = nn.Parameter(torch.ones(inner))  # D
        self.out = nn.Linear(inner, d, bias=False)

    def start(self) -> None:
        """Δ's own first weights; after all others have theirs."""
        bound = self.rank**-0.5
        nn.init.uniform_(self.delta.weight, -bound, bound)
        low, high = map(math.log, FIRST_DELTA)
        first = (torch.rand(len(self.skip)) * (high - low) + low).exp()
        with torch.no_grad():
            self.delta.bias.copy_(first + (-torch.expm1(-first)).log())  # softplus⁻¹

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, d] → [B, N, d]."""
        x, gate = self.into(x).chunk(2, dim=-1)
        x = F.silu(self.conv(F.pad(x.mT, (KERNEL - 1, 0))).mT)
        low, b, c = self.selected(x).split([self.rank, STATES, STATES], dim=-1)
        delta = F.softplus(self.delta(low).float())  # [B, N, 2d]
        y = selective_scan(delta, -self.log_a.exp(), x, b.float(), c.float()) + self.skip * x
        out: Tensor = self.out(y * F.silu(gate))
        return out


class Block(nn.Module):
    """Mamba and a feed-forward layer."""

    def __init__(self, config: PeerConfig) -> None:
        super().__init__()
        self.alone = config.layers == 1
        self.mamba = Mamba(config.d)
        self.drop, self.norm = Dropout(config.dropout), norm(config.d)
        self.feed_forward = FeedForward(config, inner_drop=True)

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, d] → [B, N, d]."""
        y = self.drop(self.mamba(x))
        out: Tensor = self.feed_forward(self.norm(y if self.alone else x + y))
        return out


class Mamba4Rec(Peer):
    """Selective state spaces."""

    def __init__(self, config: PeerConfig) -> None:
        super().__init__(config)
        self.norm = norm(config.d)
        self.blocks = nn.Sequential(*(Block(config) for _ in range(config.layers)))
        self.start()
        for block in self.blocks:
            block.mamba.start()

    def prefixes(self, items: Tensor, lengths: Tensor) -> Tensor:  # noqa: D102  # Peer's
        out: Tensor = self.blocks(self.norm(self.embedding_drop(self.embedding(items))))
        return out
