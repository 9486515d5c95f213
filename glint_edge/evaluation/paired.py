"""Whether one ranks better than another on the same users, or whether that may be noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from glint_edge.data.sequences import Weights
from glint_edge.evaluation.metrics import RankingMetrics, mean, ndcg_by_user
from glint_edge.evaluation.slices import half_width
from glint_edge.tables import counted

Ranks = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Difference:
    """The mean of one's figure less another's, user by user.

    Attributes:
        mean: of the differences, in [-1, 1].
        half_width: of its 95 % interval, which is narrower than that of two separate samples.
    """

    mean: float
    half_width: float

    @classmethod
    def of(cls, values: npt.NDArray[np.float64], weights: Weights | None = None) -> Difference:
        """Of the differences float64 [U], each of which counts its weight, float32 [U]."""
        return cls(mean(values, weights), half_width(values, weights))

    @property
    def verdict(self) -> str:
        """Which is better, if that is more than noise."""
        if abs(self.mean) <= self.half_width:
            return "level"
        return "better" if self.mean > 0 else "worse"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"difference": self.mean, "half_width": self.half_width, "verdict": self.verdict}


@dataclass(frozen=True)
class Comparison:
    """One's figures less another's, on the same users.

    Attributes:
        other: what it is compared with, in words.
        figures: the other's.
        hits: the difference of Recall@k: how often the target is in the top k.
        ndcg: the difference of NDCG@k.
    """

    other: str
    figures: RankingMetrics
    hits: Difference
    ndcg: Difference

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        k = self.figures.k
        return {
            **self.figures.to_dict(),
            f"recall_at_{k}_paired": self.hits.to_dict(),
            f"ndcg_at_{k}_paired": self.ndcg.to_dict(),
        }


def compare(
    other: str,
    figures: RankingMetrics,
    ours: Ranks,
    theirs: Ranks,
    weights: Weights | None = None,
) -> Comparison:
    """Compare ranks of the same targets.

    Args:
        other: what "theirs" are.
        figures: of "theirs", at the same k.
        ours: int64 [U], 1 is best.
        theirs: int64 [U], of the same users.
        weights: float32 [U], how much each target counts; None: all alike.
    """
    k = figures.k
    hits = (ours <= k).astype(np.float64) - (theirs <= k)
    ndcg = ndcg_by_user(ours, k) - ndcg_by_user(theirs, k)
    return Comparison(other, figures, Difference.of(hits, weights), Difference.of(ndcg, weights))


def verdict(
    figures: RankingMetrics, baselines: Mapping[str, Comparison], new: RankingMetrics | None = None
) -> str:
    """One line: how often the target is in the top k, and whether more often than of baselines.

    Args:
        figures: of all targets.
        baselines: the same model beside each.
        new: of the targets that are new to their users, where others are not.
    """
    against = [
        f"{_judged(one.hits)} {name} ({one.figures.recall:.1%}, {_points(one.hits)})"
        for name, one in baselines.items()
    ]
    return (
        f"the held-out item is in the top {figures.k} for {figures.recall:.1%} of "
        f"{counted(figures.users, 'users')}{_of_new(new)}: {', '.join(against)}"
    )


def _of_new(new: RankingMetrics | None) -> str:
    return f" ({new.recall:.1%} where it is new to the user)" if new else ""


def comparison_line(name: str, figures: RankingMetrics, one: Comparison) -> str:
    """One line: which of two models is better."""
    k = figures.k
    word = {"level": "no different from", "better": "better than", "worse": "worse than"}
    beyond = " beyond noise" if one.ndcg.verdict == "level" else ""
    return (
        f"{name} is {word[one.ndcg.verdict]} {one.other}{beyond}, on the same {figures.users:,} "
        f"users: NDCG@{k} {figures.ndcg:.4f} and {one.figures.ndcg:.4f}, "
        f"{one.ndcg.mean:+.4f} ± {one.ndcg.half_width:.4f}; in the top {k} {figures.recall:.1%} "
        f"and {one.figures.recall:.1%}, {_points(one.hits)}"
    )


def _judged(hits: Difference) -> str:
    return {"level": "level with", "better": "better than", "worse": "worse than"}[hits.verdict]


def _points(hits: Difference) -> str:
    return f"{100 * hits.mean:+.1f} ± {100 * hits.half_width:.1f} points"
