"""What `export` checked of several bundles, as one file and a table."""

import json
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_checks_of_bundles_are_rows_of_a_table(tmp_path, monkeypatch):
    check = {
        "target": "onnx", "precision": "int8", "ok": True, "users": 20, "file_bytes": 2500,
        "max_score_error": 0.07, "top10_overlap": 0.98, "agreement": {"c": 0.99},
        "ndcg_at_10": 0.1, "ndcg_at_10_float": 0.2,
        "ndcg_loss": {"share": 0.001, "low": -0.001, "high": 0.003, "positions": 4000},
    }  # fmt: skip
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        manifest = {"name": name, "model": {"d": 8, "items": 20}, "checks": [check]}
        (tmp_path / name / "manifest.json").write_text(json.dumps(manifest))
    out = tmp_path / "precisions.json"
    words = ["precisions.py", *(str(tmp_path / name) for name in "ab"), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", words)
    runpy.run_path(str(ROOT / "benchmarks/precisions.py"), run_name="__main__")
    table = runpy.run_path(str(ROOT / "scripts/docs_tables.py"))["KINDS"]["precisions"](out)
    line = "ONNX Runtime int8 | 4,000 | 0.1000 (0.2000) | 0.10 ± 0.20 | 0.9800 | 0.9900 |"
    assert f"| a, {line}" in table and f"| b, {line}" in table
