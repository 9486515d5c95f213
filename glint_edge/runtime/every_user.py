"""The lists of every user of a log, some at a time, into a file; how a bundle makes them.

How a checkpoint does: `batches_torch.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from glint_edge.data.list_file import ListFile, Lists, write_lists
from glint_edge.data.log import Log, read
from glint_edge.data.options import LoadOptions
from glint_edge.data.record import DataSource
from glint_edge.data.sequencing.splits import LEAVE_ONE_OUT
from glint_edge.data.source import in_catalogue, resolve

if TYPE_CHECKING:
    from glint_edge.data.catalogue import Catalogue
    from glint_edge.data.sequences import Sequences
    from glint_edge.runtime.recommender import Recommender

Ids: TypeAlias = npt.NDArray[np.int64]

TOGETHER = 256  # users of a bundle's, until they are written


class Maker(Protocol):
    """What makes lists.

    Attributes:
        catalogue: of the items.
        data: what it was trained on; None: it does not say.
    """

    catalogue: Catalogue
    data: DataSource | None

    def lists(self, users: Sequence[str], ids: Ids, offsets: Ids, k: int) -> Iterator[Lists]:
        """The k best items of every user, in the users' order.

        Args:
            users: their keys, [U].
            ids: int64 [T], all their items, user after user.
            offsets: int64 [U + 1], where each user's begin, and T.
            k: of each list, at least 1.
        """


def write_every_list(
    maker: Maker,
    log: object,
    options: LoadOptions,
    out: Path,
    k: int,
    on_users: Callable[[int, int], None],
) -> ListFile:
    """Read a log, and write what each of its users is recommended.

    Args:
        maker: of the lists.
        log: what `read` takes.
        options: what is said of how it is read.
        out: as `check_list_file` allows.
        k: of each list, at least 1.
        on_users: told how many users are done, and how many there are.

    Raises:
        DataError: the log cannot be read, or shares no item with the catalogue.
        OSError: the file cannot be written.
    """
    sequences = _read(maker, log, options).whole
    ids, offsets = known_histories(sequences, maker.catalogue)
    users = len(sequences)

    def reported() -> Iterator[Lists]:
        done = 0
        for lists in maker.lists(sequences.users, ids, offsets, k):
            yield lists
            done += len(lists.users)
            on_users(done, users)

    return ListFile(out, users, write_lists(reported(), maker.catalogue, out))


def _read(maker: Maker, log: object, options: LoadOptions) -> Log:
    """A log as far as it is said how, else as that of the training was; each user is kept."""
    if isinstance(log, Log):
        return read(log, options)
    if maker.data is not None:
        log, said = resolve(maker.data, log, options)
    else:
        said = options
    every = replace(
        said, k_core=options.k_core or 0, min_length=options.min_length or 1,
        split=LEAVE_ONE_OUT, validation=None, test=None,
    )  # fmt: skip
    return read(log, every)


def known_histories(sequences: Sequences, catalogue: Catalogue) -> tuple[Ids, Ids]:
    """All users' items in a model's ids, without those that it does not know.

    Returns:
        int64 [T], user after user; and int64 [U + 1], where each user's begin, and T.

    Raises:
        DataError: no item is known.
    """
    ids = in_catalogue(sequences, catalogue).ids
    known = ids > 0
    before = np.concatenate([[0], np.cumsum(known)])
    return ids[known], before[sequences.offsets]


class BundleLists:
    """What `Recommender.recommend` gives, user by user.

    Attributes:
        catalogue: the bundle's.
        data: not known.
    """

    def __init__(self, loaded: Recommender, words: Mapping[str, Any]) -> None:
        """`words`: a filter, `exclude_seen` and `neighbours`, as for `Recommender.recommend`."""
        self.catalogue = loaded.bundle.catalogue
        self.data: DataSource | None = None
        self._loaded, self._words = loaded, words

    def lists(self, users: Sequence[str], ids: Ids, offsets: Ids, k: int) -> Iterator[Lists]:
        """See `Maker`."""
        keys = self.catalogue.keys
        id_of = {key: number for number, key in enumerate(keys)}
        explains = self._loaded.uses_neighbours(self._words["neighbours"])
        for first in range(0, len(users), TOGETHER):
            some = users[first : first + TOGETHER]
            items = np.zeros((len(some), min(k, len(keys) - 1)), dtype=np.int64)
            scores = np.zeros(items.shape, dtype=np.float32)
            because = np.zeros_like(items) if explains else None
            for row in range(len(some)):
                history = ids[offsets[first + row] : offsets[first + row + 1]]
                listed = self._loaded.recommend([keys[item] for item in history], k, **self._words)
                items[row, : len(listed)] = [id_of[one.key] for one in listed]
                scores[row, : len(listed)] = [one.score for one in listed]
                if because is not None:
                    because[row, : len(listed)] = [
                        0 if one.because is None else id_of[one.because] for one in listed
                    ]
            yield Lists(some, items, scores, because)
