"""What all peers share: their shape, the tied item table, and the parts that several have."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glint_edge.errors import ConfigError
from glint_edge.model.dropout import Dropout

NORM_EPS = 1e-12  # of every LayerNorm, as in these models' code
SPREAD = 0.02  # standard deviation of their first weights


@dataclass(frozen=True)
class PeerConfig:
    """Shape of a peer; `layers` and what follows mean nothing to some of them.

    Attributes:
        items: catalogue size V.
        d: width.
        max_length: N, the last items of a history that are seen.
        embedding_dropout: on the embedded items.
        dropout: in every block, on attention's shares too.
        layers: blocks.
        heads: of the attention; divides `d`.
        alpha: BSARec's share of the filter; the attention has the rest.
        cutoff: BSARec's c, up to which frequency is low: ⌊c / 2⌋ + 1 of them are.
        whole: the filter of BSARec and FMLP-Rec runs round the whole window, as in its authors'
            code, so that each prefix is a window of its own: see `peers.filters`.

    Raises:
        ConfigError: a value is impossible.
    """

    items: int
    d: int = 64
    max_length: int = 50
    embedding_dropout: float = 0.5
    dropout: float = 0.5
    layers: int = 2
    heads: int = 2
    alpha: float = 0.7
    cutoff: int = 5
    whole: bool = False

    def __post_init__(self) -> None:
        for name in ("items", "d", "max_length", "layers", "heads", "cutoff"):
            value = getattr(self, name)
            if value < 1:
                raise ConfigError(f"{name} must be a whole number ≥ 1, not {value}")
        for name in ("embedding_dropout", "dropout"):
            value = getattr(self, name)
            if not 0.0 <= value < 1.0:
                raise ConfigError(f"{name} must be a number in [0, 1), not {value}")
        if not 0.0 <= self.alpha <= 1.0:
            raise ConfigError(f"alpha must be a number in [0, 1], not {self.alpha}")
        if self.d % self.heads:
            raise ConfigError(f"heads ({self.heads}) must divide d ({self.d}); choose another d")


class Peer(nn.Module):
    """An encoder as `glint_edge.model.protocols.Encoder` asks for."""

    def __init__(self, config: PeerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.items + 1, config.d, padding_idx=0)
        # The one GLINT-RU has: no slower, so no fewer epochs in the same time.
        self.embedding_drop = Dropout(config.embedding_dropout)

    def start(self) -> None:
        """Small normal matrices and no biases, as these models' code has them."""
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=SPREAD)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
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


def norm(d: int) -> nn.LayerNorm:
    """A LayerNorm of width d."""
    return nn.LayerNorm(d, eps=NORM_EPS)


class Embedded(nn.Module):
    """LayerNorm(E + P), then dropout: how S3-Rec's line of code begins."""

    def __init__(self, config: PeerConfig) -> None:
        super().__init__()
        self.position = nn.Embedding(config.max_length, config.d)
        self.norm = norm(config.d)

    def forward(self, rows: Tensor) -> Tensor:
        """Rows of the item table [B, N, d] → [B, N, d], without dropout."""
        places = torch.arange(rows.shape[1], device=rows.device)
        out: Tensor = self.norm(rows + self.position(places))
        return out


class Attention(nn.Module):
    """Causal self-attention with its residual, normalised after it."""

    def __init__(self, config: PeerConfig) -> None:
        super().__init__()
        d, self.heads = config.d, config.heads
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.drop, self.norm = Dropout(config.dropout), norm(d)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        """Inputs [B, N, d]; True where a key is hidden from a query, [N, N] or [B, 1, N, N]."""
        split = (self.heads, x.shape[-1] // self.heads)
        q, k, v = (part.unflatten(-1, split).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        scores = (q @ k.mT / math.sqrt(split[1])).float()  # [B, H, N, N]
        shares = self.drop(scores.masked_fill(hidden, -1e4).softmax(dim=-1))
        context = (shares @ v).transpose(1, 2).flatten(2)
        out: Tensor = self.norm(x + self.drop(self.out(context)))
        return out


class FeedForward(nn.Module):
    """Two layers with GELU, four times as wide, and the residual, normalised after it.

    Args:
        config: the peer's shape.
        inner_drop: dropout between the layers, too, as LRURec and Mamba4Rec have it.
    """

    def __init__(self, config: PeerConfig, *, inner_drop: bool = False) -> None:
        super().__init__()
        d = config.d
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
        self.drop, self.norm = Dropout(config.dropout), norm(d)
        self.inner_drop = self.drop if inner_drop else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, d] → [B, N, d]."""
        inner = self.inner_drop(F.gelu(self.up(x)))
        out: Tensor = self.norm(x + self.drop(self.down(inner)))
        return out


def later(n: int, device: torch.device) -> Tensor:
    """True where the key is later than the query: bool [n, n]."""
    return torch.ones(n, n, dtype=torch.bool, device=device).triu(1)
