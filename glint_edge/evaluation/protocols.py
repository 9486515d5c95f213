"""Which items a target is ranked among, and which of these ways fits a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from glint_edge.config import AUTO
from glint_edge.data.record import DataSource, nobody_repeats
from glint_edge.data.sequences import Split, repeat_share

if TYPE_CHECKING:
    from glint_edge.data.sharded.shards import ShardedLog

Protocol = Literal["full", "unseen", "sampled-pop100"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)


def chosen_protocol(choice: str | None, source: DataSource, data: Split | ShardedLog) -> str:
    """What is ranked: as chosen, or as an app would list the items of such a log.

    Args:
        choice: one of `PROTOCOLS`; None or "auto": "unseen" where nobody takes an item again.
        source: says how many do, if it was counted when the log was read.
        data: the same log; else what is held out of it tells.
    """
    if choice not in (None, AUTO):
        return choice
    share = source.repeats
    if share is None:
        share = repeat_share(data.validation(), data.test())
    return fitting(share)


def fitting(repeats: float) -> Protocol:
    """What is ranked where this share of targets repeats an item of its own history."""
    return "unseen" if nobody_repeats(repeats) else "full"
