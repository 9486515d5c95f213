"""SASRec: Kang & McAuley, ICDM 2018, as S3-Rec's line of code has it.

LayerNorm(E + P) and dropout, blocks of causal self-attention and a feed-forward layer four times as
wide with GELU, each with a residual that is normalised after it, weights from N(0, 0.02), the tied
table. Source: RUCAIBox/CIKM2020-S3Rec `modules.py`, and after it FMLP-Rec's and BSARec's.
"""

from __future__ import annotations

from torch import Tensor, nn

from models.peers.base import Attention, Embedded, FeedForward, Peer, PeerConfig, later


class SASRec(Peer):
    """Self-attentive sequential recommendation."""

    def __init__(self, config: PeerConfig) -> None:
        super().__init__(config)
        self.embedded = Embedded(config)
        self.blocks = nn.ModuleList(
            nn.ModuleList([Attention(config), FeedForward(config)]) for _ in range(config.layers)
        )
        self.start()

    def prefixes(self, items: Tensor, lengths: Tensor) -> Tensor:  # noqa: D102  # Peer's
        x: Tensor = self.embedding_drop(self.embedded(self.embedding(items)))
        hidden = later(items.shape[1], items.device)
        for attention, feed_forward in self.blocks:
            x = feed_forward(attention(x, hidden))
        return x
