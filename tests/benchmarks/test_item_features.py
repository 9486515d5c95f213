"""The benchmark of item features, on a log so small that its figures say nothing."""

import json
import runpy
import sys
from pathlib import Path

import pytest

from tests.logs import write_ring

ROOT = Path(__file__).parents[2]
# For good: scripts find their neighbours by name.
sys.path.append(str(ROOT / "benchmarks"))
LEVERS = ("epochs=1", "d=8", "heads=2", "max_length=12", "batch_positions=256")


@pytest.fixture
def script(monkeypatch):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["item_features.py", *map(str, words)])
        module["main"]()

    module = runpy.run_path(str(ROOT / "benchmarks/item_features.py"))
    module["main"].__globals__.update(NEW=3, STRENGTHS=(0.8,), FEW=1_000)
    return call


def test_each_step_is_a_line_and_all_lines_are_tables(script, tmp_path, capsys):
    log = write_ring(tmp_path / "ring.txt", users=20)
    attributes = tmp_path / "attributes.json"
    attributes.write_text(json.dumps({f"i{n}": [n % 2, 2 + n % 3] for n in range(20)}))
    asked = ("--data", log, "--attributes", attributes, "--seeds", 1, "--set", *LEVERS,
             "--out", tmp_path / "lines.jsonl")  # fmt: skip
    script(*asked)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["step"] for line in lines] == ["accuracy", "accuracy", "new"]
    assert lines[0]["few_users"] == lines[0]["users"] == 20
    ways = lines[2]["ways"]
    assert list(ways) == ["none", "fields, 0.8", "like, 0.8", "log, 0.8"]  # it has no titles
    assert ways["fields, 0.8"]["taps"] > 0
    script(*asked)
    assert capsys.readouterr().out == ""  # all is done
    script("--table", tmp_path / "lines.jsonl", "--json")
    (tmp_path / "item-features.json").write_text(capsys.readouterr().out)
    docs = runpy.run_path(str(ROOT / "scripts/docs_tables.py"))
    assert "| ring.txt, shown alone | 0." in docs["features"](tmp_path / "item-features.json")
    table = docs["new_items"](tmp_path / "item-features.json")
    assert "| ring.txt, fields | 0.8 | 0." in table
    assert "| ring.txt, none | – | – | – | 0." in table
