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


def test_each_training_is_a_row_and_all_rows_are_tables(script, tmp_path):
    log = write_ring(tmp_path / "ring.txt", users=20)
    attributes = tmp_path / "attributes.json"
    attributes.write_text(json.dumps({f"i{n}": [n % 2, 2 + n % 3] for n in range(20)}))
    out = tmp_path / "item-features.json"
    asked = ("--data", log, "--attributes", attributes, "--seeds", 1, "--set", *LEVERS,
             "--out", out)  # fmt: skip
    script(*asked)
    written = out.read_bytes()
    rows = json.loads(written)["rows"]
    assert [row["step"] for row in rows] == ["accuracy", "accuracy", "new"]
    assert rows[0]["few_users"] == rows[0]["users"] == 20
    ways = rows[2]["ways"]
    assert list(ways) == ["none", "fields, 0.8", "like, 0.8", "log, 0.8"]  # it has no titles
    assert ways["fields, 0.8"]["taps"] > 0
    script(*asked)
    assert out.read_bytes() == written  # all is done
    docs = runpy.run_path(str(ROOT / "scripts/docs_tables.py"))
    title = "ring.txt, epochs 1, d 8, heads 2, max_length 12, batch_positions 256"
    assert f"| {title}, shown alone; few: 20 of 20 users | 1 | 0." in docs["KINDS"]["features"](out)
    table = docs["KINDS"]["new-items"](out)
    assert f"| {title}, fields | 0.8 | 1 | 0." in table
    assert f"| {title}, none | – | 1 | – | – | 0." in table
