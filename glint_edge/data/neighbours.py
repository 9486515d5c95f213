"""The neighbours' expert: which items stand near which in histories; imports numpy alone.

Of each item the nearest few are kept, with weights that sum to 1. A history's expert e is the mean
of its last items' rows, each step back counting `decay` times as much as the one after it:

    e = Σ_s decay^s · row(h_{last − s}) / Σ_s decay^s,    s = 0 … last − 1

but one of these items itself has e = 0, unless it is its own neighbour: what is never taken again
is not brought back by what stands near it. What a list's scores gain is c · log(1 + γ e), a bias
like those of filters. An item that is unknown, or was added after the training, has no neighbours
and counts as a step.

`neighbours.bin`, the same bytes in a checkpoint and in a bundle; little endian:

  0   4 bytes             the magic, b"GENB"
  4   uint32              version of this format: 1
  8   uint32              rows, the table's when it was counted: later ids have no neighbours
 12   uint32              n, neighbours of all rows together
 16   uint32              bytes of an id: 2, or 4
 20   uint32              last, items of a history that count
 24   float32             decay
 28   float32             c
 32   float32             γ
 36   uint32              0
 40   (rows + 1) × uint32 where each row's neighbours start, and n
  …   rows × float32      scale: a weight is scale · q
  …   n × uint8           q, 1 to 255
  …   n × uint16 or 32    ids, ascending in each row
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from glint_edge.json_files import Fault

MAGIC, VERSION = b"GENB", 1
HEAD = struct.Struct("<4s5I3fI")
LAST, DECAY = 8, 0.7
MOST_C, MOST_GAMMA, MOST_LAST = 10.0, 1e6, 64
ROUNDING = 1e-4  # of the bias, relative to the largest: what a sum in float32 may lose

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Newer(Fault):
    """A file of a later version, in words that follow its name."""


class Pulls(NamedTuple):
    """What neighbours do to scores after a history.

    Attributes:
        items: int64 [n], ascending, whose scores gain.
        gains: float64 [n].
        because: int64 [n], the history's item that brings it the most; of equals the later one.
    """

    items: Ids
    gains: Floats
    because: Ids

    def reasons(self, items: Sequence[int]) -> list[int | None]:
        """Of each item, because of what its score gains; None: it does not."""
        brought = dict(zip(self.items.tolist(), self.because.tolist(), strict=True))
        return [brought.get(item) for item in items]


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest items of each, and how much they count.

    Attributes:
        starts: int64 [rows + 1], where each row's neighbours start, and n.
        scales: float32 [rows].
        weights: uint8 [n], times the row's scale.
        ids: int64 [n], ascending in each row.
        c: how much a list's scores gain at most, relative to log(1 + γ).
        gamma: how soon they gain it.
        last: items of a history that count.
        decay: of an item one step further back, relative to the one after it.
    """

    starts: Ids
    scales: npt.NDArray[np.float32]
    weights: npt.NDArray[np.uint8]
    ids: Ids
    c: float
    gamma: float
    last: int = LAST
    decay: float = DECAY

    def __repr__(self) -> str:
        return f"Neighbours({self.rows - 1:,} items, {len(self.ids):,} neighbours, c {self.c:g})"

    @property
    def rows(self) -> int:
        """Of the table when it was counted, row 0 among them."""
        return len(self.scales)

    @property
    def most(self) -> int:
        """Neighbours of an item, at most."""
        return int(np.diff(self.starts).max(initial=0))

    @property
    def error(self) -> float:
        """Most that the bias of another machine may differ."""
        return ROUNDING * self.c * math.log1p(self.gamma)

    def pulls(self, history: Sequence[int]) -> Pulls:
        """What scores gain after a history of ids, oldest first."""
        ids, length = np.array(history, dtype=np.int64), np.array([len(history)])
        near, _, item, share = self._parts(ids, length, length)  # of history 0
        order = np.lexsort((-share, near))  # of equals the later item, which comes first
        near, share, item = near[order], share[order], item[order]
        first = np.flatnonzero(np.diff(near, prepend=-1))
        sums = np.add.reduceat(share, first) if len(first) else share
        return Pulls(near[first], self.gain(sums), item[first])

    def experts(self, ids: Ids, ends: Ids, lengths: Ids) -> tuple[Ids, Ids, Floats]:
        """The experts after many histories, where they are not 0.

        Args:
            ids: int64 [T], history after history.
            ends: int64 [B], where each ends in `ids`.
            lengths: int64 [B], its items.

        Returns:
            Numbers of histories int64 [n], items int64 [n], both ascending, and e float64 [n].
        """
        each, _, _, share = self._parts(ids, ends, lengths)
        pairs, place = np.unique(each, return_inverse=True)
        sums = np.bincount(place, share, len(pairs)).astype(np.float64)
        return pairs // self.rows, pairs % self.rows, sums

    def _parts(self, ids: Ids, ends: Ids, lengths: Ids) -> tuple[Ids, Ids, Ids, Floats]:
        """What each step of many histories adds to each neighbour of its item.

        Args: those of `experts`.

        Returns:
            Pairs of a history and a neighbour, as the history's number times `rows` plus the
            neighbour's id; steps back, and the items there: int64 [n] each; and how much the
            neighbours get, float64 [n].
        """
        shares = self.decay ** np.arange(self.last)
        steps = np.minimum(lengths, self.last)
        history, step = np.nonzero(np.arange(self.last) < steps[:, None])
        item = ids[ends[history] - 1 - step]
        item[item >= self.rows] = 0
        first, sizes = self.starts[item], (self.starts[item + 1] - self.starts[item]) * (item > 0)
        # One number a neighbour: of which step it is, and where it stands.
        of = np.repeat(np.arange(len(item)), sizes)
        at = np.arange(len(of)) + np.repeat(first - np.cumsum(sizes) + sizes, sizes)
        weights = self.weights[at] * self.scales[item].astype(np.float64)[of]
        weights *= (shares[step] / np.cumsum([0.0, *shares])[steps][history])[of]
        near = self.ids[at]
        pairs = history[of] * self.rows + near
        # An item that counts, and is not near itself, gains nothing.
        again = np.zeros(len(item), dtype=np.bool_)
        again[of[near == item[of]]] = True
        taken = np.sort((history * self.rows + item)[~again])
        gains = np.append(taken, -1)[np.searchsorted(taken, pairs)] != pairs
        of = of[gains]
        return pairs[gains], step[of], item[of], weights[gains]

    def gain(self, expert: Floats) -> Floats:
        """What scores gain by an expert: c · log(1 + γ e)."""
        return self.c * np.log1p(self.gamma * expert)

    def bias(self, history: Sequence[int], rows: int) -> npt.NDArray[np.float32]:
        """What the scores gain after a history: float32 [1, rows], of a table that may be longer.

        Args:
            history: ids, oldest first.
            rows: of the table.
        """
        bias = np.zeros((1, rows), dtype=np.float32)
        pulls = self.pulls(history)
        bias[0, pulls.items] = pulls.gains
        return bias

    def reasons(self, ids: Ids, ends: Ids, lengths: Ids, lists: Ids) -> Ids:
        """`Pulls.because` in the lists after many histories: int64 [B, k]; 0: nothing brought it.

        Args: those of `experts`; and `lists`, int64 [B, k], 0: none.
        """
        pairs, step, item, share = self._parts(ids, ends, lengths)
        listed = np.where(lists < self.rows, lists, 0) + np.arange(len(lists))[:, None] * self.rows
        places, place_of = np.unique(listed, return_inverse=True)
        place = np.searchsorted(places, pairs)
        there = np.flatnonzero(np.append(places, -1)[place] == pairs)
        # Of several that are written to one place the last stays.
        there = there[np.lexsort((-step[there], share[there]))]
        brought = np.zeros(len(places), dtype=np.int64)
        brought[place[there]] = item[there]
        return brought[place_of].reshape(lists.shape)

    def to_bytes(self) -> bytes:
        """As `neighbours.bin` has it."""
        id_bytes = 2 if self.rows <= 1 << 16 else 4
        head = HEAD.pack(
            MAGIC, VERSION, self.rows, len(self.ids), id_bytes, self.last, self.decay, self.c,
            self.gamma, 0,
        )  # fmt: skip
        arrays = (
            self.starts.astype("<u4"), self.scales.astype("<f4"), self.weights,
            self.ids.astype(f"<u{id_bytes}"),
        )  # fmt: skip
        return head + b"".join(array.tobytes() for array in arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Neighbours:
        """Inverse of `to_bytes`.

        Raises:
            Fault: the bytes are damaged, or of a later version.
        """
        if len(data) < HEAD.size or data[:4] != MAGIC:
            raise Fault("is damaged (its beginning is another file's)")
        _, version, rows, count, id_bytes, last, decay, c, gamma, zero = HEAD.unpack_from(data)
        if version > VERSION:
            raise Newer(f"has version {version}, this glint-edge reads {VERSION}")
        if version != VERSION or zero or id_bytes not in (2, 4) or rows < 2:
            raise Fault("is damaged (its head)")
        if id_bytes == 2 and rows > 1 << 16:
            raise Fault("is damaged (its ids do not fit into two bytes)")
        if len(data) != HEAD.size + 4 * (rows + 1) + 4 * rows + count * (1 + id_bytes):
            raise Fault(f"is damaged (its size is not that of {rows:,} rows)")
        _check_numbers(last, decay, c, gamma)
        at = HEAD.size
        starts = np.frombuffer(data, "<u4", rows + 1, at).astype(np.int64)
        scales = np.frombuffer(data, "<f4", rows, at := at + 4 * (rows + 1)).astype(np.float32)
        weights = np.frombuffer(data, np.uint8, count, at := at + 4 * rows)
        ids = np.frombuffer(data, f"<u{id_bytes}", count, at + count).astype(np.int64)
        _check_arrays(starts, scales, weights, ids)
        return cls(starts, scales, weights, ids, c, gamma, last, decay)


def _check_numbers(last: int, decay: float, c: float, gamma: float) -> None:
    # NaN fails every comparison.
    if not 0 <= c <= MOST_C:
        raise Fault(f"is damaged (c is {c:g})")
    if not 0 < gamma <= MOST_GAMMA:
        raise Fault(f"is damaged (gamma is {gamma:g})")
    if not 0 < decay <= 1 or not 1 <= last <= MOST_LAST:
        raise Fault(f"is damaged (its decay is {decay:g}, over {last:,} items)")


def _check_arrays(
    starts: Ids, scales: npt.NDArray[np.float32], weights: npt.NDArray[np.uint8], ids: Ids
) -> None:
    sizes = np.diff(starts)
    if starts[0] != 0 or starts[-1] != len(ids) or (sizes < 0).any():
        raise Fault("is damaged (where its rows start)")
    if not (np.isfinite(scales) & (scales >= 0) & ((scales > 0) | (sizes == 0))).all():
        raise Fault("is damaged (a scale)")
    if not weights.all():
        raise Fault("is damaged (a weight is 0)")
    if len(ids) and not 1 <= ids.min() <= ids.max() < len(scales):
        raise Fault("is damaged (an id)")
    first = np.zeros(len(ids) + 1, dtype=bool)
    first[starts[:-1]] = True
    if not (first[1:-1] | (np.diff(ids) > 0)).all():
        raise Fault("is damaged (the order of its ids)")
