"""`glint-edge bench`."""

import json
import re
import shutil
from dataclasses import replace
from functools import partial

import pytest

from device_bench.entries import Settings
from device_bench.judge.rows import BenchResult, Row, ScaleRow
from device_bench.measure.sampling import Plan
from device_bench.measure.statistics import Latency
from glint_edge.errors import RunnerError
from tests.cli.streams import only_line
from tests.skips import require


@pytest.fixture(autouse=True)
def _few_calls(monkeypatch):
    """What is printed is tested here, not the times."""
    quick = partial(Settings, plan=Plan(warmup=1, runs=20, budget_ms=50))
    monkeypatch.setattr("device_bench.entries.Settings", quick)


def test_bundles_side_by_side_print_exactly_what_scripts_rely_on(bundle, export_onnx, run):
    half, _ = export_onnx("--quantize", "fp16", name="half")
    code, out, err = run("bench", "--rounds", "1", bundle, half.path, "--json")
    assert code in (0, 1), err
    assert re.findall(r"\((\d+) of (\d+)", err) == [(f"{n}", "4") for n in range(1, 5)]
    assert err.count(" runs") == 1
    rows = [row for row in json.loads(out)["rows"] if row["target"] == "onnx"]
    expected = [("taps", "int8"), ("half", "fp16")]
    assert [(row["bundle"], row["precision"]) for row in rows] == expected
    for row, path in zip(rows, (bundle, half.path), strict=True):
        assert set(row) >= {
            "target", "precision", "runner", "append_us", "recommend_us", "load_ms",
            "peak_memory_bytes", "file_bytes", "ndcg_at_10", "ndcg_at_10_float", "top10_overlap",
            "max_score_error", "ok",
        }  # fmt: skip
        for name in ("append_us", "recommend_us"):
            figures = row[name]
            assert 0 < figures["p50"] <= figures["p90"] <= figures["p99"]
        assert set(row["cold_start_us"]) == {"20", "50", "200"}
        assert row["file_bytes"] == (path / "model.onnx").stat().st_size
        assert row["ndcg_at_10"] is not None
    assert code == (0 if all(row["ok"] for row in rows) else 1)


def test_without_data_the_golden_vectors_alone_are_checked(bundle, run, tmp_path, monkeypatch):
    monkeypatch.setattr("glint_edge.data.source.is_at_hand", lambda source: False)
    files = [tmp_path / "new" / name for name in ("run.json", "run.html")]
    code, out, err = run("bench", bundle, "--rounds", "1", "--offline", "--output", files[0],
                         "--html", files[1])  # fmt: skip
    assert code == 0, err
    assert "accuracy" in err
    assert "not measured" in " ".join((out + err).split())
    assert all(file.is_file() for file in files)
    code, again, _ = run("bench", "report", files[0], "--json")
    assert code == 0
    assert json.loads(again) == json.loads(files[0].read_text())
    assert run("bench", "report", files[0])[1] == run("bench", "report", files[0], "--markdown")[1]
    code, out, err = run("bench", "diff", *[files[0]] * 2, "--json")
    assert (code, json.loads(out)["ok"]) == (0, True), err


def test_stock_rows_take_the_float_model(bundle, run, monkeypatch):
    monkeypatch.setattr("glint_edge.checkpoints.of_bundle.find_checkpoint", lambda *_: None)
    code, out, err = run("bench", bundle, "--compare", "stock")
    assert (code, out) == (2, "")
    assert only_line(err).endswith("pass --checkpoint")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--json", "--markdown"], "are both for stdout"),
        (["--output", "."], "cannot write .: it is a folder"),
        (["--html", "taken/page.html"], "cannot write taken/page.html"),
    ],
)
def test_what_could_not_be_written_is_refused_before_the_work(
    bundle, run, tmp_path, monkeypatch, words, says
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").touch()
    monkeypatch.setattr("glint_edge.api.bench", lambda *_, **__: pytest.fail("it was begun"))
    code, out, err = run("bench", bundle, *words)
    assert (code, out) == (2, "")
    assert says in only_line(err)


def test_sizes_to_scale_over_are_whole_numbers(run):
    code, _, err = run("bench", "scale", "--items", "100,many", "--targets", "onnx")
    assert code == 2
    assert "--items '100,many' is no list of whole numbers" in only_line(err)


# ---- a run that ends before its end -------------------------------------------------------------

US = Latency(1.0, 2.0, 3.0)
MEASURED = Row(target="onnx", precision="int8", file_bytes=1, ok=True, threads=1, append_us=US)
WAITING = replace(MEASURED, target="tflite", append_us=None)


def test_a_typo_in_the_second_bundle_is_told_before_the_first_is_measured(bundle, run, monkeypatch):
    monkeypatch.setattr("device_bench.bench.bench", lambda *_, **__: pytest.fail("measured"))
    code, out, err = run("bench", bundle, "nothing.glint")
    assert (code, out) == (2, "")
    assert "nothing.glint is not a bundle" in only_line(err)


def test_bundles_of_one_name_are_told_apart_by_their_folders(bundle, run, tmp_path, monkeypatch):
    twins = [tmp_path / side / bundle.name for side in ("old", "new")]
    for twin in twins:
        shutil.copytree(bundle, twin)
    measured = BenchResult("taps", (MEASURED,), 1, "no data")
    monkeypatch.setattr("device_bench.bench.bench", lambda *_, **__: measured)
    code, out, err = run("bench", *twins, bundle, "--json")
    assert code == 0, err
    rows = json.loads(out)["rows"]
    folder = bundle.parent.name
    assert [row["bundle"] for row in rows] == [
        f"old/{bundle.name}", f"new/{bundle.name}", f"{folder}/{bundle.name}",
    ]  # fmt: skip
    code, out, _ = run("bench", bundle, bundle, "--json")
    assert [row["bundle"] for row in json.loads(out)["rows"]] == ["taps.glint", "taps.glint (2)"]
    assert set(json.loads(out)["not_measured"]) == {"taps.glint", "taps.glint (2)"}


@pytest.fixture
def fails_at_the_second(monkeypatch):
    """The first bundle is measured, and of the second a row; then it fails with this error."""

    def fail_with(error):
        def bench(bundle, *, on_rows, **_):
            if bundle.name == "taps":
                return BenchResult("taps", (MEASURED,), 1, "")
            on_rows([replace(MEASURED, precision="fp16"), WAITING])
            raise error

        monkeypatch.setattr("device_bench.bench.bench", bench)

    return fail_with


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (RunnerError("the emulator is gone"), 2, "the emulator is gone"),
        (OSError(28, "No space left on device"), 2, "No space left"),
        (KeyboardInterrupt(), 130, "stopped"),
        (AssertionError("a fault of ours"), None, ""),
    ],
)
def test_what_was_measured_before_a_failure_is_written(
    error, code, says, bundle, export_onnx, run, tmp_path, fails_at_the_second
):
    fails_at_the_second(error)
    half, _ = export_onnx("--quantize", "fp16", name="half")
    file, page = tmp_path / "run.json", tmp_path / "run.html"
    words = ("bench", bundle, half.path, "--output", file, "--html", page, "--json")
    if code is None:
        with pytest.raises(AssertionError, match="a fault of ours"):
            run(*words)
    else:
        ended, out, err = run(*words)
        assert ended == code
        assert says in only_line(err)
        assert "what was measured before it ended: 2 rows" in err
        assert json.loads(out) == json.loads(file.read_text())
    rows = json.loads(file.read_text())["rows"]
    assert [(row["bundle"], row["precision"]) for row in rows] == [
        ("taps", "int8"),
        ("half", "fp16"),
    ]
    assert page.is_file()


def test_where_nothing_was_measured_nothing_is_written(bundle, run, tmp_path, monkeypatch):
    def bench(*_, **__):
        raise RunnerError("no luck")

    monkeypatch.setattr("device_bench.bench.bench", bench)
    assert run("bench", bundle, "--output", tmp_path / "run.json")[0] == 2
    assert list(tmp_path.iterdir()) == []


def test_a_scale_that_fails_keeps_its_rows(run, tmp_path, monkeypatch):
    def scale(asked, make, *, on_rows, **_):
        on_rows([ScaleRow(MEASURED, 10, 16, {}, 1.0)])
        raise KeyboardInterrupt

    require("onnxscript", "onnx")
    monkeypatch.setattr("device_bench.scale.scale", scale)
    file = tmp_path / "run.json"
    words = ("--items", "10", "--widths", "16", "--targets", "onnx")
    code, _, err = run("bench", "scale", *words, "--output", file)
    assert code == 130
    assert only_line(err) == (
        f"error: stopped; what was measured is in {file}: start it again for the rest"
    )
    assert [row["items"] for row in json.loads(file.read_text())["rows"]] == [10]
