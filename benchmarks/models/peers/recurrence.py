"""Linear recurrences in plain torch, of which exporters make multiplications and additions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def selective_scan(delta: Tensor, a: Tensor, x: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """y_t = h_t c_t, where h_t = exp(Δ_t a) ⊙ h_{t − 1} + Δ_t x_t b_tᵀ from h = 0 (Mamba's S6).

    Step by step: a state is S times as wide as what goes in and comes out, and one step's stay in a
    core's cache. A parallel scan would read and write all of them log₂ N times.

    Args:
        delta: float32 [B, N, D].
        a: float32 [D, S].
        x: float32 [B, N, D].
        b: float32 [B, N, S].
        c: float32 [B, N, S].

    Returns:
        float32 [B, N, D].
    """
    h: Tensor | None = None  # [B, D, S]
    out: list[Tensor] = []
    steps = zip(*(each.unbind(1) for each in (delta, delta * x, b, c)), strict=True)
    for delta_t, taken_t, b_t, c_t in steps:
        taken = taken_t[..., None] * b_t[:, None]
        h = taken if h is None else torch.addcmul(taken, (delta_t[..., None] * a).exp(), h)
        out.append((h * c_t[:, None]).sum(dim=-1))  # not a product, which may be of lower precision
    return torch.stack(out, dim=1)


def complex_scan(decay: tuple[Tensor, Tensor], taken: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    """h_t = λ ⊙ h_{t − 1} + b_t from h = 0, complex numbers as their real and imaginary parts.

    Log₂ N steps: when h holds the last n of each place's terms, h_t + λⁿ h_{t − n} holds 2 n.

    Args:
        decay: λ's parts, [D] each.
        taken: b's parts, [B, N, D] each.

    Returns:
        The parts of all h, [B, N, D] each.
    """
    (a, b), (real, imaginary) = decay, taken
    n = 1
    while n < real.shape[1]:
        before, before_imaginary = (F.pad(part[:, :-n], (0, 0, n, 0)) for part in (real, imaginary))
        real, imaginary = (
            real + a * before - b * before_imaginary,
            imaginary + a * before_imaginary + b * before,
        )
        a, b, n = a * a - b * b, 2 * a * b, 2 * n
    return real, imaginary
