"""The bench: rows of bundles, what is refused before anything runs, broken files."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from device_bench.bench import bench, check_artifacts
from device_bench.measure.job import Histories, Outcome, TopK
from device_bench.runners import python as python_runner
from device_bench.runners.python import PythonRunner
from glint_edge.bundles.bundle import Artifact
from glint_edge.errors import BundleError, MissingExtraError, RunnerError
from glint_edge.model.stream import stream_program
from tests.conversions import TOP_K
from tests.device_bench.makers import (
    QUICK,
    answers,
    bundle_of,
    catalogue_of,
    checkpoint_of,
    float_lists,
    golden_for,
    held_out_of,
    printed,
    work_here,
)

# What scripts rely on, in this order.
KEYS = [
    "target", "precision", "runner", "append_us", "recommend_us", "load_ms", "peak_memory_bytes",
    "file_bytes", "ndcg_at_10", "ndcg_at_10_float", "top10_overlap", "max_score_error", "ok",
]  # fmt: skip
MORE_KEYS = {
    "bundle", "users", "failures", "golden_ok", "threads", "same_top10", "memory_added_bytes",
    "runtime_memory_bytes", "cold_start_us", "rank_weighted_overlap", "agreement", "device",
    "interval_us", "quantiles_us",
    "first_call_us", "instructions", "calibrations_us", "medians_us", "cpu_us",
    "steady_memory_bytes", "rounds", "warnings", "conditions", "profile", "note",
    "ndcg_loss", "cannot_tell", "tap_beyond_us", "tap_anew_us", "differs",
}  # fmt: skip

SMALL, SHIPPED = ({"catalogue": catalogue_of(items), "spare_items": None} for items in (40, 1682))


def worker_that(monkeypatch, script):
    monkeypatch.setattr(python_runner, "WORKER", (sys.executable, "-c", script))


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
        ("tap_beyond", row["tap_beyond_us"]),
        ("tap_anew", row["tap_anew_us"]),
    ):
        low, high = row["interval_us"][method]
        assert 0 < low <= times["p50"] <= high
    # A mean of a quarter of the window and one tap, which costs more than the others.
    assert row["append_us"]["p50"] < row["tap_beyond_us"]["p50"] < row["tap_anew_us"]["p50"]
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
            model=model, top_k=10, window=None, held_out=None, golden=golden, **SMALL,
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
    monkeypatch.setattr("device_bench.entries.require_runtime", lambda target: None)
    return made, right, model, held_out


def check_all(outcomes, golden, folder, *artifacts):
    _, _, model, held_out = outcomes
    files = [(Artifact(*artifact, runtime={}), folder / artifact[2]) for artifact in artifacts]
    for _, file in files:
        file.write_bytes(b"1")
    return check_artifacts(
        files, model=model, top_k=10, window=200, held_out=held_out, golden=golden, **SMALL
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


@pytest.fixture(scope="module")
def real(shipped, artifacts, tmp_path_factory):
    """One bench over a good file, a cut one and one on which the runtime aborts."""
    model = shipped.model
    path = tmp_path_factory.mktemp("bundle")
    whole = artifacts["int8"].path.read_bytes()
    (path / "good.pte").write_bytes(whole)
    (path / "cut.pte").write_bytes(whole[: len(whole) // 2])
    (path / "aborts.pte").write_bytes(b"\xff\xff\xff\xffET" + b"\xff" * 5000)
    files = ("cut.pte", "aborts.pte", "good.pte")
    with pytest.MonkeyPatch.context() as patch:
        work_here(patch, but="aborts.pte")
        return bench(
            bundle_of(
                model, path, [("executorch", "int8", file) for file in files],
                golden_for(artifacts["int8"].program), top_k=TOP_K,
            ),
            checkpoint=checkpoint_of(model), held_out=held_out_of(model),
            settings=replace(QUICK, threads=2),
        )  # fmt: skip


@pytest.mark.slow
def test_the_real_artifact_is_measured_and_good(real, artifacts):
    row = real.rows[2]
    assert row.ok, row.failures
    assert row.golden_ok
    assert (row.users, row.threads) == (24, 2)
    assert row.file_bytes == artifacts["int8"].path.stat().st_size
    assert 0.95 <= row.top10_overlap < 1.0
    assert row.ndcg_at_10 == pytest.approx(row.ndcg_at_10_float, rel=0.15)
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
def test_the_real_int8_artifact_passes_the_exports_gate(in_process, shipped, artifacts):
    model = shipped.model
    (entry,) = check_artifacts(
        [(Artifact("executorch", "int8", "x", {}), artifacts["int8"].path)],
        model=model, top_k=TOP_K, window=200, held_out=held_out_of(model, users=200),
        golden=golden_for(artifacts["int8"].program), **SHIPPED,
    )  # fmt: skip
    assert list(entry) == [
        "target", "precision", "ok", "users", "file_bytes", "max_score_error", "top10_overlap",
        "rank_weighted_overlap", "agreement", "ndcg_at_10", "ndcg_at_10_float", "ndcg_loss",
        "failures", "cannot_tell",
    ]  # fmt: skip
    assert entry["ok"], entry
    assert entry["users"] == 200
    assert 0.95 <= entry["top10_overlap"] < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("with_data", [True, False])
def test_an_artifact_of_another_model_fails(in_process, make_model, artifacts, with_data):
    other = make_model(items=1682, d=64)  # as the artifact's: its state fits
    (entry,) = check_artifacts(
        [(Artifact("executorch", "int8", "x", {}), artifacts["int8"].path)],
        model=other, top_k=TOP_K, window=200, held_out=held_out_of(other) if with_data else None,
        golden=golden_for(stream_program(other, TOP_K)), **SHIPPED,
    )  # fmt: skip
    assert entry["ok"] is False
    assert any("golden case" in failure for failure in entry["failures"])
    if with_data:
        assert any("overlap" in failure for failure in entry["failures"])
        assert any("NDCG@10" in failure for failure in entry["failures"])
    else:
        assert entry["users"] == 0
        assert entry["ndcg_at_10"] is entry["top10_overlap"] is entry["max_score_error"] is None
