"""What `benchmarks/web.py` measures of a page, and the docs' tables of it."""

import importlib
import json
import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def test_a_first_visit_to_the_engines_page_is_small():
    rows = json.loads((ROOT / "docs/measured/web.json").read_text())["rows"]
    (engine,) = (row for row in rows if row["target"] == "c")
    assert sum(engine["gzip"].values()) < 350_000


def test_a_first_visit_and_taps(monkeypatch, browser, web_app, library, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    web = importlib.import_module("web")
    kinds = runpy.run_path(str(ROOT / "scripts/docs_tables.py"))["KINDS"]
    seconds, server = web.first_visit(browser, web_app.site, by="")
    assert 0 < seconds["cards"] <= seconds["list"]
    sent = web.parts_of(server.sent)
    assert all(sent.values())
    assert not any(path.endswith(("golden.json", ".onnx", ".tflite")) for path in server.sent)
    assert sent["runtime"] < 40_000  # glint.wasm, compressed
    taps = web.together([library.evaluate(web.TAPS, ["c", 2, 2])])
    assert set(taps) == {"append", "recommend", "tap", "session", "neighbours"}
    one = web.together([seconds])
    row = {"target": "c", "us": taps, "gzip": sent, "seconds": {"devtools": one, "link": one}}
    (tmp_path / "web.json").write_text(json.dumps({"rows": [row]}))
    assert kinds["web-bytes"](tmp_path / "web.json").startswith("| gzip | the engine |")
    assert "| a tap: both, µs |" in kinds["web-times"](tmp_path / "web.json")
