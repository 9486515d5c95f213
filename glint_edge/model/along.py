"""What GLINT-RU does along a sequence [B, N, d], without weights of its own."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Added under the head norm's root. Keeps 0/0 and its gradient finite; elu(q) of a trained model
# has squared norms around 1, so no digit of float32 changes.
HEAD_NORM_EPS = 1e-20
# Positions a block of the running attention sum. Inside a block the N×N product is cheaper than
# a state per position; between blocks one state is carried, so the cost stays linear in N.
ATTENTION_BLOCK = 64


def is_inside(items: Tensor, lengths: Tensor) -> Tensor:
    """1.0 on positions below the length, 0.0 beyond: [B, N, 1]."""
    positions = torch.arange(items.shape[1], device=items.device)
    return (positions < lengths[:, None]).unsqueeze(-1).to(torch.get_default_dtype())


def row_at(sequence: Tensor, index: Tensor) -> Tensor:
    """Row `index[b]` of each sequence: [B, N, ...] → [B, ...]."""
    return sequence[torch.arange(len(index), device=index.device), index]


def unit_length(heads: Tensor) -> Tensor:
    """Divide by the L2 norm over the last dimension."""
    return heads * torch.rsqrt(heads.square().sum(-1, keepdim=True) + HEAD_NORM_EPS)


def convolve(conv: nn.Conv1d, sequence: Tensor) -> Tensor:
    """A temporal convolution on [B, N, d]; zeros stand beyond both ends."""
    out: Tensor = conv(sequence.mT).mT
    return out


def convolve_seeing(conv: nn.Conv1d, sequence: Tensor, seen: int) -> Tensor:
    """The convolution as it is while only `seen` right neighbours exist: [B, N, d] → same."""
    p = (conv.kernel_size[0] - 1) // 2
    weight = conv.weight[..., : p + 1 + seen]
    return F.conv1d(F.pad(sequence.mT, (p, seen)), weight, conv.bias).mT


def delay(sequence: Tensor, steps: int) -> Tensor:
    """Position n gets what stood at n − steps, zeros at the start: [B, N, d] → same."""
    return F.pad(sequence, (0, 0, steps, 0))[:, : sequence.shape[1]]


def running_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """q̂ₙ Σ_{m ≤ n} k̂ₘ vₘᵀ at every n, in blocks: 3 × [B, N, H, d/H] → [B, N, H, d/H]."""
    memory: Tensor | None = None  # of the blocks before: [B, H, d/H, d/H]
    out = []
    for qb, kb, vb in zip(*(t.split(ATTENTION_BLOCK, dim=1) for t in (q, k, v)), strict=True):
        within = torch.einsum("bnhi,bmhi->bhnm", qb, kb).tril()
        context = torch.einsum("bhnm,bmhj->bnhj", within, vb)
        if memory is not None:
            context = context + torch.einsum("bnhi,bhij->bnhj", qb, memory)
        out.append(context)
        if len(out) * ATTENTION_BLOCK < q.shape[1]:
            taken = torch.einsum("bnhi,bnhj->bhij", kb, vb)
            memory = taken if memory is None else memory + taken
    return torch.cat(out, dim=1)
