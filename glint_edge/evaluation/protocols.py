"""Which items a target is ranked among, and which of these ways fits a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from glint_edge.data.sequences import REPEATS_FROM, Split, repeats

if TYPE_CHECKING:
    from glint_edge.data.sharded.shards import ShardedLog

Protocol = Literal["full", "unseen", "sampled-pop100"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)


def usual_protocol(data: Split | ShardedLog) -> Protocol:
    """As an app would list the items: those that are not seen yet, where nobody takes one again."""
    again = np.concatenate([repeats(data.validation()), repeats(data.test())])
    return "unseen" if again.mean() < REPEATS_FROM else "full"
