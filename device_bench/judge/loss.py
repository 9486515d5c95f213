"""What an artifact loses of NDCG@10 to the float model, how well that is known, and the verdict.

Both rank the same positions, so their difference is paired; positions of one user are alike, so
the user is the unit. The verdict is one of non-inferiority: an artifact fails where it is known to
lose too much, passes where it is known not to, and in between there are too few histories to tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device_bench.measure.statistics import CONFIDENCE, student_quantile
from glint_edge.tables import counted

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Loss:
    """A share of the float model's NDCG@10; negative where the artifact's is higher.

    Attributes:
        share: what is lost.
        low: it is more than this, with 95 % confidence.
        high: it is less than this, with 95 % confidence.
        positions: compared.
        users: whose they are.
    """

    share: float
    low: float
    high: float
    positions: int
    users: int


def ndcg_loss(mine: Values, floats: Values, users: npt.NDArray[np.int64]) -> Loss | None:
    """By the ratio of two sums and its linearised error, users drawn as wholes.

    Args:
        mine: NDCG@10 of the artifact's lists, float64 [P].
        floats: of the float model's.
        users: int64 [P], whose each position is.

    Returns:
        None for one user alone, or where the float model is never right: nothing can be lost.

    Source: Cochran, Sampling Techniques, 1977, 6.3 (the variance of a ratio).
    """
    _, number = np.unique(users, return_inverse=True)
    theirs = np.bincount(number, floats)
    lost = theirs - np.bincount(number, mine)
    count, whole = len(theirs), theirs.sum()
    if count < 2 or not whole > 0:
        return None
    share = lost.sum() / whole
    error = np.sqrt(count / (count - 1) * np.square(lost - share * theirs).sum()) / whole
    # As if one target more or less had been lost: few that are all alike are no proof.
    error = np.hypot(error, 1 / np.count_nonzero(floats))
    # Each end alone is passed by chance in 5 % of cases.
    reach = student_quantile(2 * CONFIDENCE - 1, count - 1) * error
    return Loss(float(share), float(share - reach), float(share + reach), len(mine), count)


def loss_failures(loss: Loss | None, most: float) -> tuple[str, ...]:
    """Whether more is lost than may be, with 95 % confidence; a sentence."""
    if loss is None or loss.low <= most:
        return ()
    return (
        f"NDCG@10 is {_beside(loss.share)} the float model's, and at least {loss.low:.2%} below "
        f"with 95 % confidence (at most {most:.1%}; {_over(loss)})",
    )


def loss_warnings(loss: Loss | None, most: float) -> tuple[str, ...]:
    """Whether too few histories were compared to tell; a sentence."""
    if loss is None:
        return ("cannot tell with these few histories what NDCG@10 the artifact loses",)
    if loss.low > most or loss.high <= most:
        return ()
    return (
        f"cannot tell with these few histories whether NDCG@10 is more than {most:.1%} below the "
        f"float model's: it is {_beside(loss.share)}, and may be {loss.high:.2%} below "
        f"({_over(loss)})",
    )


def _beside(share: float) -> str:
    return f"{abs(share):.2%} {'below' if share >= 0 else 'above'}"


def _over(loss: Loss) -> str:
    return f"over {counted(loss.positions, 'positions')} of {counted(loss.users, 'users')}"


def users_of(users: npt.NDArray[np.int64] | None, positions: int) -> npt.NDArray[np.int64]:
    """Whose each position is; None: no two are of one user."""
    return np.arange(positions) if users is None else users
