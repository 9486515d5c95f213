"""What an artifact may differ by, at the borders."""

import math
from dataclasses import replace

import pytest

from converters.targets import targets
from device_bench.judge.loss import Loss
from device_bench.judge.parity import (
    Parity,
)
from device_bench.judge.tolerance import (
    TOLERANCES,
    judge,
    judge_agreement,
    tolerance_of,
    what_is_open,
)
from glint_edge.errors import (
    BundleError,
)

GOOD = Parity(
    loss=None, users=100, histories=100, unusable=0,
    max_score_error=1e-6, top10_overlap=1.0, same_top10=1.0,
    rank_weighted_overlap=1.0,
    ndcg_at_10=0.06, ndcg_at_10_float=0.06,
)  # fmt: skip


@pytest.mark.parametrize(
    ("precision", "change", "words"),
    [
        ("fp32", {}, None),
        ("fp32", {"max_score_error": 1e-4}, None),
        ("fp32", {"max_score_error": 1.01e-4}, "score differs"),
        ("fp32", {"max_score_error": math.nan}, "score differs"),
        ("fp32", {"top10_overlap": 0.999}, None),  # a tie across the cut
        ("fp32", {"same_top10": 0.99}, "1 of 100 users"),
        ("fp32", {"same_top10": 0.99, "histories": 300}, "3 of 300 histories"),
        ("int8", {"max_score_error": 3.0, "same_top10": 0.2}, None),
        ("int8", {"top10_overlap": 0.95}, None),
        ("int8", {"top10_overlap": 0.9499}, "overlap"),
        ("int8", {"top10_overlap": math.nan}, "overlap"),
        ("int8", {"rank_weighted_overlap": 0.94}, None),
        ("int8", {"rank_weighted_overlap": 0.9399}, "rank-weighted overlap"),
        ("int8", {"loss": Loss(0.02, 0.0101, 0.03, 900, 100)}, "2.00% below the float model's"),
        ("int8", {"loss": Loss(0.02, 0.0099, 0.03, 900, 100)}, None),  # it may be chance
        ("int8", {"loss": Loss(-0.02, -0.03, -0.01, 900, 100)}, None),  # better is no failure
        ("fp32", {"loss": Loss(0.002, 0.0011, 0.003, 900, 100)}, "below"),
        ("fp16", {"top10_overlap": 0.9899}, "overlap"),
        ("int8", {"unusable": 1}, "no item of the catalogue"),
    ],
)
def test_judgements_at_the_borders(precision, change, words):
    failures = judge(replace(GOOD, **change), tolerance_of("executorch", precision))
    if words is None:
        assert failures == ()
    else:
        assert len(failures) == 1
        assert words in failures[0]


def test_what_few_histories_leave_open_is_told_unless_all_lists_are_the_same():
    wide = replace(GOOD, same_top10=0.9, loss=Loss(0.005, -0.03, 0.04, 900, 100))
    (open_,) = what_is_open(wide, tolerance_of("onnx", "int8"))
    assert open_.startswith("cannot tell with these few histories")
    assert what_is_open(replace(wide, loss=None), tolerance_of("onnx", "int8"))
    assert what_is_open(replace(wide, same_top10=1.0), tolerance_of("onnx", "int8")) == ()


def test_every_target_and_precision_has_a_tolerance_and_its_reason():
    for target in targets().values():
        for precision in target.precisions:
            assert len(tolerance_of(target.name, precision).reason) > 50
    assert tolerance_of("of another package", "int8") is TOLERANCES["*", "int8"]


def test_artifacts_far_from_one_another_are_named():
    tolerance = tolerance_of("onnx", "int8")
    assert judge_agreement("onnx", {"tflite": 0.98, "executorch": 1.0}, tolerance) == ()
    (failure,) = judge_agreement("onnx", {"tflite": 0.9799, "executorch": 0.99}, tolerance)
    assert failure == "the onnx and tflite artifacts share 0.9799 of their top 10 (at least 0.98)"
    exact = tolerance_of("onnx", "fp32")
    assert judge_agreement("onnx", {"tflite": 1.0}, exact) == ()
    assert judge_agreement("onnx", {"tflite": 0.9999}, exact)
    assert judge_agreement("onnx", {"tflite": math.nan}, exact)


def test_an_unknown_precision_is_refused():
    with pytest.raises(BundleError, match=r"cannot judge 'int2'.*upgrade"):
        tolerance_of("onnx", "int2")
