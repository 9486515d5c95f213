"""What no precision can hold: weights that are no numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from glint_edge.errors import ConfigError


def require_finite(weight: Tensor) -> None:
    """Refuse what is left of a diverged training.

    Raises:
        ConfigError: a weight is infinite or not a number.
    """
    if not torch.isfinite(weight).all():
        raise ConfigError("the weights are not finite: the training diverged; train again")
