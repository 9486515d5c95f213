"""Interaction logs as per-user item sequences, and their split.

    parts = load_log("ml-100k").split()    # or the path of a log, see glint_edge/data/log.py
    parts.train_ids, parts.train_offsets   # every history without what is held out
    parts.validation().targets             # leave-one-out: the last but one item of every user
    parts.test().targets                   # the last item of every user

Many sequences of different lengths are one flat array and the offsets at which each starts:
sequence u is `ids[offsets[u]:offsets[u + 1]]`. Nothing here loops over users.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from glint_edge.data.catalogue import Catalogue
from glint_edge.data.sequencing.parts import NONE, Parts
from glint_edge.errors import DataError

__all__ = ["HeldOut", "Sequences", "Split", "require_trainable", "split"]

Ids = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float32]
_Number = TypeVar("_Number", np.int64, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """What every user of a log did, in order.

    An item's id is its rank by popularity among what is trained on, 1 the most frequent; of equally
    frequent items the one that comes first in the log has the lower id.

    Attributes:
        name: the data's name: a key of `NAMED` or the file's name.
        keys: an item's key in the log, by id; `keys[0]` is "", padding or an unknown item.
        ids: int64 [T], all users' items, user after user, each in time order.
        offsets: int64 [U + 1], where each user's items start, and T.
        users: the users' keys in the log, in order of first appearance in the file.
        titles: titles by item key; empty where the log has none.
        dropped: how many interactions or users were left out, by reason; only what occurred.
        parts: how they are split; None: leave-one-out.
        weights: float32 [T], how much each item counts as a target; None: all count 1.
    """

    name: str
    keys: tuple[str, ...]
    ids: Ids
    offsets: Ids
    users: tuple[str, ...]
    titles: Mapping[str, str]
    dropped: Mapping[str, int]
    parts: Parts | None = None
    weights: Weights | None = None

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
    def untrained(self) -> int:
        """How many items stand in no training sequence; of leave-one-out it is not counted, 0."""
        if self.parts is None:
            return 0
        trained, _ = _heads(self.ids, self.offsets[:-1], self.parts.learnt)
        return self.item_count - len(np.unique(trained[trained > 0]))

    def digest(self) -> str:
        """Of all that a training sees: the keys, who has which of them in which order, weights."""
        digest = hashlib.sha256(json.dumps(self.keys).encode())
        digest.update(self.ids.astype("<i8").tobytes())
        digest.update(self.offsets.astype("<i8").tobytes())
        if self.parts is not None:
            for places in (self.parts.learnt, self.parts.validation, self.parts.test):
                digest.update(places.astype("<i8").tobytes())
        if self.weights is not None:
            digest.update(self.weights.astype("<f4").tobytes())
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
        weights: float32 [U], how much each target counts; None: all count 1.
    """

    ids: Ids
    offsets: Ids
    targets: Ids
    users: Ids | None = None
    weights: Weights | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """What is trained on, and what is held out.

    Attributes:
        sequences: what was split.
        parts: how.
        train_ids: int64 [L], the first items of every history, those to train on.
        train_offsets: int64 [U + 1], where each starts, and L.
    """

    sequences: Sequences
    parts: Parts
    train_ids: Ids
    train_offsets: Ids

    @property
    def item_count(self) -> int:
        """Number of items V."""
        return self.sequences.item_count

    @property
    def catalogue(self) -> Catalogue:
        """The items, as the log shows them."""
        return Catalogue(self.sequences.keys, self.sequences.titles)

    @property
    def splitting(self) -> bool:
        """Whether it is not leave-one-out."""
        return self.sequences.parts is not None

    @property
    def predictions(self) -> int:
        """How many items of the training sequences follow another."""
        return int(np.maximum(np.diff(self.train_offsets) - 1, 0).sum())

    def training(self) -> tuple[Ids, Ids]:
        """The training sequences: int64 [L], and int64 [U + 1], where each starts."""
        return self.train_ids, self.train_offsets

    def training_parts(self) -> Iterator[tuple[Ids, Ids]]:
        """The same, all at once."""
        yield self.training()

    def train_weights(self) -> Weights | None:
        """How much each item of the training sequences counts: float32 [L]; None: all count 1."""
        whole = self.sequences
        if whole.weights is None:
            return None
        return _heads(whole.weights, whole.offsets[:-1], self.parts.learnt)[0]

    def counts(self) -> Ids:
        """How often each item stands in the training sequences: int64 [V + 1], by id."""
        return np.bincount(self.train_ids, minlength=self.sequences.item_count + 1)

    def popularity(self) -> Ids:
        """How often each item stands in all sequences, held-out items too: int64 [V + 1], by id."""
        return np.bincount(self.sequences.ids, minlength=self.sequences.item_count + 1)

    def validation(self) -> HeldOut:
        """The item to validate on of each user who has one, after all before it."""
        return self._held_out(self.parts.validation)

    def test(self) -> HeldOut:
        """The item to test on of each user who has one, after all before it."""
        return self._held_out(self.parts.test)

    def _held_out(self, places: Ids) -> HeldOut:
        whole = self.sequences
        return held_out_at(whole.ids, whole.offsets, places, whole.weights)


def require_trainable(name: str, predictions: int, items: int, *, cut: bool = False) -> None:
    """Refuse to train where nothing follows anything, or always the same does.

    Args:
        name: of the log.
        predictions: how many items of its training sequences follow another.
        items: of its catalogue.
        cut: the log is not split leave-one-out.

    Raises:
        DataError: there is nothing to learn.
    """
    if items == 1:
        raise DataError(
            f"{name}: all interactions are with one item, so that there is nothing to learn; see "
            "whether the item's column is the right one"
        )
    if predictions == 0:
        why = (
            "no user has two items before the cut, so that nothing is left to learn; cut it later"
            if cut else
            "each user has three items, of which two are held out, so that nothing is left to "
            "learn; pass a log in which some users have four or more"
        )  # fmt: skip
        raise DataError(f"{name}: {why}")


def split(sequences: Sequences) -> Split:
    """Split as the sequences say, or else leave-one-out.

    Raises:
        DataError: leave-one-out, a user has fewer than three items: one to train on and two to hold
            out.
    """
    lengths = np.diff(sequences.offsets)
    parts = sequences.parts
    if parts is None:
        if lengths.min(initial=3) < 3:
            raise DataError(
                f"{sequences.name} has users with fewer than 3 items, which cannot be split; "
                "read it with min_length=3"
            )
        parts = Parts.leave_one_out(lengths)
    return Split(sequences, parts, *_heads(sequences.ids, sequences.offsets[:-1], parts.learnt))


def held_out_at(ids: Ids, offsets: Ids, places: Ids, weights: Weights | None = None) -> HeldOut:
    """One item of each sequence, after those before it.

    Args:
        ids: int64 [T], sequence after sequence.
        offsets: int64 [U + 1], where each starts, and T.
        places: int64 [U], of the items in their sequences; users with -1 are left out.
        weights: float32 [T], how much each item counts as a target.
    """
    users = places != NONE
    starts, lengths = offsets[:-1][users], places[users]
    targets = starts + lengths
    own = None if weights is None else weights[targets]
    return HeldOut(*_heads(ids, starts, lengths), ids[targets], weights=own)


def repeats(held_out: HeldOut) -> npt.NDArray[np.bool_]:
    """Whether each target stands in its own history: bool [U]; an unknown one, 0, does not."""
    again = held_out.ids == np.repeat(held_out.targets, np.diff(held_out.offsets))
    before = np.concatenate([[0], again.cumsum()])
    return (before[held_out.offsets[1:]] > before[held_out.offsets[:-1]]) & (held_out.targets > 0)


def repeat_share(*held_out: HeldOut) -> float:
    """The share of the targets, of all parts together, that stand in their own history."""
    again = np.concatenate([repeats(part) for part in held_out])
    return float(again.mean()) if len(again) else 0.0


def _heads(
    ids: npt.NDArray[_Number], starts: Ids, lengths: Ids
) -> tuple[npt.NDArray[_Number], Ids]:
    """So many items, or their weights, from each start, and offsets."""
    offsets = np.concatenate([[0], lengths.cumsum()])
    shift = np.repeat(starts - offsets[:-1], lengths)
    return ids[np.arange(offsets[-1]) + shift], offsets
