"""`glint-edge bench`."""

import json

from tests.cli.streams import only_line


def test_bench_prints_exactly_what_scripts_rely_on(bundle, run):
    code, out, err = run("bench", bundle, "--rounds", "1", "--json")
    assert code in (0, 1), err
    rows = json.loads(out)["rows"]
    artifact = next(row for row in rows if row["target"] == "onnx")
    assert set(artifact) >= {
        "target", "precision", "runner", "append_us", "recommend_us", "load_ms",
        "peak_memory_bytes", "file_bytes", "ndcg_at_10", "ndcg_at_10_float", "top10_overlap",
        "max_score_error", "ok",
    }  # fmt: skip
    for name in ("append_us", "recommend_us"):
        figures = artifact[name]
        assert 0 < figures["p50"] <= figures["p90"] <= figures["p99"]
    assert artifact["file_bytes"] == (bundle / "model.onnx").stat().st_size
    assert code == (0 if artifact["ok"] else 1)


def test_bench_without_data_checks_the_golden_vectors_alone(bundle, run, monkeypatch):
    monkeypatch.setattr("glint_edge.data.source.is_at_hand", lambda source: False)
    code, out, err = run("bench", bundle, "--rounds", "1", "--offline")
    assert code == 0, err
    assert "accuracy" in out + err
    assert "not measured" in " ".join((out + err).split())


def test_stock_rows_take_the_float_model(bundle, run, monkeypatch):
    monkeypatch.setattr("glint_edge.checkpoints.of_bundle.find_checkpoint", lambda *_: None)
    code, out, err = run("bench", bundle, "--compare", "stock")
    assert (code, out) == (2, "")
    assert only_line(err).endswith("pass --checkpoint")


def test_bundles_of_other_precisions_are_seen_side_by_side(export_onnx, run):
    names = ("int8", "fp16")
    for precision in names:
        bundle, _ = export_onnx("--quantize", precision, name=precision)
    folder = bundle.path.parent
    code, out, err = run(
        "bench", "--rounds", "1", *(folder / f"{name}.glint" for name in names), "--json"
    )
    assert code in (0, 1), err
    rows = [row for row in json.loads(out)["rows"] if row["target"] == "onnx"]
    assert [(row["bundle"], row["precision"]) for row in rows] == [(name, name) for name in names]
    for row in rows:
        assert row["file_bytes"] > 0
        assert row["append_us"]["p50"] > 0
        assert set(row["cold_start_us"]) == {"20", "50", "200"}
        assert row["ndcg_at_10"] is not None
