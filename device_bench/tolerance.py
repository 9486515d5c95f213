"""What is good enough, in one table, and the judgement in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from device_bench.parity import TIE, Parity
from glint_edge.errors import BundleError


@dataclass(frozen=True)
class Tolerance:
    """How far an artifact may be from the float model over held-out histories.

    Attributes:
        score_error: most absolute error of any score; None: not bounded.
        same_top10: least share of users with the float model's top 10, up to ties.
        top10_overlap: least share of the float model's top 10, averaged over users.
        ndcg_loss: most that NDCG@10 may be below the float model's, relative to it. Above is no
            failure: rounding moves targets up as often as down, and few users show it.
        reason: why these.
    """

    score_error: float | None
    same_top10: float
    top10_overlap: float
    ndcg_loss: float
    reason: str


TOLERANCES: Mapping[str, Tolerance] = {
    "fp32": Tolerance(
        score_error=1e-4,
        same_top10=1.0,
        top10_overlap=0.0,
        ndcg_loss=1e-3,
        reason=(
            "the same arithmetic in another order: scores around 10 differ by some 1e-5. The top "
            f"10 is the same but for ties, float scores within {TIE:g}, which is what the overlap "
            "does not know. A swapped tie moves NDCG by less than 0.1 %."
        ),
    ),
    "int8": Tolerance(
        score_error=None,
        same_top10=0.0,
        top10_overlap=0.95,
        ndcg_loss=0.01,
        reason=(
            "256 levels move scores by a few percent of their spread: near the end of the top 10 "
            "items change places, and what counts is that recommendations stay as good."
        ),
    ),
}


def tolerance_of(precision: str) -> Tolerance:
    """Look a tolerance up.

    Raises:
        BundleError: this version knows no such precision.
    """
    if precision not in TOLERANCES:
        raise BundleError(
            f"this glint-edge cannot judge {precision!r} (it judges {', '.join(TOLERANCES)}); "
            "upgrade glint-edge"
        )
    return TOLERANCES[precision]


def judge(parity: Parity, tolerance: Tolerance) -> tuple[str, ...]:
    """What is out of tolerance, a sentence each; empty if nothing is."""
    failures = []
    if parity.unusable:
        failures.append(
            f"{parity.unusable:,} recommendations are no item of the catalogue or have a score "
            "that is no number"
        )
    # `not (… <= …)` throughout: a figure that is no number is out of tolerance.
    most, found = tolerance.score_error, parity.max_score_error
    if most is not None and found is not None and not found <= most:
        failures.append(f"a score differs from the float model's by {found:.3g} (at most {most:g})")
    if not parity.same_top10 >= tolerance.same_top10:
        other = round((1 - parity.same_top10) * parity.users)
        failures.append(
            f"{other:,} of {parity.users:,} users get another top 10 than from the float model"
        )
    if not parity.top10_overlap >= tolerance.top10_overlap:
        failures.append(
            f"the top-10 overlap with the float model is {parity.top10_overlap:.4f} "
            f"(at least {tolerance.top10_overlap:g})"
        )
    failures.extend(_judge_ndcg(parity, tolerance.ndcg_loss))
    return tuple(failures)


def _judge_ndcg(parity: Parity, most: float) -> list[str]:
    mine, theirs = parity.ndcg_at_10, parity.ndcg_at_10_float
    if mine is None or theirs is None or mine >= theirs * (1 - most):
        return []
    loss, error = 1 - mine / theirs, (parity.ndcg_standard_error or 0.0) / theirs
    return [
        f"NDCG@10 {mine:.4f} is {loss:.2%} below the float model's {theirs:.4f} "
        f"(at most {most:.1%}; over {parity.users:,} users its standard error is {error:.2%})"
    ]
