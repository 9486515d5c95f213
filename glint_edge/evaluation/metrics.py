"""Ranking figures of targets whose ranks are known: Recall, MRR and NDCG at k.

Each user has one target, so with r its rank among the ranked items

    Recall@k = [r ≤ k]    MRR@k = [r ≤ k] / r    NDCG@k = [r ≤ k] / log₂(r + 1)

averaged over users.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from glint_edge.errors import ConfigError


@dataclass(frozen=True)
class RankingMetrics:
    """Figures at k, each in [0, 1], averaged over users."""

    k: int
    users: int
    recall: float
    mrr: float
    ndcg: float

    def to_dict(self) -> dict[str, float | int]:
        """With k in the names, as every JSON of this project has them."""
        values = asdict(self)
        return {
            **{f"{name}_at_{self.k}": values[name] for name in ("recall", "mrr", "ndcg")},
            "users": self.users,
        }


def metrics_of_ranks(
    ranks: npt.NDArray[np.int64], k: int = 10, weights: npt.NDArray[np.float32] | None = None
) -> RankingMetrics:
    """Average the figures of targets at these ranks.

    Args:
        ranks: int64 [U], 1 is best; anything above k is a miss.
        k: the cut.
        weights: float32 [U], how much each target counts; None, or where none counts: all alike.
    """
    if len(ranks) == 0:
        raise ConfigError("there are no users to evaluate")
    hit = ranks <= k
    return RankingMetrics(
        k=k,
        users=len(ranks),
        recall=mean(hit, weights),
        mrr=mean(np.where(hit, 1.0 / ranks, 0.0), weights),
        ndcg=mean(ndcg_by_user(ranks, k), weights),
    )


def mean(
    values: npt.NDArray[np.float64] | npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float32] | None,
) -> float:
    """The mean of targets' values [U], by their weights [U]; alike where none has weight."""
    if weights is None or not weights.any():
        return float(values.mean())
    return float((values * weights.astype(np.float64)).sum() / weights.sum(dtype=np.float64))


def ndcg_by_user(ranks: npt.NDArray[np.int64], k: int = 10) -> npt.NDArray[np.float64]:
    """NDCG@k of each target: ranks int64 [U], 1 is best → float64 [U]."""
    return np.where(ranks <= k, 1.0 / np.log2(ranks + 1.0), 0.0)
