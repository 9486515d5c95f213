"""Ends of sequences as padded arrays, as models take them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]


def last_items(ids: Ids, offsets: Ids, max_length: int) -> tuple[Ids, Ids]:
    """The last items of many sequences, as one padded array.

    Args:
        ids: int64 [T], sequence after sequence.
        offsets: int64 [U + 1], where each starts, and T.
        max_length: N, the most items to keep of a sequence.

    Returns:
        int64 [U, N], each row a sequence's last N items in order, then zeros; and int64 [U], how
        many items each row holds.
    """
    lengths = np.minimum(np.diff(offsets), max_length)
    items = np.zeros((len(lengths), max_length), dtype=np.int64)
    filled = padded(ids, offsets[1:], lengths)
    items[:, : filled.shape[1]] = filled
    return items, lengths


def padded(ids: Ids, ends: Ids, lengths: Ids) -> Ids:
    """The items before some places, as one padded array.

    Args:
        ids: int64 [T].
        ends: int64 [B], where each row ends in `ids`.
        lengths: int64 [B], how many items before that it holds.

    Returns:
        int64 [B, longest], items in order, then zeros.
    """
    column = np.arange(lengths.max(initial=0))
    filled = column < lengths[:, None]
    items = np.zeros(filled.shape, dtype=np.int64)
    items[filled] = ids[((ends - lengths)[:, None] + column)[filled]]
    return items
