"""Linear recurrences in plain torch, of which exporters make multiplications and additions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def scan(decay: Tensor, taken: Tensor) -> Tensor:
    """h_t = decay_t ⊙ h_{t − 1} + taken_t from h = 0: both [B, N, …] → [B, N, …].

    Step by step: where the decay is another at every step, a parallel scan would read and write all
    of both log₂ N times, and a step's product is of a batch's rows and all channels at once.
    """
    states: list[Tensor] = []
    for a, b in zip(decay.unbind(1), taken.unbind(1), strict=True):
        states.append(torch.addcmul(b, a, states[-1]) if states else b)
    return torch.stack(states, dim=1)


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
