"""New items as known ones are: those that one is like, or that stand near it in a log.

An item's row is a mean of known rows, made as long as they are, times a strength; or it is given.
`new_items` has those that have a table alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from glint_edge.checkpoints.changes import NewItem, ids_of
from glint_edge.checkpoints.checkpoint import Checkpoint
from glint_edge.data.sequences import Sequences
from glint_edge.errors import ConfigError, DataError, one_line
from glint_edge.model.glint_ru import GlintRU
from glint_edge.suggestions import no_file
from glint_edge.tables import counted

WITHIN = 5  # places in a user's history that count as near
# Length of a new row, relative to the rows that it is the mean of. The mean itself is short (0.45
# of its parts on MovieLens-100K), so its scores are near 0 and it is in nobody's top 10; at the
# parts' full length it crowds out the trained items (docs/catalogue.md has the figures).
STRENGTH = 0.8


def mean_of(checkpoint: Checkpoint, keys: Sequence[str], strength: float = STRENGTH) -> Tensor:
    """A row like these items: float32 [d].

    Args:
        checkpoint: whose rows are averaged.
        keys: of the items.
        strength: length of the row relative to theirs; 0: that of their mean, as it comes out.

    Raises:
        UnknownItemError: a key is not in the catalogue.
        ConfigError: there are no keys, or the strength is impossible.
    """
    if not keys:
        raise ConfigError("--like names no item; pass --like KEY,KEY,…")
    ids = torch.tensor(ids_of(checkpoint.catalogue, keys))
    near = checkpoint.model.embedding.weight.detach()[ids]
    return lengthened(near.mean(dim=0), near.norm(dim=1).mean(), strength)


def lengthened(mean: Tensor, length: Tensor, strength: float) -> Tensor:
    """A mean [d] of rows that are `length` long on average, as long as `strength` says."""
    if not 0 <= strength <= 2:
        raise ConfigError(f"--strength must be a number from 0 to 2, not {strength:g}")
    if not strength or not mean.any():
        return mean
    row: Tensor = mean / mean.norm() * (strength * length)
    return row


def items_of_log(
    checkpoint: Checkpoint, log: Sequences, *, within: int = WITHIN, strength: float = STRENGTH
) -> tuple[list[NewItem], list[str]]:
    """All items of a log that the catalogue does not have, by popularity in the log.

    An item's row is the mean over the known items that stand at most `within` places from it in a
    user's history, each as often as it does.

    Args:
        checkpoint: whose rows are averaged.
        log: in ids of its own.
        within: ≥ 1.
        strength: as for `mean_of`.

    Returns:
        The items, and the keys of those that never stand near a known one.

    Raises:
        ConfigError: `within` or the strength is impossible.
        DataError: the catalogue has all items already, or none stands near a known one.
    """
    if within < 1:
        raise ConfigError(f"--within must be at least 1 place, not {within}")
    to_id = {key: number for number, key in enumerate(checkpoint.catalogue.keys)}
    known = torch.tensor([to_id.get(key, 0) for key in log.keys])
    new = [number for number, key in enumerate(log.keys) if key not in to_id]
    if not new:
        raise DataError(f"every item of {log.name} is in the catalogue already")
    means, lengths = _means_of_neighbours(checkpoint.model, log, known, within)
    items = [
        NewItem(key, lengthened(means[n], lengths[n], strength), log.titles.get(key, ""))
        for n in new if lengths[n] and (key := log.keys[n])
    ]  # fmt: skip
    if not items:
        raise DataError(
            f"no new item of {log.name} stands within {within} places of a known one; "
            "pass a log in which users have both"
        )
    return items, [log.keys[n] for n in new if not lengths[n]]


def _means_of_neighbours(
    model: GlintRU, log: Sequences, known: Tensor, within: int
) -> tuple[Tensor, Tensor]:
    """Of each item of the log [n]: its known neighbours' mean [n, d] and mean length [n], or 0."""
    table = model.embedding.weight.detach()
    # A last column of ones counts; the one before it sums lengths.
    rows = torch.cat([table, table.norm(dim=1, keepdim=True), torch.ones(len(table), 1)], dim=1)
    sums = torch.zeros(len(known), rows.shape[1])
    ids = torch.from_numpy(log.ids)
    user = torch.from_numpy(np.repeat(np.arange(len(log)), np.diff(log.offsets)))
    for distance in range(1, within + 1):
        same = user[:-distance] == user[distance:]
        before, after = ids[:-distance][same], ids[distance:][same]
        for item, other in ((before, after), (after, before)):
            near = known[other] > 0
            sums.index_add_(0, item[near], rows[known[other[near]]])
    means = sums / sums[:, -1:].clamp(min=1)
    return means[:, :-2], means[:, -2]


def named_items(
    checkpoint: Checkpoint,
    keys: Sequence[str],
    titles: Sequence[str] = (),
    *,
    like: Sequence[str] | None = None,
    vectors: Tensor | None = None,
    strength: float = STRENGTH,
) -> list[NewItem]:
    """New items by name, with rows as the mean of items that one is like, or as given.

    Args:
        checkpoint: whose rows a mean is of.
        keys: the new items'.
        titles: in the same order; or none at all.
        like: keys of known items; one new item then.
        vectors: float32 [len(keys), d].
        strength: as for `mean_of`.

    Raises:
        ConfigError: the counts differ, or there is no key.
        UnknownItemError: an item of `like` is not in the catalogue.
    """
    if not keys:
        raise ConfigError("no item was named; pass --item KEY")
    if titles and len(titles) != len(keys):
        raise ConfigError(
            f"{counted(len(titles), 'titles')} for {counted(len(keys), 'items')}; give each --item "
            "its own"
        )
    if (like is None) == (vectors is None):
        raise ConfigError("say what the new items are like: one of --like, --vector and --log")
    if like is not None:
        if len(keys) > 1:
            raise ConfigError("--like tells of one item; add the others in calls of their own")
        vectors = mean_of(checkpoint, like, strength)[None]
    assert vectors is not None  # one of the two is there
    if len(vectors) != len(keys):
        raise ConfigError(
            f"{counted(len(vectors), 'vectors')} for {counted(len(keys), 'items')}; give each "
            "its own"
        )
    return [
        NewItem(key, row, title)
        for key, row, title in zip(keys, vectors, titles or [""] * len(keys), strict=True)
    ]


def read_rows(path: Path) -> Tensor:
    """Rows given as a `.npy` file: numbers [d] or [n, d] → float32 [n, d].

    Raises:
        DataError: it is no such file.
    """
    if not path.exists():
        raise DataError(no_file(path, "write it by numpy.save"))
    if not path.is_file():
        raise DataError(f"{path} is a folder or a pipe; write a file by numpy.save")
    try:
        # Mapped: of a file that promises more than it holds, nothing is allocated.
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # its header is an expression of Python's, read by Python's parser
        raise DataError(
            f"{path} is no readable .npy file ({one_line(error)}); write it by numpy.save"
        ) from error
    if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "fiu" or rows.ndim not in (1, 2):
        raise DataError(f"{path} does not hold numbers [d] or [n, d]; write it by numpy.save")
    with np.errstate(over="ignore"):  # what is too large is refused as infinite
        return torch.from_numpy(np.atleast_2d(rows).astype(np.float32))
