"""BSARec: Shin et al., AAAI 2024, arXiv 2312.10325.

SASRec (`peers.sasrec`) whose attention has a filter beside it: LN(x + Drop(low + β² ⊙ (x − low))),
where low keeps the ⌊c / 2⌋ + 1 lowest frequencies and β is learned, a number a channel. A block is
α · filter + (1 − α) · attention, then the feed-forward layer. Source: yehjin-shin/BSARec,
`src/model/_modules.py`. Its authors search α and c for each log, as is done here.

The low-pass is not causal, and its authors train the last place of every prefix's window alone;
`peers.filters` says what is done here by default (the causal form), and `whole` is theirs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from glint_edge.model.dropout import Dropout
from models.peers.base import Attention, Embedded, FeedForward, PeerConfig, later, norm
from models.peers.filters import FilterPeer, convolution, frequencies, inverse_transform


class LowPass(nn.Module):
    """The frequency layer."""

    def __init__(self, config: PeerConfig) -> None:
        super().__init__()
        self.whole = config.whole
        bins = frequencies(config.max_length)
        kept = (torch.arange(bins) < config.cutoff // 2 + 1).float()
        kernel = inverse_transform(config.max_length)[:, :bins] @ kept
        self.register_buffer("kernel", kernel[None], persistent=False)  # [1, N]
        self.beta = nn.Parameter(torch.randn(config.d))
        self.drop, self.norm = Dropout(config.dropout), norm(config.d)

    def forward(self, x: Tensor) -> Tensor:
        """[B, n, d] → [B, n, d]."""
        low = convolution(self.kernel, x.shape[1], circular=self.whole)[0] @ x
        out: Tensor = self.norm(x + self.drop(low + self.beta.square() * (x - low)))
        return out


class Block(nn.Module):
    """The filter and the attention, mixed, and the feed-forward layer."""

    def __init__(self, config: PeerConfig) -> None:
        super().__init__()
        self.alpha = config.alpha
        self.low_pass, self.attention = LowPass(config), Attention(config)
        self.feed_forward = FeedForward(config)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        """As `Attention`."""
        mixed = self.alpha * self.low_pass(x) + (1 - self.alpha) * self.attention(x, hidden)
        out: Tensor = self.feed_forward(mixed)
        return out


class BSARec(FilterPeer):
    """Attention with an attentive inductive bias."""

    def __init__(self, config: PeerConfig) -> None:
        super().__init__(config)
        self.embedded = Embedded(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.start()

    def window(self, items: Tensor, *, padded: bool) -> Tensor:  # noqa: D102  # FilterPeer's
        x: Tensor = self.embedding_drop(self.embedded(self.embedding(items)))
        hidden = later(items.shape[1], items.device)
        if padded:
            hidden = hidden | (items == 0)[:, None, None]
        for block in self.blocks:
            x = block(x, hidden)
        return x
