"""The bench: parity arithmetic, tolerances, golden vectors, worker processes, rows, the report."""

import io
import json
import math
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from converters.targets import targets
from device_bench.bench import Settings, bench, check_artifacts
from device_bench.document import document
from device_bench.judge.parity import (
    TIE,
    Parity,
    agreement,
    compare,
    compare_lists,
    overlap,
    rank_weighted_overlap,
)
from device_bench.judge.rows import BenchResult, Row
from device_bench.judge.tolerance import TOLERANCES, judge, judge_agreement, tolerance_of
from device_bench.measure.job import Histories, Inputs, Job, Outcome, TopK
from device_bench.measure.memory import peak_memory, resident_memory
from device_bench.measure.sampling import Plan
from device_bench.measure.statistics import Latency
from device_bench.reports.terminal import render
from device_bench.runners import python as python_runner
from device_bench.runners.python import PythonRunner
from glint_edge.bundles.bundle import Artifact, Bundle
from glint_edge.bundles.golden import Golden, GoldenCase, checksum, golden_of
from glint_edge.bundles.golden_check import golden_failures
from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from glint_edge.checkpoints.of_bundle import find_checkpoint
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.sequences import HeldOut
from glint_edge.data.source import DataSource
from glint_edge.errors import (
    BundleError,
    CheckpointError,
    MissingExtraError,
    RunnerError,
)
from glint_edge.evaluation.ranking import evaluate
from glint_edge.model.stream import empty_state, stream_program
from glint_edge.processes.native_output import held_back

QUICK = Settings(rounds=1, plan=Plan(warmup=1, runs=20, budget_ms=50))
HISTORIES = [[1, 2, 3], [40], [5, 5, 0, 7], list(range(1, 31))]

# What scripts rely on, in this order.
KEYS = [
    "target", "precision", "runner", "append_us", "recommend_us", "load_ms", "peak_memory_bytes",
    "file_bytes", "ndcg_at_10", "ndcg_at_10_float", "top10_overlap", "max_score_error", "ok",
]  # fmt: skip
MORE_KEYS = {
    "bundle", "users", "failures", "golden_ok", "threads", "same_top10", "memory_added_bytes",
    "cold_start_us", "rank_weighted_overlap", "agreement", "device", "interval_us", "quantiles_us",
    "first_call_us", "instructions", "calibrations_us", "medians_us", "cpu_us",
    "steady_memory_bytes", "rounds", "warnings", "conditions", "profile", "note",
}  # fmt: skip


def held_out_of(model, users=24, seed=0):
    """Random histories; each target is one of the first items that the model recommends."""
    rng = np.random.default_rng(seed)
    items = model.config.items
    histories = [rng.integers(1, items + 1, rng.integers(1, 31)).tolist() for _ in range(users)]
    packed = Histories.of(histories)
    with torch.no_grad():
        scores = [model.score(torch.tensor([h]), torch.tensor([len(h)]))[0] for h in histories]
    place = rng.integers(0, 14, users)
    targets = [int(s.argsort(descending=True)[p]) for s, p in zip(scores, place, strict=True)]
    return HeldOut(packed.ids, packed.offsets, np.array(targets))


def float_lists(model, held_out, k=10):
    histories = Histories(held_out.ids, held_out.offsets)
    items, scores = [], []
    with torch.no_grad():
        for number in range(len(histories)):
            history = histories[number][-model.config.max_length :]
            top = model.score(torch.tensor([history]), torch.tensor([len(history)]))[0].topk(k)
            items.append(top.indices.numpy())
            scores.append(top.values.numpy())
    return TopK(np.stack(items), np.stack(scores))


def checkpoint_of(model):
    keys = ("", *(f"k{n}" for n in range(1, model.config.items + 1)))
    return Checkpoint(model, Catalogue(keys, {}), DataSource("x", "x"))


def bundle_of(model, path, artifacts, golden, *, top_k=10, named=None):
    return Bundle(
        path=path,
        manifest={
            "name": "app",
            "window": "sliding",
            "checkpoint": named or {"sha256": "", "path": None},
        },
        config=model.config,
        top_k=top_k,
        artifacts=tuple(Artifact(*artifact, runtime={}) for artifact in artifacts),
        catalogue=checkpoint_of(model).catalogue,
        golden=golden,
    )


def worker_that(monkeypatch, script):
    monkeypatch.setattr(python_runner, "WORKER", (sys.executable, "-c", script))


# ---- parity ---------------------------------------------------------------------------------


def test_the_float_models_own_lists_are_in_perfect_parity(make_model):
    model = make_model(max_length=20)
    held_out = held_out_of(model, users=300)  # more than one batch, histories beyond max_length
    parity = compare(model, held_out, float_lists(model, held_out), model.config.max_length)
    assert (parity.users, parity.unusable) == (300, 0)
    assert parity.top10_overlap == parity.same_top10 == 1.0
    assert parity.max_score_error < 1e-5
    assert parity.ndcg_at_10 == parity.ndcg_at_10_float
    assert parity.ndcg_at_10_float == pytest.approx(evaluate(model, held_out).ndcg)
    assert 0.1 < parity.ndcg_at_10 < 0.9


def test_one_wrong_score_is_the_largest_error(make_model):
    model = make_model()
    held_out = held_out_of(model)
    lists = float_lists(model, held_out)
    lists.scores[3, 7] += 0.25
    parity = compare(model, held_out, lists, model.config.max_length)
    assert parity.max_score_error == pytest.approx(0.25, abs=1e-4)
    assert parity.top10_overlap == 1.0


def test_unusable_entries_count_as_wrong(make_model):
    model = make_model()
    held_out = held_out_of(model)
    lists = float_lists(model, held_out)
    whole = compare(model, held_out, lists, model.config.max_length)
    lists.items[0, 0], lists.items[1, 0], lists.items[2, 0] = 0, 41, -7
    lists.scores[3, 0], lists.scores[4, 0] = math.nan, math.inf
    parity = compare(model, held_out, lists, model.config.max_length)
    assert parity.unusable == 5
    assert parity.max_score_error < 1e-5  # of what can be compared
    assert parity.top10_overlap == pytest.approx(1 - 5 / 240)
    assert parity.same_top10 == pytest.approx(1 - 5 / 24)
    assert parity.ndcg_at_10 <= whole.ndcg_at_10
    assert any(
        "no number" in failure for failure in judge(parity, tolerance_of("executorch", "int8"))
    )


def test_an_artifact_without_one_usable_answer_fails(make_model):
    model = make_model()
    held_out = held_out_of(model)
    lists = TopK(np.zeros((24, 10), np.int64), np.full((24, 10), math.nan, np.float32))
    parity = compare(model, held_out, lists, model.config.max_length)
    assert parity.max_score_error is None
    assert parity.ndcg_at_10 == parity.top10_overlap == 0.0
    assert len(judge(parity, tolerance_of("executorch", "fp32"))) == 3
    assert len(judge(parity, tolerance_of("executorch", "int8"))) == 4


def test_shorter_lists_have_no_ndcg_at_10(make_model):
    model = make_model()
    held_out = held_out_of(model)
    parity = compare(model, held_out, float_lists(model, held_out, k=5), model.config.max_length)
    assert parity.ndcg_at_10 is parity.ndcg_at_10_float is None
    assert parity.top10_overlap == parity.same_top10 == 1.0
    assert judge(parity, tolerance_of("executorch", "fp32")) == ()


def test_longer_lists_are_compared_on_their_first_ten(make_model):
    model = make_model()
    held_out = held_out_of(model)
    lists = float_lists(model, held_out, k=15)
    lists.items[:, 10:] = lists.items[:, 14:9:-1]
    parity = compare(model, held_out, lists, model.config.max_length)
    assert parity.top10_overlap == parity.same_top10 == 1.0


def one_user(mine, my_float_scores, theirs, their_scores, target=1):
    as_scores = np.array([my_float_scores], np.float32)
    return compare_lists(
        TopK(np.array([mine]), as_scores),
        TopK(np.array([theirs]), np.array([their_scores], np.float32)),
        as_scores,
        np.array([target]),
    )


FAR = [9.0, 8.0, 7.0]
TIED = [9.0, 8.0, 8.0 - TIE / 2]


@pytest.mark.parametrize(
    ("mine", "my_scores", "scores", "same"),
    [
        ([1, 2, 3], FAR, FAR, True),
        ([1, 3, 2], [9.0, 7.0, 8.0], FAR, False),
        ([1, 3, 2], [TIED[0], TIED[2], TIED[1]], TIED, True),
        ([1, 2, 4], [*TIED[:2], TIED[2] - TIE / 4], TIED, True),  # a tie across the cut
        ([1, 2, 4], [9.0, 8.0, 7.0 - 3 * TIE], FAR, False),
        ([1, 2, 2], [9.0, 8.0, 8.0], TIED, False),  # not twice the same, tied or not
    ],
)
def test_only_ties_may_change_places_in_fp32(mine, my_scores, scores, same):
    parity = one_user(mine, my_scores, [1, 2, 3], scores)
    assert parity.same_top10 == float(same)
    assert bool(judge(parity, tolerance_of("executorch", "fp32"))) is not same


@settings(deadline=None)  # the cores are shared
@given(st.permutations(range(1, 9)), st.integers(0, 2**32 - 1))
def test_a_permuted_list_is_the_same_only_if_every_place_keeps_its_score(order, seed):
    levels = np.sort(np.random.default_rng(seed).integers(0, 4, 8))[::-1].astype(np.float32)
    mine = np.array(order)
    parity = one_user(mine.tolist(), levels[mine - 1].tolist(), list(range(1, 9)), levels.tolist())
    assert parity.top10_overlap == 1.0
    assert bool(parity.same_top10) is bool((levels[mine - 1] == levels).all())


@settings(deadline=None)  # the cores are shared
@given(st.integers(0, 10))
def test_the_overlap_is_the_share_that_is_shared(shared):
    mine = [*range(1, shared + 1), *range(21, 31 - shared)]
    scores = [float(n) for n in range(10, 0, -1)]
    parity = one_user(mine, scores, list(range(1, 11)), scores)
    assert parity.top10_overlap == pytest.approx(shared / 10)


def test_the_rank_weighted_overlap_counts_the_first_places_most():
    ten = np.arange(1, 11)
    top, bottom, other = ten.copy(), ten.copy(), ten + 10
    top[0], bottom[9] = 99, 99

    def weighted(*lists):
        return rank_weighted_overlap(np.array(lists), np.tile(ten, (len(lists), 1)))

    assert weighted(ten) == pytest.approx(1.0)
    assert weighted(other) == 0.0
    assert weighted(top) < weighted(bottom) < 1.0
    assert weighted(ten, other) == pytest.approx(0.5)
    # By hand, p = 0.9: of places 1, 2, 3 of [1, 3, 2] against [1, 2, 3] 1, 1/2 and 3/3 is shared.
    three = rank_weighted_overlap(np.array([[1, 3, 2]]), np.array([[1, 2, 3]]))
    assert three == pytest.approx((1 + 0.9 / 2 + 0.81) / (1 + 0.9 + 0.81))
    first_swapped, last_swapped = ten.copy(), ten.copy()
    first_swapped[[0, 1]], last_swapped[[8, 9]] = ten[[1, 0]], ten[[9, 8]]
    assert weighted(first_swapped) < weighted(last_swapped) < 1.0


@settings(deadline=None)  # the cores are shared
@given(st.lists(st.integers(-1, 12), min_size=1, max_size=10), st.randoms(use_true_random=False))
def test_the_rank_weighted_overlap_is_its_definition(mine, random):
    """With sets, place by place; lists of an artifact gone wrong may hold an item twice."""
    theirs = random.sample(range(1, 13), len(mine))
    places = range(1, len(mine) + 1)
    shares = [len({*mine[:n]} & {*theirs[:n]}) / n for n in places]
    weights = [0.9 ** (n - 1) for n in places]
    found = rank_weighted_overlap(np.array([mine]), np.array([theirs]))
    assert found == pytest.approx(np.average(shares, weights=weights))
    assert 0.0 <= found <= 1.0


def ten_of(items, scores):
    return TopK(np.array([items]), np.array([scores], np.float32))


SCORES = [float(n) for n in range(20, 10, -1)]


@pytest.mark.parametrize(
    ("last", "score", "share"),
    [
        (10, SCORES[-1], 1.0),
        (11, SCORES[-1] - TIE / 4, 1.0),  # a tie across the cut
        (11, SCORES[-1] + TIE / 4, 1.0),
        (11, SCORES[-1] - 3 * TIE, 0.9),
        (11, math.nan, 0.9),
        (11, math.inf, 0.9),
    ],
)
def test_artifacts_agree_up_to_a_tie_across_the_cut(last, score, share):
    mine = ten_of(range(1, 11), SCORES)
    assert agreement(mine, ten_of([*range(1, 10), last], [*SCORES[:-1], score])) == share


def test_artifacts_that_differ_by_float_rounding_alone_agree():
    """However many scores are nearly equal: what fp32 is held to."""
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 40, (200, 100)) / 10  # most have ties
    lists = []
    for _ in range(2):
        noisy = scores + rng.uniform(-TIE / 2.1, TIE / 2.1, scores.shape)
        order = np.argsort(-noisy, axis=1)[:, :15]
        taken = np.take_along_axis(noisy, order, axis=1).astype(np.float32)
        lists.append(TopK(order + 1, taken))
    assert overlap(*(part.items[:, :10] for part in lists)) < 0.99
    assert agreement(*lists) == agreement(*reversed(lists)) == 1.0


# ---- tolerance ------------------------------------------------------------------------------

GOOD = Parity(
    ndcg_standard_error=0.001,
    users=100, unusable=0, max_score_error=1e-6, top10_overlap=1.0, same_top10=1.0,
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
        ("fp32", {"ndcg_at_10": 0.06 * 0.9989}, "below"),
        ("fp32", {"ndcg_at_10": None, "ndcg_at_10_float": None}, None),
        ("int8", {"max_score_error": 3.0, "same_top10": 0.2}, None),
        ("int8", {"top10_overlap": 0.95}, None),
        ("int8", {"top10_overlap": 0.9499}, "overlap"),
        ("int8", {"top10_overlap": math.nan}, "overlap"),
        ("int8", {"ndcg_at_10": 0.06 * 0.9901}, None),
        ("int8", {"ndcg_at_10": 0.06 * 0.9899}, "1.01% below the float model's 0.0600"),
        ("int8", {"ndcg_at_10": 0.08}, None),  # better is no failure
        ("int8", {"ndcg_at_10": math.nan}, "below"),
        ("int8", {"ndcg_at_10": 0.0, "ndcg_at_10_float": 0.0}, None),
        ("int8", {"rank_weighted_overlap": 0.94}, None),
        ("int8", {"rank_weighted_overlap": 0.9399}, "rank-weighted overlap"),
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


# ---- golden vectors -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def golden(make_model):
    return golden_of(stream_program(make_model()), HISTORIES)


def answers(golden, model):
    """What the float stream gives for golden histories: states and lists, to be changed."""
    program = stream_program(model)
    states = []
    with torch.no_grad():
        for case in golden.cases:
            state = empty_state(program.config)
            for item in case.history:
                state = program.append(state, torch.tensor([item]))
            states.append(state.numpy())
    items = np.array([case.items for case in golden.cases])
    scores = np.array([case.scores for case in golden.cases], np.float32)
    return np.concatenate(states), TopK(items, scores)


def test_the_right_answers_pass(golden, model):
    assert golden_failures(golden, *answers(golden, model)) == ()


def test_a_changed_state_is_seen(golden, model):
    states, lists = answers(golden, model)
    states[1, 5] += 0.01
    (failure,) = golden_failures(golden, states, lists)
    assert failure.startswith("golden case 1 (3 items): state_sum is")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_state_that_is_no_number_is_seen(golden, model, value):
    states, lists = answers(golden, model)
    states[0, 0] = value
    assert "golden case 0 (0 items): state_sum is" in golden_failures(golden, states, lists)[0]


@pytest.mark.parametrize("value", [lambda s, e: s + 2 * e, lambda s, e: math.nan])
def test_a_changed_score_is_seen(golden, model, value):
    states, lists = answers(golden, model)
    lists.scores[2, 4] = value(lists.scores[2, 4], golden.score_error)
    (failure,) = golden_failures(golden, states, lists)
    assert "golden case 2 (1 items): the score in place 5 is" in failure


def test_a_changed_item_is_seen(golden, model):
    states, lists = answers(golden, model)
    swapped = lists.items[3, [1, 0]]
    lists.items[3, :2] = swapped
    (failure,) = golden_failures(golden, states, lists)
    expected = golden.cases[3].items[0]
    assert failure.endswith(f"item {swapped[0]} in place 1 should be {expected}")


def test_without_history_the_order_is_exact_though_all_scores_are_zero(golden, model):
    states, lists = answers(golden, model)
    lists.items[0, :2] = [2, 1]
    assert "item 2 in place 1 should be 1" in golden_failures(golden, states, lists)[0]


def test_another_number_of_items_is_seen(golden, model):
    states, lists = answers(golden, model)
    failures = golden_failures(golden, states, TopK(lists.items[:, :5], lists.scores[:, :5]))
    assert "it recommends 5 items, not 10" in failures[0]


@pytest.mark.parametrize(
    ("items", "wrong"),
    [
        ([1, 2, 3, 4], None),
        ([1, 3, 2, 4], None),  # 2 and 3 are within the tolerance
        ([2, 1, 3, 4], 1),
        ([1, 2, 3, 9], None),  # an item from beyond the list, as good as the last
        ([9, 2, 3, 4], 1),
        ([1, 3, 3, 4], 3),  # near enough, but twice
    ],
)
def test_items_of_nearly_equal_scores_may_swap(items, wrong):
    scores = [5.0, 3.05, 3.0, 1.0]
    case = GoldenCase([7], 0.0, 0.0, [1, 2, 3, 4], scores)
    failures = golden_failures(
        Golden(1e-5, 0.1, (case,)),
        np.zeros((1, 4), np.float32),
        TopK(np.array([items]), np.array([scores], np.float32)),
    )
    assert [f"in place {wrong} " in failure for failure in failures] == [True] * bool(wrong)


def test_the_checksums_are_goldens_own(golden, model):
    states, _ = answers(golden, model)
    assert checksum(states[1])["state_norm"] == pytest.approx(golden.cases[1].state_norm)


# ---- memory, native output ------------------------------------------------------------------


def test_the_peak_holds_what_is_resident():
    assert resident_memory() is None or 10**7 < resident_memory() <= peak_memory() < 10**12


def test_the_peak_without_proc(monkeypatch):
    monkeypatch.setattr("device_bench.measure.memory.STATUS", Path("/no/such/file"))
    assert resident_memory() is None
    assert 10**7 < peak_memory() < 10**12


def test_what_native_code_prints_is_held_back_and_kept(capfd):
    with held_back(streams=True) as printed:
        os.write(2, b"[a.cpp:1] first\n")
        sys.stdout.write("[b.cpp:2] second\n")
        assert printed.last_line() == "second"
        os.write(1, b"third\n")
        assert printed.last_line() == "third"
    sys.stdout.write("after\n")
    assert capfd.readouterr() == ("after\n", "")


def test_an_error_puts_the_streams_back(capfd):
    with pytest.raises(KeyError), held_back(streams=True):
        raise KeyError
    sys.stdout.write("seen\n")
    assert capfd.readouterr().out == "seen\n"


# ---- the worker process ---------------------------------------------------------------------


def test_histories_are_one_array():
    packed = Histories.of(HISTORIES)
    assert [packed[n] for n in range(len(packed))] == HISTORIES
    assert packed.spread(2).tolist() == [0, 3]
    assert packed.spread(9).tolist() == [0, 1, 2, 3]
    assert len(Histories.of([])) == 0
    assert Histories.of([]).spread(3).tolist() == []


@pytest.fixture
def job(model, tmp_path):
    save_checkpoint(checkpoint_of(model), tmp_path / "run")
    config = model.config.to_dict()
    return Job("torch", str(tmp_path / "run"), config, 10, 200, threads=2, plan=QUICK.plan)


def run_job(job, histories, golden):
    return PythonRunner().run(job, Inputs.of(golden, histories))


def test_a_worker_brings_back_what_the_stream_gives(job, model, golden):
    held_out = held_out_of(model)
    cases = Histories.of([case.history for case in golden.cases])
    outcome = run_job(job, Histories(held_out.ids, held_out.offsets), cases)
    assert (
        judge(
            compare(model, held_out, outcome.lists, model.config.max_length),
            tolerance_of("executorch", "fp32"),
        )
        == ()
    )
    assert golden_failures(golden, outcome.golden_states, outcome.golden) == ()
    assert golden_failures(golden, outcome.golden_cold_states, outcome.golden) == ()
    methods = ["append", "recommend", "cold_start_20", "cold_start_50", "cold_start_200"]
    assert list(outcome.samples_ns) == methods
    assert all((calls > 0).all() for calls in outcome.samples_ns.values())
    assert all(20 <= len(calls) <= 21 for calls in outcome.samples_ns.values())
    assert list(outcome.calibration_ns) == methods
    assert all(len(times) >= 2 for times in outcome.calibration_ns.values())
    assert all((times > 0).all() for times in outcome.calibration_ns.values())
    assert outcome.threads == 2
    assert outcome.first_call_us["append"] > 0
    assert len(outcome.load_ms) == 5
    assert min(outcome.load_ms) > 0
    assert outcome.peak_memory_bytes >= outcome.steady_memory_bytes
    assert outcome.peak_memory_bytes >= outcome.memory_before_load_bytes > 10**7


def test_an_untimed_job_runs_the_histories_alone(job, model, golden):
    held_out = held_out_of(model)
    histories = Histories(held_out.ids, held_out.offsets)
    outcome = run_job(replace(job, timed=False), histories, Histories.of([]))
    assert outcome.samples_ns == {}
    assert len(outcome.load_ms) == 1
    assert outcome.lists.items.shape == (24, 10)
    assert outcome.golden_states.shape[0] == 0


def test_a_refused_artifact_is_its_one_line(job, golden):
    with pytest.raises(RunnerError, match="is not a checkpoint"):
        run_job(replace(job, path="/no/such/folder"), Histories.of([]), Histories.of([[]]))


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (
            "import os; os.kill(os.getpid(), 11)",
            "the torch process died with signal 11 (SIGSEGV)",
        ),
        ("import os; os.kill(os.getpid(), 9)", "the torch process died with signal 9 (SIGKILL)"),
        (
            "raise MemoryError('no room')",
            "the torch process ended with exit code 1 and no result: MemoryError: no room",
        ),
        (
            "print('hello')",
            "the torch process ended with exit code 0 and no result: it printed nothing",
        ),
        (
            "open('result.json', 'wb').write(b'\\xff{garbage')",
            "the torch process ended with exit code 0 and no result: it printed nothing",
        ),
    ],
)
def test_a_dead_process_is_one_sentence(job, monkeypatch, script, sentence):
    worker_that(monkeypatch, script)
    with pytest.raises(RunnerError) as error:
        run_job(job, Histories.of([]), Histories.of([[]]))
    assert str(error.value) == sentence


# ---- rows -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reference(make_model, golden, tmp_path_factory):
    """A bundle without artifacts: the torch row alone, which needs no toolchain."""
    model = make_model()
    steps, seen = [], []
    result = bench(
        bundle_of(model, tmp_path_factory.mktemp("bundle"), [], golden),
        checkpoint=checkpoint_of(model), held_out=held_out_of(model),
        settings=replace(QUICK, rounds=2), on_step=steps.append, on_rows=seen.append,
    )  # fmt: skip
    assert steps == [f"running torch fp32 (1 of 1, round {n} of 2)" for n in (1, 2)]
    assert [rows[0].rounds for rows in seen] == [1, 2]
    return result


def test_the_keys_are_what_scripts_rely_on(reference):
    whole = json.loads(json.dumps(reference.to_dict(), allow_nan=False))
    assert list(whole) == ["rows"]
    (row,) = whole["rows"]
    assert [key for key in row if key in KEYS] == KEYS
    assert set(row) == {*KEYS, *MORE_KEYS}
    assert list(row["append_us"]) == list(row["recommend_us"]) == ["p50", "p90", "p99"]
    assert (row["target"], row["precision"], row["runner"]) == ("torch", "fp32", "python")
    assert row["ok"] is True
    assert row["failures"] == []
    assert row["users"] == 24
    assert row["threads"] == 1
    assert row["golden_ok"] is None
    assert row["ndcg_at_10"] == row["ndcg_at_10_float"] > 0
    assert row["file_bytes"] > 4 * 40 * 16
    assert row["rounds"] == 2
    for method, times in (
        ("append", row["append_us"]),
        ("cold_start_50", row["cold_start_us"]["50"]),
    ):
        low, high = row["interval_us"][method]
        assert 0 < low <= times["p50"] <= high
    assert row["conditions"]["before"]["load"] >= 0


def test_a_dead_process_is_a_row_that_failed_and_the_others_go_on(
    make_model, golden, tmp_path, monkeypatch
):
    worker_that(monkeypatch, "import os; os.kill(os.getpid(), 11)")
    model = make_model()
    for name in ("a.pte", "b.pte"):
        (tmp_path / name).write_bytes(b"12345")
    artifacts = [("torch", "fp32", "a.pte"), ("torch", "int8", "b.pte")]
    result = bench(
        bundle_of(model, tmp_path, artifacts, golden),
        checkpoint=checkpoint_of(model), held_out=held_out_of(model), settings=QUICK,
    )  # fmt: skip
    assert len(result.rows) == 3
    assert not result.ok
    for row in (row.to_dict() for row in result.rows):
        assert row["ok"] is False
        assert row["failures"] == ["the torch process died with signal 11 (SIGSEGV)"]
        assert row["append_us"] is row["load_ms"] is row["ndcg_at_10"] is row["golden_ok"] is None
    assert result.rows[0].file_bytes == 5
    assert result.failures[1] == "torch int8: the torch process died with signal 11 (SIGSEGV)"


def test_what_cannot_be_run_or_judged_is_refused_before_anything_runs(
    make_model, golden, tmp_path, monkeypatch
):
    monkeypatch.setattr(PythonRunner, "run", None)
    model = make_model()
    for artifact, words in [
        (("onyx", "fp32", "x"), "cannot run 'onyx'"),
        (("torch", "int2", "x"), "cannot judge 'int2'"),
    ]:
        with pytest.raises(BundleError, match=words):
            bench(bundle_of(model, tmp_path, [artifact], golden), checkpoint=None, held_out=None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"glint-edge\[executorch\]"):
        check_artifacts(
            [(Artifact("executorch", "fp32", "x", {}), tmp_path / "x")],
            model=model, top_k=10, window=None, held_out=None, golden=golden,
        )  # fmt: skip


@pytest.fixture
def outcomes(make_model, golden, monkeypatch):
    """Runs of artifacts by file name, each the float model's own, to be changed; none: it dies."""
    model = make_model()
    held_out, (states, lists) = held_out_of(model), answers(golden, model)
    made = {}

    def right():
        floats = float_lists(model, held_out)
        return Outcome(
            lists=TopK(floats.items.copy(), floats.scores.copy()), golden_states=states.copy(),
            golden_cold_states=states.copy(), golden=lists, threads=1,
        )  # fmt: skip

    def run(self, job, inputs):
        outcome = made[Path(job.path).name]
        if outcome is None:
            raise RunnerError("it died")
        return outcome

    monkeypatch.setattr(PythonRunner, "run", run)
    monkeypatch.setattr(PythonRunner, "prepare", lambda self, target, on_step: None)
    monkeypatch.setattr("device_bench.bench.require_runtime", lambda target: None)
    return made, right, model, held_out


def check_all(outcomes, golden, folder, *artifacts):
    _, _, model, held_out = outcomes
    files = [(Artifact(*artifact, runtime={}), folder / artifact[2]) for artifact in artifacts]
    for _, file in files:
        file.write_bytes(b"1")
    return check_artifacts(
        files, model=model, top_k=10, window=200, held_out=held_out, golden=golden
    )


def test_artifacts_of_one_precision_are_held_against_one_another(outcomes, golden, tmp_path):
    made, right, *_ = outcomes
    made |= {"a": right(), "b": right(), "c": right(), "d": None}
    made["b"].lists.items[:, 9] = made["b"].lists.items[:, 9] % 40 + 1  # one of ten, most users
    made["b"].lists.scores[:, 9] -= 0.01
    a, b, c, d = check_all(
        outcomes, golden, tmp_path,
        ("executorch", "int8", "a"), ("onnx", "int8", "b"),
        ("tflite", "fp32", "c"), ("tflite", "int8", "d"),
    )  # fmt: skip
    assert set(a["agreement"]) == {"onnx"}, "neither another precision nor one that died"
    assert set(b["agreement"]) == {"executorch"}
    assert a["agreement"]["onnx"] < 0.98
    assert c["agreement"] == d["agreement"] == {}
    assert [entry["ok"] for entry in (a, b, c, d)] == [False, False, True, False]
    assert a["failures"][-1].startswith("the executorch and onnx artifacts share 0.9")
    assert b["failures"][-1].startswith("the onnx and executorch artifacts share 0.9")


def test_a_bundle_of_one_artifact_agrees_with_nobody(outcomes, golden, tmp_path):
    made, right, *_ = outcomes
    made["a"] = right()
    (entry,) = check_all(outcomes, golden, tmp_path, ("onnx", "int8", "a"))
    assert entry["ok"]
    assert entry["agreement"] == {}


def test_a_wrong_append_many_is_seen_and_named(outcomes, golden, tmp_path):
    made, right, *_ = outcomes
    made |= {"a": right(), "b": right()}
    made["a"].golden_cold_states[1, 5] += 0.01
    made["b"].golden_states[1, 5] += 0.01
    cold, warm = (
        check_all(outcomes, golden, tmp_path, ("onnx", "fp32", name))[0]["failures"]
        for name in ("a", "b")
    )
    assert [failure[:52] for failure in cold] == [
        "by append_many, golden case 1 (3 items): state_sum is"[:52]
    ]
    assert warm[0].startswith("golden case 1 (3 items): state_sum is")
    assert len(warm) == 1


def test_many_users_are_too_many_for_the_reference(make_model, golden, tmp_path, monkeypatch):
    monkeypatch.setattr("device_bench.bench.REFERENCE_USERS", 5)
    asked = []

    def run(self, job, inputs):
        asked.append(inputs.histories)
        raise RunnerError("seen enough")

    monkeypatch.setattr(PythonRunner, "run", run)
    model = make_model()
    held_out = held_out_of(model)
    bundle = bundle_of(model, tmp_path, [], golden)
    bench(bundle, checkpoint=checkpoint_of(model), held_out=held_out)
    whole = Histories(held_out.ids, held_out.offsets)
    assert [asked[0][n] for n in range(5)] == [whole[n] for n in whole.spread(5)]


# ---- the float model ------------------------------------------------------------------------


def test_the_manifest_names_the_float_model_relative_to_the_bundle(model, golden, tmp_path):
    folder = tmp_path / "run"
    save_checkpoint(checkpoint_of(model), folder)
    digest = load_checkpoint(folder).sha256
    bundle = bundle_of(
        model, tmp_path / "app.glint", [], golden, named={"sha256": digest, "path": "../run"}
    )
    assert find_checkpoint(bundle).sha256 == digest
    assert find_checkpoint(bundle, folder).sha256 == digest


def test_a_float_model_that_is_gone_or_replaced_is_none(make_model, golden, tmp_path, caplog):
    named = {"sha256": "0" * 64, "path": "run"}
    bundle = bundle_of(make_model(), tmp_path, [], golden, named=named)
    assert find_checkpoint(bundle) is None
    assert "is not at hand" in caplog.text
    save_checkpoint(checkpoint_of(make_model(seed=1)), tmp_path / "run")
    assert find_checkpoint(bundle) is None
    assert "any more" in caplog.text


def test_a_given_float_model_must_be_the_one(make_model, golden, tmp_path):
    bundle = bundle_of(make_model(), tmp_path, [], golden)
    save_checkpoint(checkpoint_of(make_model(seed=1)), tmp_path / "other")
    with pytest.raises(CheckpointError, match="is not the model that") as error:
        find_checkpoint(bundle, tmp_path / "other")
    assert "\n" not in str(error.value)
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        find_checkpoint(bundle, tmp_path / "nothing")


# ---- the report -----------------------------------------------------------------------------


def printed(*results, width=80):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(render(document(results, Settings(), [])))
    return " ".join(console.export_text().split())


def test_the_report_tells_everything_at_80_columns(reference):
    failed = Row(
        target="executorch", precision="int8", file_bytes=378_824, ok=False, threads=1,
        failures=("the [bold]executorch[/] process died with signal 11 (SIGSEGV)", "and more"),
    )  # fmt: skip
    result = replace(reference, rows=(failed, *reference.rows))
    text = printed(result)
    for failure in result.failures:
        assert failure in text
    for words in (
        "torch fp32",
        "executorch int8",
        "379",
        "threads: 1",
        "runner: python",
        "24 held",
    ):
        assert words in text
    assert "not measured" not in text
    assert "✗" in text
    assert "✓" in text
    assert f"{reference.rows[0].ndcg_at_10:.4f} ({reference.rows[0].ndcg_at_10_float:.4f})" in text


@pytest.mark.parametrize("width", [20, 40, 200])
def test_the_report_fits_any_width(reference, width):
    assert printed(reference, width=width)


def test_bundles_stand_side_by_side(reference):
    times = {"20": Latency(1, 2, 3), "50": Latency(456, 500, 600)}
    common = {"target": "onnx", "ok": True, "threads": 1, "cold_start_us": times}
    small = Row(
        precision="int8", file_bytes=254_000, agreement={"tflite": 0.9884, "x": 0.99}, **common
    )
    large = Row(precision="fp16", file_bytes=470_000, **common)
    one, other = (replace(reference, name=row.precision, rows=(row,)) for row in (small, large))
    text = printed(one, other)
    for words in ("int8, fp16: µs a call", "onnx int8", "onnx fp16", "254", "470", "456", "0.9884"):
        assert words in text
    assert text.count("threads: 1") == 1, "notes are said once"
    rows = [row for result in (one, other) for row in result.to_dict()["rows"]]
    assert [row["bundle"] for row in rows] == ["int8", "fp16"]
    assert json.loads(json.dumps(rows))[0]["cold_start_us"]["50"] == {
        "p50": 456, "p90": 500, "p99": 600,
    }  # fmt: skip


def test_the_report_says_why_accuracy_was_not_measured():
    assert "Accuracy was not measured: no data." in printed(BenchResult("app", (), 1, "no data"))


# ---- the real runtime -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(make_model, artifacts, tmp_path_factory):
    """One bench over a good fp32 file, a cut one and one on which the runtime aborts."""
    model = make_model(items=1683, d=64)
    path = tmp_path_factory.mktemp("bundle")
    whole = artifacts["fp32"].path.read_bytes()
    (path / "good.pte").write_bytes(whole)
    (path / "cut.pte").write_bytes(whole[: len(whole) // 2])
    (path / "aborts.pte").write_bytes(b"\xff\xff\xff\xffET" + b"\xff" * 5000)
    files = ("cut.pte", "aborts.pte", "good.pte")
    return bench(
        bundle_of(
            model, path, [("executorch", "fp32", file) for file in files],
            golden_of(artifacts["fp32"].program, HISTORIES),
        ),
        checkpoint=checkpoint_of(model), held_out=held_out_of(model),
        settings=replace(QUICK, threads=2),
    )  # fmt: skip


@pytest.mark.slow
def test_the_real_fp32_artifact_is_measured_and_good(real, artifacts):
    row = real.rows[2]
    assert row.ok, row.failures
    assert row.golden_ok
    assert (row.users, row.threads) == (24, 2)
    assert row.file_bytes == artifacts["fp32"].path.stat().st_size
    assert row.same_top10 == 1.0
    assert row.max_score_error <= 1e-4
    assert row.ndcg_at_10 == pytest.approx(row.ndcg_at_10_float)
    # Not quicker than eager torch, which it is eight times: other tests run beside this one.
    assert row.append_us.p50 > 0


@pytest.mark.slow
def test_broken_files_are_one_line_each_and_the_others_go_on(real):
    cut, aborts, _, torch_row = real.rows
    (line,) = cut.failures
    assert line.startswith("ExecuTorch refuses ")
    assert "File size is too small" in line
    assert "\n" not in line
    assert aborts.failures == ("the executorch process died with signal 6 (SIGABRT)",)
    assert torch_row.ok
    assert not real.ok
    assert all(failure in printed(real) for failure in aborts.failures)


@pytest.mark.slow
def test_the_real_int8_artifact_passes_the_exports_gate(make_model, artifacts):
    model = make_model(items=1683, d=64)
    (entry,) = check_artifacts(
        [(Artifact("executorch", "int8", "x", {}), artifacts["int8"].path)],
        model=model, top_k=10, window=200, held_out=held_out_of(model, users=200),
        golden=golden_of(artifacts["int8"].program, HISTORIES),
    )  # fmt: skip
    assert list(entry) == [
        "target", "precision", "ok", "users", "file_bytes", "max_score_error", "top10_overlap",
        "rank_weighted_overlap", "agreement", "ndcg_at_10", "ndcg_at_10_float", "failures",
    ]  # fmt: skip
    assert entry["ok"], entry
    assert entry["users"] == 200
    assert 0.95 <= entry["top10_overlap"] < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("with_data", [True, False])
def test_an_artifact_of_another_model_fails(make_model, artifacts, with_data):
    other = make_model(items=1683, d=64, seed=1)
    (entry,) = check_artifacts(
        [(Artifact("executorch", "int8", "x", {}), artifacts["int8"].path)],
        model=other, top_k=10, window=200, held_out=held_out_of(other) if with_data else None,
        golden=golden_of(stream_program(other), HISTORIES),
    )  # fmt: skip
    assert entry["ok"] is False
    assert any("golden case" in failure for failure in entry["failures"])
    if with_data:
        assert any("overlap" in failure for failure in entry["failures"])
        assert any("NDCG@10" in failure for failure in entry["failures"])
    else:
        assert entry["users"] == 0
        assert entry["ndcg_at_10"] is entry["top10_overlap"] is entry["max_score_error"] is None
