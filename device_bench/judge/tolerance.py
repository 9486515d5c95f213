"""What is good enough, in one table, and the judgement in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from device_bench.judge.parity import TIE, Parity
from glint_edge.errors import BundleError


@dataclass(frozen=True)
class Tolerance:
    """How far an artifact may be from the float model over held-out histories.

    Attributes:
        score_error: most absolute error of any score; None: not bounded.
        same_top10: least share of users with the float model's top 10, up to ties.
        top10_overlap: least share of the float model's top 10, averaged over users.
        rank_weighted_overlap: least overlap in which the first places count most.
        agreement: least top-10 overlap with each other artifact of the bundle, up to ties.
        ndcg_loss: most that NDCG@10 may be below the float model's, relative to it. Above is no
            failure: rounding moves targets up as often as down, and few users show it.
        reason: why these.
    """

    score_error: float | None
    same_top10: float
    top10_overlap: float
    rank_weighted_overlap: float
    agreement: float
    ndcg_loss: float
    reason: str


FP32 = Tolerance(
    score_error=1e-4,
    same_top10=1.0,
    top10_overlap=0.0,
    rank_weighted_overlap=0.0,
    agreement=1.0,
    ndcg_loss=1e-3,
    reason=(
        "The same arithmetic in another order: scores around 10 differ by some 1e-5. The top 10 is "
        f"the same but for ties, float scores within {TIE:g}, which is what the overlaps with the "
        "float model do not know: they are left to `same_top10`, while the agreement of artifacts "
        "knows ties. A swapped tie moves NDCG by less than 0.1 %."
    ),
)
FP16 = Tolerance(
    score_error=0.05,
    same_top10=0.0,
    top10_overlap=0.99,
    rank_weighted_overlap=0.985,
    agreement=0.99,
    ndcg_loss=5e-3,
    reason=(
        "Weights keep 11 bits, 8 times finer than int8's rows, and nothing else is rounded: only "
        "items whose scores are nearly equal change places."
    ),
)
INT8_TABLE = Tolerance(
    score_error=None,
    same_top10=0.0,
    top10_overlap=0.96,
    rank_weighted_overlap=0.95,
    agreement=0.98,
    ndcg_loss=0.01,
    reason=(
        "The rows of the table and the input of the scoring are rounded, which is the larger part "
        "of what int8 adds; the state's own arithmetic is float32."
    ),
)
INT8 = Tolerance(
    score_error=None,
    same_top10=0.0,
    top10_overlap=0.95,
    rank_weighted_overlap=0.94,
    agreement=0.98,
    ndcg_loss=0.01,
    reason=(
        "256 levels move scores by half a percent of their spread: near the end of the top 10 "
        "items change places, and what counts is that recommendations stay as good. All artifacts "
        "carry the same integers, so they are nearer to one another than to the float model."
    ),
)

# By target and precision. "*" is any other target: one of another package.
TOLERANCES: Mapping[tuple[str, str], Tolerance] = {
    ("*", "fp32"): FP32,
    ("*", "fp16"): FP16,
    ("*", "int8-table"): INT8_TABLE,
    ("*", "int8"): INT8,
    ("*", "int8-dynamic"): replace(
        INT8,
        reason="What `quantize_dynamic` makes of a stock export: no artifact of this tool, and no "
        "gate. It is held to the same bar, so that its warnings compare.",
    ),
    ("onnx", "int8"): replace(
        INT8,
        reason=INT8.reason
        + " ONNX Runtime has no int8 GRU: this file's GRU computes in float32 from the same "
        "integers, and so do the items' projections from the table's rows. It rounds less often "
        "than the other two, yet measures as far from the float model and from them as they do.",
    ),
    ("tflite", "int8"): replace(
        INT8,
        reason=INT8.reason
        + " The interpreter's own kernels, on runtimes without XNNPACK, round activations alike "
        "but sum in another order.",
    ),
}


def tolerance_of(target: str, precision: str) -> Tolerance:
    """Look a tolerance up.

    Raises:
        BundleError: this version knows no such precision.
    """
    found = TOLERANCES.get((target, precision), TOLERANCES.get(("*", precision)))
    if found is None:
        known = ", ".join(dict.fromkeys(name for _, name in TOLERANCES))
        raise BundleError(
            f"this glint-edge cannot judge {precision!r} (it judges {known}); upgrade glint-edge"
        )
    return found


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
    if not parity.rank_weighted_overlap >= tolerance.rank_weighted_overlap:
        failures.append(
            "the rank-weighted overlap with the float model's top 10 is "
            f"{parity.rank_weighted_overlap:.4f} (at least {tolerance.rank_weighted_overlap:g})"
        )
    failures.extend(_judge_ndcg(parity, tolerance.ndcg_loss))
    return tuple(failures)


def judge_agreement(
    target: str, agreement: Mapping[str, float], tolerance: Tolerance
) -> tuple[str, ...]:
    """Which other artifacts of the bundle this target's is too far from, a sentence each."""
    return tuple(
        f"the {target} and {other} artifacts share {share:.4f} of their top 10 "
        f"(at least {tolerance.agreement:g})"
        for other, share in agreement.items()
        if not share >= tolerance.agreement
    )


def _judge_ndcg(parity: Parity, most: float) -> list[str]:
    mine, theirs = parity.ndcg_at_10, parity.ndcg_at_10_float
    if mine is None or theirs is None or mine >= theirs * (1 - most):
        return []
    loss, error = 1 - mine / theirs, (parity.ndcg_standard_error or 0.0) / theirs
    return [
        f"NDCG@10 {mine:.4f} is {loss:.2%} below the float model's {theirs:.4f} "
        f"(at most {most:.1%}; over {parity.users:,} users its standard error is {error:.2%})"
    ]
