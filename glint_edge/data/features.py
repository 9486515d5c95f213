"""Which values of which fields each item has, as numbers for training; imports no torch."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEAST = 2  # items that a value must have: one of a single item teaches nothing of another

# By field, the values of each item that has some, by its key.
Values = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True, eq=False)
class Features:
    """The features of items; a feature is a field and one of its values.

    Attributes:
        pairs: (field, value), by the feature's number.
        numbers: int64 [n], features of row 0, row 1, … one after another.
        offsets: int64 [V + 2], where each row's begin, and the end; row 0 has none.
        separator: what stands between several values of a field in the table.
    """

    pairs: tuple[tuple[str, str], ...]
    numbers: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    separator: str | None = None

    @property
    def known(self) -> int:
        """How many items have one."""
        return int(np.count_nonzero(np.diff(self.offsets)))

    @property
    def digest(self) -> str:
        """Of all that a training depends on."""
        whole = hashlib.sha256(json.dumps([self.pairs, self.separator]).encode())
        whole.update(self.numbers.tobytes())
        whole.update(self.offsets.tobytes())
        return whole.hexdigest()


def features_of(
    keys: Sequence[str], values: Values, separator: str | None = None
) -> Features | None:
    """The features of items, rare ones left out; None: there are none.

    Args:
        keys: of the items, by row; `keys[0]` is "".
        values: as read of a table.
        separator: see `Features`.
    """
    wanted = frozenset(keys[1:])
    counts = Counter(
        (field, value)
        for field, of_items in values.items()
        for key, own in of_items.items()
        if key in wanted
        for value in dict.fromkeys(own)
    )
    pairs = tuple(pair for pair, count in sorted(counts.items()) if count >= LEAST)
    if not pairs:
        return None
    number = {pair: at for at, pair in enumerate(pairs)}
    rows = [numbers_of(key, values, number) for key in keys]
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    return Features(pairs, np.array([n for row in rows for n in row], np.int64), offsets, separator)


def numbers_of(key: str, values: Values, number: Mapping[tuple[str, str], int]) -> list[int]:
    """The features that an item has, by number, in ascending order."""
    own = ((field, value) for field, of in values.items() for value in of.get(key, ()))
    return sorted({number[pair] for pair in own if pair in number})
