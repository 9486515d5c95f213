"""The engine's benchmarks at toy sizes: what they print is what the docs' tables are made of."""

import importlib
import json
import runpy
import sys
from pathlib import Path

import pytest

from converters import generated
from glint_edge.engine.library import LIBRARY

ROOT = Path(__file__).parents[2]
MILLISECONDS = 1

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not LIBRARY.is_file(), reason="no C compiler is here"),
]


@pytest.fixture
def script(monkeypatch):
    """A script of `benchmarks/` as a module."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module


@pytest.fixture
def measure(script, monkeypatch, tmp_path, capfd):
    """Run `engine.py` on tiny models that are made in this process: what it prints and writes."""
    engine, lines = script("engine"), script("engine_lines")

    def make(target, precision, path, *, model, top_k, seconds):
        request = {"target": target, "precision": precision, "path": str(path),
                   "model": model, "top_k": top_k}  # fmt: skip
        generated._convert(request)

    monkeypatch.setattr(lines, "make", make)
    monkeypatch.setattr(lines, "FLAGS", ("-std=c11", "-O1", "-ffp-contract=off", "-static"))
    for name, sides in (("SMALL", (16, 40, 9)), ("WIDE", (20, 50, 9)), ("MILLION", (16, 300, 9))):
        monkeypatch.setattr(engine, name, lines.Shape(*sides))

    def run(*parts, targets=("c",), rounds=2):
        words = ("--part", *parts, "--target", *targets, "--rounds", rounds, "--out", tmp_path,
                 "--milliseconds", MILLISECONDS, "--json")  # fmt: skip
        monkeypatch.setattr(sys, "argv", ["engine.py", *map(str, words)])
        engine.main()
        said = json.loads(capfd.readouterr().out)
        assert said == {
            part: json.loads((tmp_path / f"engine-{part}.json").read_text()) for part in parts
        }
        return said

    return run


@pytest.fixture
def table():
    """What the docs' script makes of a file."""
    script = runpy.run_path(str(ROOT / "scripts/docs_tables.py"))
    return lambda kind, path: script["KINDS"][kind](path)


def test_a_million_items_and_memory(measure, table, tmp_path):
    said = measure("million", "memory")
    (row,) = said["million"]["rows"]
    assert row["how"].startswith("loop, ") and row["items"] == 300
    assert row["memory"]["table"] == 19 * 64 * (16 // 4 + 3)  # blocks of 16 rows, and their vectors
    for figure in row["us"].values():
        assert 0 < figure["low"] <= figure["median"] <= figure["high"]
    memory = row["memory"]
    assert memory["peak"] > memory["workspace"] + memory["states"]
    assert isinstance(said["million"]["busy"], bool)
    assert "| 300 | 0.0 MB |" in table("engine-million", tmp_path / "engine-million.json")
    assert table("engine-memory", tmp_path / "engine-memory.json").count("\n") == 3


@pytest.mark.full
def test_taps_of_the_engine_and_a_runtime(measure, table, require_native, tmp_path):
    require_native("onnx")
    rows = measure("tap", "size", targets=("c", "onnx"))["tap"]["rows"]
    small = [row for row in rows if row["d"] == 16]
    portable, c, onnx = small[-3:]
    assert (portable["how"], c["target"], onnx["target"]) == ("loop, portable", "c", "onnx")
    assert set(c["us"]) == {"append", "recommend", "tap", "cold_start"}
    assert rows[-1]["target"] == "stock fp32" and "append" not in rows[-1]["us"]
    taps = table("engine-taps", tmp_path / "engine-tap.json")
    assert (
        "| the engine, portable in a loop |" in taps and "| ONNX Runtime, native runner |" in taps
    )
    growth = table("growth", tmp_path / "engine-size.json")
    assert "| the engine |" in growth and "| a web page | onnxruntime-web | not measured" in growth


@pytest.mark.full
def test_a_cold_start_beside_the_stock_export(measure, table, require_native, tmp_path):
    require_native("c")
    rows = measure("cold")["cold"]["rows"]
    assert [row["target"] for row in rows] == ["c", "c", "stock fp32"]
    assert "| 1.00 |" in table("engine-cold", tmp_path / "engine-cold.json")


def test_instructions_become_a_table(table, tmp_path):
    counts = {"append": 4000, "recommend": 12_345_600,
              **{f"cold_start_{items}": items * 1000 for items in (20, 50, 200)}}  # fmt: skip
    row = {"target": "c", "precision": "int8", "core": "cortex-a76", "instructions": counts}
    (tmp_path / "some.json").write_text(json.dumps([row]))
    lines = table("instructions", tmp_path / "some.json").splitlines()
    assert lines[-1] == "| the engine int8 | cortex-a76 | 4 | 12,346 | 20 | 50 | 200 |"
