"""Interaction logs as per-user item sequences, and their leave-one-out split.

    parts = load_log("ml-100k").split()    # or the path of a log, see glint_edge/data/log.py
    parts.train_ids, parts.train_offsets   # every history without its last two items
    parts.validation().targets             # the last but one item of every user
    parts.test().targets                   # the last item of every user

Many sequences of different lengths are one flat array and the offsets at which each starts:
sequence u is `ids[offsets[u]:offsets[u + 1]]`. Nothing here loops over users.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glint_edge.errors import DataError

__all__ = ["HeldOut", "Sequences", "Split", "require_trainable", "split"]

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """What every user of a log did, in order.

    An item's id is its rank by popularity: 1 is the most frequent item where nothing is held out,
    which is each user's last two; of equally frequent items the one that comes first in the log has
    the lower id.

    Attributes:
        name: the data's name: a key of `NAMED` or the file's name.
        keys: an item's key in the log, by id; `keys[0]` is "", padding or an unknown item.
        ids: int64 [T], all users' items, user after user, each in time order.
        offsets: int64 [U + 1], where each user's items start, and T.
        users: the users' keys in the log, in order of first appearance in the file.
        titles: titles by item key; empty where the log has none.
        dropped: how many interactions or users were left out, by reason; only what occurred.
    """

    name: str
    keys: tuple[str, ...]
    ids: Ids
    offsets: Ids
    users: tuple[str, ...]
    titles: Mapping[str, str]
    dropped: Mapping[str, int]

    def __repr__(self) -> str:
        return (
            f"Sequences({self.name!r}: {len(self)} users, {self.item_count} items, "
            f"{self.interactions} interactions)"
        )

    def __len__(self) -> int:
        """Number of users U."""
        return len(self.users)

    @property
    def item_count(self) -> int:
        """Number of items V; ids run from 1 to V."""
        return len(self.keys) - 1

    @property
    def interactions(self) -> int:
        """Number of interactions T."""
        return len(self.ids)

    @property
    def mean_length(self) -> float:
        """Interactions per user."""
        return self.interactions / len(self)

    @property
    def has_repeats(self) -> bool:
        """Whether some user has an item twice."""
        user = np.repeat(np.arange(len(self)), np.diff(self.offsets))
        known = self.ids > 0
        pairs = user[known] * (self.item_count + 1) + self.ids[known]
        return len(np.unique(pairs)) < len(pairs)

    def digest(self) -> str:
        """Of all that a training sees: the keys, and who has which of them in which order."""
        digest = hashlib.sha256(json.dumps(self.keys).encode())
        digest.update(self.ids.astype("<i8").tobytes())
        digest.update(self.offsets.astype("<i8").tobytes())
        return digest.hexdigest()

    def history(self, user: int) -> Ids:
        """A view of user number `user`'s items, int64, in time order."""
        return self.ids[self.offsets[user] : self.offsets[user + 1]]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """One item of every user to be predicted from the items before it; or several of each.

    Attributes:
        ids: int64 [T'], the histories before the targets.
        offsets: int64 [U + 1], where each history starts, and T'.
        targets: int64 [U], the item that follows each history.
        users: int64 [U], whose each history is; None: no two are of one user.
    """

    ids: Ids
    offsets: Ids
    targets: Ids
    users: Ids | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Leave-one-out: a user's last item is for the test, the one before for validation.

    Attributes:
        sequences: what was split.
        train_ids: int64 [T − 2U], every history without its last two items.
        train_offsets: int64 [U + 1], where each starts, and T − 2U.
    """

    sequences: Sequences
    train_ids: Ids
    train_offsets: Ids

    @property
    def item_count(self) -> int:
        """Number of items V."""
        return self.sequences.item_count

    @property
    def predictions(self) -> int:
        """How many items of the training sequences follow another."""
        return len(self.train_ids) - len(self.sequences)

    def training(self) -> tuple[Ids, Ids]:
        """The training sequences: int64 [T − 2U], and int64 [U + 1], where each starts."""
        return self.train_ids, self.train_offsets

    def counts(self) -> Ids:
        """How often each item stands in the training sequences: int64 [V + 1], by id."""
        return np.bincount(self.train_ids, minlength=self.sequences.item_count + 1)

    def popularity(self) -> Ids:
        """How often each item stands in all sequences, held-out items too: int64 [V + 1], by id."""
        return np.bincount(self.sequences.ids, minlength=self.sequences.item_count + 1)

    def validation(self) -> HeldOut:
        """Each user's last but one item after the training items."""
        whole = self.sequences
        return HeldOut(self.train_ids, self.train_offsets, whole.ids[whole.offsets[1:] - 2])

    def test(self) -> HeldOut:
        """Each user's last item after all others, the validation item among them."""
        whole = self.sequences
        return HeldOut(*_without_last(whole, 1), whole.ids[whole.offsets[1:] - 1])


def require_trainable(name: str, predictions: int) -> None:
    """Refuse to train where nothing follows anything.

    Args:
        name: of the log.
        predictions: how many items of its training sequences follow another.

    Raises:
        DataError: there is none.
    """
    if predictions == 0:
        raise DataError(
            f"{name}: each user has three items, of which two are held out, so that nothing is "
            "left to learn; pass a log in which some users have four or more"
        )


def split(sequences: Sequences) -> Split:
    """Split leave-one-out.

    Raises:
        DataError: a user has fewer than three items: one to train on and two to hold out.
    """
    if np.diff(sequences.offsets).min(initial=3) < 3:
        raise DataError(
            f"{sequences.name} has users with fewer than 3 items, which cannot be split; "
            "read it with min_length=3"
        )
    return Split(sequences, *_without_last(sequences, 2))


def _without_last(sequences: Sequences, count: int) -> tuple[Ids, Ids]:
    """All sequences without their last `count` items, as ids and offsets."""
    offsets = sequences.offsets - count * np.arange(len(sequences) + 1)
    shift = np.repeat(count * np.arange(len(sequences)), np.diff(offsets))
    return sequences.ids[np.arange(offsets[-1]) + shift], offsets
