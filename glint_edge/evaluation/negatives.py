"""The items that the sampled protocol ranks a target among."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from glint_edge.errors import ConfigError

NEGATIVES = 100


def draw_negatives(
    popularity: npt.NDArray[np.int64], targets: npt.NDArray[np.int64], seed: int
) -> Tensor:
    """100 ids a user, drawn with replacement by popularity, never the target.

    Args:
        popularity: int64 [V + 1]; entry 0 (padding) is ignored.
        targets: int64 [U].
        seed: of the draw.

    Returns:
        int64 [U, 100].
    """
    weights = popularity[1:].astype(np.float64)
    if np.count_nonzero(weights) < 2:
        raise ConfigError("the sampled protocol needs at least two items with interactions")
    share = weights / weights.sum()
    rng = np.random.default_rng(seed)
    drawn = rng.choice(len(weights), size=(len(targets), NEGATIVES), p=share) + 1
    while (hits := drawn == targets[:, None]).any():
        drawn[hits] = rng.choice(len(weights), size=int(hits.sum()), p=share) + 1
    return torch.from_numpy(drawn)
