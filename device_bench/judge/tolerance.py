"""What is good enough, and the judgement in words. The figures are the precisions' own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from device_bench.judge.loss import loss_failures, loss_warnings
from glint_edge.bundles.precisions import PRECISIONS, Tolerance
from glint_edge.errors import BundleError

if TYPE_CHECKING:
    from device_bench.judge.parity import Parity

INT8 = PRECISIONS["int8"].tolerance

# By target and precision. "*" is any other target: one of another package.
TOLERANCES: Mapping[tuple[str, str], Tolerance] = {
    **{("*", name): precision.tolerance for name, precision in PRECISIONS.items()},
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
    tolerance = TOLERANCES.get((target, precision), TOLERANCES.get(("*", precision)))
    if tolerance is None:
        known = ", ".join(dict.fromkeys(name for _, name in TOLERANCES))
        raise BundleError(
            f"this glint-edge cannot judge {precision!r} (it judges {known}); upgrade glint-edge"
        )
    return tolerance


def judge(parity: Parity, tolerance: Tolerance) -> tuple[str, ...]:
    """What is out of tolerance, a sentence each; empty if nothing is."""
    failures = []
    if parity.unusable:
        failures.append(
            f"{parity.unusable:,} recommendations are no item of the catalogue or have a score "
            "that is no number"
        )
    # `not (… <= …)` throughout: a figure that is no number is out of tolerance.
    most, error = tolerance.score_error, parity.max_score_error
    if most is not None and error is not None and not error <= most:
        failures.append(f"a score differs from the float model's by {error:.3g} (at most {most:g})")
    if not parity.same_top10 >= tolerance.same_top10:
        other = round((1 - parity.same_top10) * parity.histories)
        whose = "users" if parity.histories == parity.users else "histories"
        failures.append(
            f"{other:,} of {parity.histories:,} {whose} get another top 10 than from the float "
            "model"
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
    failures.extend(loss_failures(parity.loss, tolerance.ndcg_loss))
    return tuple(failures)


def what_is_open(parity: Parity, tolerance: Tolerance) -> tuple[str, ...]:
    """What too few histories leave open, a sentence each; where all lists are the same, nothing."""
    if parity.same_top10 == 1 or parity.ndcg_at_10 is None:
        return ()
    return loss_warnings(parity.loss, tolerance.ndcg_loss)


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
