"""Where a model is good: figures by history length, the target's popularity, and repeats."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from glint_edge.evaluation.metrics import RankingMetrics, mean, metrics_of_ranks, ndcg_by_user

COLD = 5  # items: a user with so many or fewer is cold
LENGTHS = (COLD, 10, 20, 50, 100, 200)
# Shares of the catalogue, the most popular first.
POPULARITY = (0.01, 0.1, 0.5, 1.0)
NEW = "target: new"  # to its user
Z = 1.96  # of a 95 % interval


@dataclass(frozen=True)
class Slice:
    """Some of the users.

    Attributes:
        by: "all", "history", "popularity" or "repeats".
        name: which of them, for people: "6-10 items" of history, or "target: 1%-10%", counted from
            the most popular item; "untrained" targets are in no training sequence, those "again"
            stand in their own history, those "new" do not.
        figures: the model's, of the last N items of each history.
        half_width: of the 95 % interval of its NDCG; of a dozen users it is wide, and says so.
        beside: others' figures on the same users: whole histories, baselines.
    """

    by: str
    name: str
    figures: RankingMetrics
    half_width: float
    beside: Mapping[str, RankingMetrics]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        figures = self.figures.to_dict()
        return {
            "by": self.by,
            "name": self.name,
            **figures,
            f"ndcg_at_{self.figures.k}_half_width": self.half_width,
            "beside": {name: metrics.to_dict() for name, metrics in self.beside.items()},
        }


def slices(
    ranks: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    popularity: npt.NDArray[np.int64],
    catalogue: int,
    *,
    k: int = 10,
    beside: Mapping[str, npt.NDArray[np.int64]] | None = None,
    weights: npt.NDArray[np.float32] | None = None,
    again: npt.NDArray[np.bool_] | None = None,
) -> list[Slice]:
    """Figures of all users, by history length, by the target's popularity, and by repeats.

    No slice is empty.

    Args:
        ranks: int64 [U], of the targets, 1 is best.
        lengths: int64 [U], items of each history.
        popularity: int64 [U], the target's place among the items by training interactions, from 1;
            0 where it has none.
        catalogue: V.
        k: the cut.
        beside: int64 [U] ranks of others, by name.
        weights: float32 [U], how much each target counts; None: all alike.
        again: bool [U], whether the target stands in its history; where some do, they are told
            apart.
    """
    chosen = {("all", "all users"): np.ones(len(ranks), dtype=bool)}
    chosen |= {("history", name): users for name, users in length_bands(lengths).items()}
    place = popularity / catalogue
    chosen["popularity", "target: untrained"] = popularity == 0
    share = 0.0
    for next_share in POPULARITY:
        name = f"target: {share:.0%}-{next_share:.0%}"
        chosen["popularity", name] = (popularity > 0) & (place > share) & (place <= next_share)
        share = next_share
    if again is not None and again.any():
        chosen["repeats", "target: again"], chosen["repeats", NEW] = again, ~again
    return [
        _slice(by, name, users, ranks, k, beside or {}, weights)
        for (by, name), users in chosen.items()
        if users.any()
    ]


def length_bands(lengths: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.bool_]]:
    """Who has a history of so many items, by a name for people: lengths int64 [U] → bool [U] each.

    A band may be empty.
    """
    bands = {}
    low = 0
    for high in (*LENGTHS, math.inf):
        name = f"{low + 1}-{high} items" if math.isfinite(high) else f"over {low} items"
        name = f"{name} (cold)" if high == COLD else name
        bands[name] = (lengths > low) & (lengths <= high)
        low = int(high) if math.isfinite(high) else low
    return bands


def _slice(
    by: str,
    name: str,
    users: npt.NDArray[np.bool_],
    ranks: npt.NDArray[np.int64],
    k: int,
    beside: Mapping[str, npt.NDArray[np.int64]],
    weights: npt.NDArray[np.float32] | None,
) -> Slice:
    own = None if weights is None else weights[users]
    return Slice(
        by=by,
        name=name,
        figures=metrics_of_ranks(ranks[users], k, own),
        half_width=half_width(ndcg_by_user(ranks[users], k), own),
        beside={other: metrics_of_ranks(theirs[users], k, own) for other, theirs in beside.items()},
    )


def half_width(
    values: npt.NDArray[np.float64], weights: npt.NDArray[np.float32] | None = None
) -> float:
    """Half the 95 % interval of the mean of figures in [0, 1], float64 [U].

    With weights, float32 [U], of their weighted mean; it is as wide as that of (Σw)² / Σw² users.

    The normal one by the figures' spread, but never below 3 / U. A dozen users without a hit have
    no spread, yet one user in four may be a hit: of U users without one, the interval's end is
    3 / U (the rule of three: Hanley and Lippman-Hand, JAMA 249, 1983).
    """
    users = float(len(values))
    spread = float(values.std(ddof=1)) if users > 1 else 1.0
    if weights is not None and weights.any():
        w = weights.astype(np.float64)
        users = float(w.sum() ** 2 / (w**2).sum())
        squares = (w * (values - mean(values, weights)) ** 2).sum() / w.sum()
        spread = math.sqrt(squares * users / (users - 1)) if users > 1 else 1.0
    normal = Z * spread / math.sqrt(users) if users > 1 else 1.0
    return min(1.0, max(normal, 3.0 / users))


def popularity_ranks(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Each item's place by training interactions: counts int64 [V + 1] → int64 [V + 1].

    1 is the most frequent; of equals the lower id comes first; 0 where there is none.
    """
    places = np.zeros(len(counts), dtype=np.int64)
    order = np.argsort(-counts[1:], kind="stable") + 1
    places[order] = np.arange(1, len(counts))
    places[counts == 0] = 0
    return places
