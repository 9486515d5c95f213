"""The benchmark of the recipe, on a log so small that its figures say nothing."""

import json
import runpy
import sys
from pathlib import Path

from tests.logs import write_ring

ROOT = Path(__file__).parents[2]
# For good: scripts find their neighbours by name.
sys.path.append(str(ROOT / "benchmarks"))
LEVERS = ("epochs=1", "d=8", "heads=2", "max_length=12", "batch_positions=256")


def test_each_training_is_a_row_that_is_run_once_and_the_rows_are_tables(tmp_path, monkeypatch):
    log, out = write_ring(tmp_path / "ring.txt", users=20), tmp_path / "rows.json"
    words = [log, "--settings", "the recipe", "the paper's variant", "--seeds", 1, 2,
             "--set", *LEVERS, "neighbours=2", "--out", out]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["recipe.py", *map(str, words)])
    module = runpy.run_path(str(ROOT / "benchmarks/recipe.py"))
    module["main"]()
    rows = json.loads(out.read_text())["rows"]
    assert [row["setting"] for row in rows] == ["the recipe", "the paper's variant"] * 2
    assert [row["seed"] for row in rows] == [1, 1, 2, 2]
    assert {row["with_neighbours"]["k"] for row in rows} == {2}

    monkeypatch.setitem(module["main"].__globals__, "run", None)  # all is done
    module["main"]()
    tables = runpy.run_path(str(ROOT / "scripts/docs_tables.py"))["KINDS"]
    assert "| ring.txt: the paper's variant | 2 | 0." in tables["recipe"](out)
    assert "| ring.txt, seed 2: epoch 1 of 1 | 0 | 0." in tables["accuracy"](out)
    for row in rows:
        del row["with_neighbours"]["whole"]  # what was not measured
    out.write_text(json.dumps({"rows": rows}))
    lines = tables["accuracy"](out).splitlines()[2:]
    assert len(lines) == 5 and all(line.endswith("| – |") for line in lines)
