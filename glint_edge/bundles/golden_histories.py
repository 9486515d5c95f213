"""The histories of golden vectors: made up, as everybody who has an app reads them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glint_edge.config import ModelConfig

# The first two get lists with filters, so that these have something to leave out.
LENGTHS = (8, 34, 1, 2, 3, 5, 13, 21, 55, 89, 144)
WITH_UNKNOWN = 13
AGAIN = 0.2  # share of items that came before
SKEW = 3  # ids are ranks by popularity, of which a log has the first more often


def golden_histories(config: ModelConfig) -> list[list[int]]:
    """Item ids, oldest first; the same for all models of one size, whatever log they learned.

    Of one item and of a few, of many with some that come again, of as many as a window holds (of
    more, an app takes the last), and with an unknown item among them.
    """
    drawn, longest = random.Random(0), config.max_length
    histories = [
        _history(drawn, length, config.items)
        for length in dict.fromkeys(min(length, longest) for length in (*LENGTHS, longest))
    ]
    for history in histories:
        if len(history) == WITH_UNKNOWN:
            history[WITH_UNKNOWN // 2] = 0
    return histories


def _history(drawn: random.Random, length: int, items: int) -> list[int]:
    history: list[int] = []
    while len(history) < length:
        comes_again = history and drawn.random() < AGAIN
        new = 1 + int(items * drawn.random() ** SKEW)
        history.append(drawn.choice(history) if comes_again else new)
    return history
