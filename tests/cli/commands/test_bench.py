"""`glint-edge bench`."""

import json
from functools import partial

import pytest

from device_bench.bench import Settings
from device_bench.measure.sampling import Plan
from tests.cli.streams import only_line


@pytest.fixture(autouse=True)
def _few_calls(monkeypatch):
    """What is printed is tested here, not the times."""
    quick = partial(Settings, plan=Plan(warmup=1, runs=20, budget_ms=50))
    monkeypatch.setattr("device_bench.bench.Settings", quick)


def test_bundles_side_by_side_print_exactly_what_scripts_rely_on(bundle, export_onnx, run):
    half, _ = export_onnx("--quantize", "fp16", name="half")
    code, out, err = run("bench", "--rounds", "1", bundle, half.path, "--json")
    assert code in (0, 1), err
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
