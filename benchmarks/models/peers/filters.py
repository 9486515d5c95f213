"""Filters along a sequence, given by their frequencies, in a causal form and in their authors'.

A filter that multiplies the frequencies of a window of N places is a circular convolution with the
kernel that the inverse transform of its factors is: y_t = Σ_s k[(t − s) mod N] x_s. What runs round
the window's end lets a place see later ones, so that one pass over a sequence cannot give the
hidden of every prefix:

- causal (what the peers are by default): y_t = Σ_{s ≤ t} k[t − s] x_s, the same convolution without
  what runs round the end. As many parameters, the same sum at a full window's last place, and every
  prefix of a sequence in one pass.
- whole (`PeerConfig.whole`): the authors' own. Each prefix is a window of its own, padded on the
  left to N, of which the last place counts; it costs some N times as much to train.

The transform is a product with its own matrix: exporters know no FFT.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from models.peers.base import Peer


def frequencies(n: int) -> int:
    """How many a window of n real places has."""
    return n // 2 + 1


def inverse_transform(n: int) -> Tensor:
    """`torch.fft.irfft` of n places as a matrix: float32 [n, 2 · frequencies].

    It takes the real parts first, then the imaginary ones.
    """
    places, bins = torch.arange(n), torch.arange(frequencies(n))
    angle = 2 * math.pi * (places[:, None] * bins % n).double() / n
    twice = torch.full((len(bins),), 2.0, dtype=torch.float64)
    twice[0] = 1.0  # what has no conjugate beside it counts once
    if n % 2 == 0:
        twice[-1] = 1.0
    return torch.cat([twice * angle.cos(), -twice * angle.sin()], dim=1).div(n).float()


def convolution(kernel: Tensor, n: int, *, circular: bool) -> Tensor:
    """The convolution with a kernel as matrices: [C, N] → [C, n, n], n ≤ N; row t is y_t."""
    places = torch.arange(n, device=kernel.device)
    gap = places[:, None] - places
    matrices = kernel[:, gap.remainder(kernel.shape[1])]
    return matrices if circular else matrices * (gap >= 0)


def as_windows(items: Tensor, lengths: Tensor, n: int) -> Tensor:
    """Histories [B, M], right padded, as windows padded with 0 on the left: int64 [B, n]."""
    at = lengths[:, None] - n + torch.arange(n, device=items.device)
    return items.gather(1, at.clamp(min=0)) * (at >= 0)


class FilterPeer(Peer):
    """A peer that may be of either form; `window` is its function."""

    def window(self, items: Tensor, *, padded: bool) -> Tensor:
        """Hiddens [B, n, d] of items int64 [B, n]; `padded`: 0 on their left is padding."""
        raise NotImplementedError

    def encode(self, items: Tensor, lengths: Tensor) -> Tensor:  # noqa: D102  # Peer's
        if not self.config.whole:
            return super().encode(items, lengths)
        return self.window(as_windows(items, lengths, self.config.max_length), padded=True)[:, -1]

    def prefixes(self, items: Tensor, lengths: Tensor) -> Tensor:  # noqa: D102  # Peer's
        if not self.config.whole:
            return self.window(items, padded=False)
        places = torch.arange(items.shape[1], device=items.device)
        users, ends = (places < lengths[:, None]).nonzero(as_tuple=True)
        hidden = self.encode(items[users], ends + 1)
        out = hidden.new_zeros(*items.shape, hidden.shape[-1])
        return out.index_put((users, ends), hidden)
