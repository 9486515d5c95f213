"""The stream's state: what its floats mean.

Apart from the programs that compute it, so that what only runs an artifact needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from glint_edge.config import ModelConfig

CHUNK = 25  # items of one `append_many`; two make 50, eight 200 (docs/design.md has the trade-off)

TOP_K = 50  # items of a list, where nobody says how many: enough for a shelf and a filter


def top_k_of(wanted: int | None, offered: int) -> int:
    """Items of a list: as many as are wanted; None: `TOP_K`, or all on offer if these are fewer."""
    return min(TOP_K, offered) if wanted is None else wanted


# What a bias leaves a row out with. Finite: −∞ would be no number where a kernel multiplies it by
# 0. No score comes near; one below the other number is of a row that is left out.
LEFT_OUT = -1e30
NOTHING_LEFT = -1e29


@dataclass(frozen=True)
class StateField:
    """One named part of the state: `size` floats from `offset`."""

    name: str
    offset: int
    size: int


def state_layout(config: ModelConfig) -> tuple[StateField, ...]:
    """What the state's floats mean, in order.

    - count: t;
    - conv_inputs: u of the last 2p items, oldest first (the windows still open);
    - gru: the last final hidden, of position t − 1 − p;
    - gated: G of that position;
    - item: X of the last item;
    - sums: the decayed sums of the filter, where there is one;
    - memory: Σ k̂ vᵀ / √(d/H), head after head.
    """
    d = config.d
    sizes = {
        "count": 1,
        "conv_inputs": 2 * config.lookahead * d,
        "gru": d,
        "gated": d,
        "item": d,
        "sums": d if config.has_low_pass else 0,
        "memory": d * d // config.heads,
    }
    starts = accumulate(sizes.values(), initial=0)
    return tuple(StateField(name, at, n) for (name, n), at in zip(sizes.items(), starts))  # noqa: B905  # accumulate yields the total as one more


def state_size(config: ModelConfig) -> int:
    """S, the floats in one state."""
    return sum(field.size for field in state_layout(config))
