"""SASRec and GRU4Rec in plain torch, as `glint_edge.model.protocols.Encoder` asks for.

- SASRec: Kang & McAuley, ICDM 2018: causal self-attention over item and position embeddings, two
  blocks, normalised before each part, scored by the tied item table.
- GRU4Rec: Hidasi et al., ICLR 2016, as sequential benchmarks run it: dropout on the item
  embeddings, one GRU layer twice as wide, a projection back to their width, the tied table.

Both see a history from its left alone, so position n of one pass over a sequence is what the prefix
of n + 1 items gives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glint_edge.errors import ConfigError
from glint_edge.model.dropout import Dropout


@dataclass(frozen=True)
class PeerConfig:
    """Shape of a peer.

    Attributes:
        items: catalogue size V.
        d: width.
        max_length: N, the last items of a history that are seen.
        dropout: on embeddings, and in every block of SASRec.
        layers: blocks of SASRec.
        heads: of SASRec's attention; divides `d`.

    Raises:
        ConfigError: a value is impossible.
    """

    items: int
    d: int = 64
    max_length: int = 50
    dropout: float = 0.5
    layers: int = 2
    heads: int = 2

    def __post_init__(self) -> None:
        for name in ("items", "d", "max_length", "layers", "heads"):
            value = getattr(self, name)
            if value < 1:
                raise ConfigError(f"{name} must be a whole number ≥ 1, not {value}")
        if not 0.0 <= self.dropout < 1.0:
            raise ConfigError(f"dropout must be a number in [0, 1), not {self.dropout}")
        if self.d % self.heads:
            raise ConfigError(f"heads ({self.heads}) must divide d ({self.d}); choose another d")


class Peer(nn.Module):
    """What both share: a tied item table, and the last position's scores."""

    def __init__(self, config: PeerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.items + 1, config.d, padding_idx=0)
        self.drop = Dropout(config.dropout)  # the one GLINT-RU has: no slower, so no fewer epochs

    def start(self) -> None:
        """Small normal weights, as both models' usual code has them."""
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.02)
        with torch.no_grad():
            self.embedding.weight[0].zero_()

    def prefixes(self, items: Tensor, lengths: Tensor) -> Tensor:
        """The hidden of every prefix: int64 [B, N], [B] → float32 [B, N, d]."""
        raise NotImplementedError

    def encode(self, items: Tensor, lengths: Tensor) -> Tensor:
        """The hidden of each history's last position: int64 [B, N], [B] → float32 [B, d]."""
        return self.prefixes(items, lengths)[
            torch.arange(len(items), device=items.device), lengths - 1
        ]

    def score(self, items: Tensor, lengths: Tensor) -> Tensor:
        """Scores of the catalogue: int64 [B, N], [B] → float32 [B, V + 1]; padding is −inf."""
        scores = self.encode(items, lengths) @ self.embedding.weight.T
        scores[:, 0] = -math.inf
        return scores


class SASRec(Peer):
    """Self-attentive sequential recommendation."""

    def __init__(self, config: PeerConfig) -> None:
        super().__init__(config)
        self.position = nn.Embedding(config.max_length, config.d)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.d)
        self.start()

    def prefixes(self, items: Tensor, lengths: Tensor) -> Tensor:  # noqa: D102  # Peer's
        position = self.position(torch.arange(items.shape[1], device=items.device))
        x = self.drop(self.embedding(items) + position)
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.norm(x)
        return out


class _Block(nn.Module):
    def __init__(self, config: PeerConfig) -> None:
        super().__init__()
        d = config.d
        self.heads, self.rate = config.heads, config.dropout
        self.attention_norm, self.norm = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
        self.drop = Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        split = (self.heads, x.shape[-1] // self.heads)
        parts = self.qkv(self.attention_norm(x)).chunk(3, dim=-1)
        q, k, v = (part.unflatten(-1, split).transpose(1, 2) for part in parts)  # [B, H, N, d/H]
        rate = self.rate if self.training else 0.0
        context = F.scaled_dot_product_attention(q, k, v, dropout_p=rate, is_causal=True)
        x = x + self.drop(self.out(context.transpose(1, 2).flatten(2)))
        out: Tensor = x + self.drop(self.down(self.drop(F.gelu(self.up(self.norm(x))))))
        return out


class GRU4Rec(Peer):
    """A gated recurrent unit over item embeddings."""

    def __init__(self, config: PeerConfig) -> None:
        super().__init__(config)
        self.gru = nn.GRU(config.d, 2 * config.d, batch_first=True)
        self.out = nn.Linear(2 * config.d, config.d)
        self.start()
        for name, parameter in self.gru.named_parameters():
            if name.startswith("weight"):  # 0.02 leaves a gate half open whatever comes
                nn.init.xavier_uniform_(parameter)

    def prefixes(self, items: Tensor, lengths: Tensor) -> Tensor:  # noqa: D102  # Peer's
        states, _ = self.gru(self.drop(self.embedding(items)))
        out: Tensor = self.out(states)
        return out
