"""What the recommended lists are like, beside how often they are right.

With n_i how often item i of V stands in all lists, i in ascending order of n_i,

    coverage   the share of the catalogue with n_i > 0
    Gini       Σ (2i − V − 1) n_i / (V Σ n_i): 0 where all items are recommended alike, near 1 where
               one is recommended to all
    novelty    the mean of −log₂ of an item's share of the training interactions: bits of surprise
    repeats    the share of the recommended items that stand in the user's own history
    diversity  of a field: the share of a list's pairs of items with different values, of the pairs
               in which both have one; the mean over lists
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from glint_edge.data.sequences import HeldOut

Ids = npt.NDArray[np.int64]
Fields = Mapping[str, Mapping[str, str]]

CHUNK = 1 << 12  # lists looked at together
NO_VALUE = -1


@dataclass(frozen=True)
class ListFigures:
    """What all users' lists are like; see above.

    Attributes:
        coverage: in [0, 1].
        gini: in [0, 1].
        novelty: in bits.
        repeats: in [0, 1].
        diversity: in [0, 1], by field; None where no list has a pair of items with values.
    """

    coverage: float
    gini: float
    novelty: float
    repeats: float
    diversity: Mapping[str, float | None]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "coverage": self.coverage, "gini": self.gini, "novelty": self.novelty,
            "repeats": self.repeats, "diversity": dict(self.diversity),
        }  # fmt: skip


def list_figures(
    lists: Ids, held_out: HeldOut, counts: Ids, codes: Mapping[str, Ids] | None = None
) -> ListFigures:
    """What lists are like.

    Args:
        lists: int64 [U, k], a user's recommended ids; 0: fewer than k items were left.
        held_out: the histories that they are made from.
        counts: int64 [V + 1], training interactions by id.
        codes: int64 [V + 1] by field, as of `codes_of`.
    """
    listed = lists[lists > 0]
    times = np.bincount(listed, minlength=len(counts))[1:]
    share = np.maximum(counts, 1) / max(int(counts[1:].sum()), 1)  # one that was never met: as once
    return ListFigures(
        coverage=float((times > 0).mean()),
        gini=gini(times),
        novelty=float(-np.log2(share[listed]).mean()) if len(listed) else 0.0,
        repeats=_repeats(lists, held_out),
        diversity={name: _diversity(lists, of) for name, of in (codes or {}).items()},
    )


def gini(times: Ids) -> float:
    """How unevenly counts are spread: int64 [V] → 0, all alike, to 1 − 1/V, one has all."""
    total = int(times.sum())
    if total == 0:
        return 0.0
    place = np.arange(1, len(times) + 1)
    return float(((2 * place - len(times) - 1) * np.sort(times)).sum() / (len(times) * total))


def codes_of(keys: tuple[str, ...], values: Mapping[str, str]) -> Ids:
    """An item's value of a field as a number, equal where the value is; -1 without one: [V + 1]."""
    numbers = {value: number for number, value in enumerate(dict.fromkeys(values.values()))}
    return np.array([numbers[values[key]] if key in values else NO_VALUE for key in keys])


def _repeats(lists: Ids, held_out: HeldOut) -> float:
    """The share of the listed items that stand in their user's history."""
    again = 0
    for first in range(0, len(lists), CHUNK):
        some = lists[first : first + CHUNK]
        offsets = held_out.offsets[first : first + len(some) + 1]
        user = np.repeat(np.arange(len(some)), np.diff(offsets))
        most = max(int(held_out.ids.max(initial=0)), int(lists.max(initial=0))) + 1
        seen = user * most + held_out.ids[offsets[0] : offsets[-1]]
        shown = np.arange(len(some))[:, None] * most + some
        again += int((np.isin(shown, seen) & (some > 0)).sum())
    return again / max(int((lists > 0).sum()), 1)


def _diversity(lists: Ids, codes: Ids) -> float | None:
    """The mean share of pairs with different values, over lists with such a pair."""
    first, second = np.triu_indices(lists.shape[1], 1)
    total, users = 0.0, 0
    for at in range(0, len(lists), CHUNK):
        values = np.where(lists[at : at + CHUNK] > 0, codes[lists[at : at + CHUNK]], NO_VALUE)
        both = (values[:, first] != NO_VALUE) & (values[:, second] != NO_VALUE)
        unlike = (both & (values[:, first] != values[:, second])).sum(axis=1)
        pairs = both.sum(axis=1)
        total += float((unlike[pairs > 0] / pairs[pairs > 0]).sum())
        users += int((pairs > 0).sum())
    return total / users if users else None
