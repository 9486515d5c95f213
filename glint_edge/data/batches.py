"""Batches of training windows: similar lengths together, in random order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

BUCKET = 32  # batches' worth of windows that are sorted by length together


def batches(
    ids: npt.NDArray[np.int64],
    offsets: npt.NDArray[np.int64],
    max_length: int,
    positions: int,
    rng: np.random.Generator,
    *,
    weights: npt.NDArray[np.float32] | None = None,
) -> Iterator[tuple[Tensor, ...]]:
    """Windows of similar length together, in random order.

    Args:
        ids: int64 [T], sequence after sequence.
        offsets: int64 [U + 1], where each starts, and T.
        max_length: N, the longest window.
        positions: most predictions of a batch, padding included.
        rng: of the windows and their order.
        weights: float32 [T], how much each item counts as a target.

    Yields:
        int64 [B, n] items, right padded with anything; int64 [B] lengths; int64 [B, n] the item
        after each; with weights, float32 [B, n] how much that counts.
    """
    starts, lengths = windows(offsets, max_length, rng)
    order = rng.permutation(len(starts))
    pool = max(1, BUCKET * positions // max_length)
    groups: list[npt.NDArray[np.int64]] = []
    for at in range(0, len(order), pool):
        rest = order[at : at + pool]
        rest = rest[np.argsort(-lengths[rest], kind="stable")]
        while len(rest):
            size = max(1, positions // int(lengths[rest[0]]))
            groups.append(rest[:size])
            rest = rest[size:]
    for index in rng.permutation(len(groups)):
        rows = groups[index]
        longest = lengths[rows].max()
        column = np.arange(longest)
        # Beyond a window stands whatever follows in the flat array: the model ignores it.
        at_ids = np.minimum(starts[rows, None] + column, len(ids) - 2)
        batch = [ids[at_ids], lengths[rows], ids[at_ids + 1]]
        if weights is not None:
            batch.append(weights[at_ids + 1])
        yield tuple(map(torch.from_numpy, batch))


def windows(
    offsets: npt.NDArray[np.int64], max_length: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cut each sequence into windows so that every item but the first is a target once.

    A sequence longer than `max_length` is cut at a random phase, anew each epoch, so that an item
    is met with contexts of every length.

    Returns:
        int64 [W] and int64 [W]: where each window's inputs start in the flat array, how many.
    """
    targets = np.diff(offsets) - 1
    long = targets > max_length
    phase = np.where(long, rng.integers(1, max_length + 1, len(targets)), targets)
    rest = np.maximum(targets - phase, 0)
    count = np.where(targets > 0, 1 + -(-rest // max_length), 0)
    user = np.repeat(np.arange(len(targets)), count)
    number = np.arange(len(user)) - np.repeat(np.cumsum(count) - count, count)
    begin = np.where(number == 0, 0, phase[user] + (number - 1) * max_length)
    end = np.minimum(phase[user] + number * max_length, targets[user])
    return offsets[user] + begin, end - begin
