"""FMLP-Rec: Zhou et al., "Filter-enhanced MLP is All You Need", WWW 2022, arXiv 2202.13556.

LayerNorm(E + P) and dropout, then blocks of a learned filter, a complex factor a frequency and
channel from N(0, 0.02), and a feed-forward layer, each with a residual that is normalised after it.
Source: Woeee/FMLP-Rec `modules.py`, and after it BSARec's.

The filter is not causal, and its authors train the last place of every prefix's window alone;
`peers.filters` says what is done here by default (the causal form), and `whole` is theirs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from glint_edge.model.dropout import Dropout
from models.peers.base import SPREAD, Embedded, FeedForward, PeerConfig, norm
from models.peers.filters import FilterPeer, convolution, frequencies, inverse_transform


class LearnedFilter(nn.Module):
    """A factor for each frequency of each channel."""

    def __init__(self, config: PeerConfig) -> None:
        super().__init__()
        self.whole = config.whole
        self.register_buffer("transform", inverse_transform(config.max_length), persistent=False)
        bins = frequencies(config.max_length)
        # Real parts, then imaginary ones.
        self.factors = nn.Parameter(torch.randn(2 * bins, config.d) * SPREAD)
        self.drop, self.norm = Dropout(config.dropout), norm(config.d)

    def forward(self, x: Tensor) -> Tensor:
        """[B, n, d] → [B, n, d]."""
        kernel = (self.transform @ self.factors).T  # [d, N]
        matrices = convolution(kernel, x.shape[1], circular=self.whole)  # [d, n, n]
        filtered = (matrices @ x.permute(2, 1, 0)).permute(2, 1, 0)
        out: Tensor = self.norm(x + self.drop(filtered))
        return out


class FMLPRec(FilterPeer):
    """Filters and feed-forward layers alone."""

    def __init__(self, config: PeerConfig) -> None:
        super().__init__(config)
        self.embedded = Embedded(config)
        self.blocks = nn.Sequential(
            *(
                part
                for _ in range(config.layers)
                for part in (LearnedFilter(config), FeedForward(config))
            )
        )
        self.start()

    def window(self, items: Tensor, *, padded: bool) -> Tensor:  # noqa: D102  # FilterPeer's
        out: Tensor = self.blocks(self.embedding_drop(self.embedded(self.embedding(items))))
        return out
