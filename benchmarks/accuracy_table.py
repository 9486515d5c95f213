"""The table of accuracy.py: models × seeds, mean ± standard deviation, in Markdown.

    python benchmarks/accuracy_table.py --data ml-100k --out lines.jsonl -- --minutes 10

Everything after `--` goes to each run of accuracy.py. Each run's JSON is appended to `--out`; a
model and seed that the file has of this log is not run again, so an interrupted table goes on where
it stopped: a file is of one set of flags. The table is of everything in the file, and runs of
different settings are different rows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parent / "accuracy.py"
FIGURES = ("ndcg_at_10", "recall_at_10", "mrr_at_10", "full_ndcg_at_10")
# What differs between runs of the same settings.
RESULTS = (*FIGURES, "validation_ndcg_at_10", "seed", "minutes", "epochs", "best_epoch")


def read(path: Path) -> list[dict[str, Any]]:
    """The runs of a file of JSON lines; none if there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def run_missing(asked: argparse.Namespace) -> None:
    """Run accuracy.py for every model and seed that `--out` lacks; its line is appended."""
    there = {(line["data"], line["model"], line["seed"]) for line in read(asked.out)}
    for seed in asked.seeds:
        for model in asked.models:
            if (Path(asked.data).name, model, seed) in there:
                continue
            command = [sys.executable, SCRIPT, "--data", asked.data, "--model", model,
                       "--seed", seed, "--json", *asked.flags]  # fmt: skip
            done = subprocess.run(
                list(map(str, command)), stdout=subprocess.PIPE, text=True, check=False
            )
            if done.returncode:
                sys.exit(done.returncode)  # it has said why
            with asked.out.open("a", encoding="utf-8") as file:
                file.write(done.stdout)


def spread(values: list[float]) -> str:
    """Mean ± sample standard deviation; one value stands alone."""
    mean = f"{statistics.mean(values):.4f}"
    return f"{mean} ± {statistics.stdev(values):.4f}" if len(values) > 1 else mean


def render(lines: list[dict[str, Any]]) -> str:
    """The Markdown table, a row for each set of settings, in the order of the first run."""
    groups = defaultdict(list)
    for line in lines:
        same = {name: value for name, value in line.items() if name not in RESULTS}
        groups[json.dumps(same, sort_keys=True)].append(line)
    rows = [
        "| data | model | seeds | NDCG@10 | Recall@10 | MRR@10 | full NDCG@10 | minutes | epochs |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for runs in groups.values():
        cells = [runs[0]["data"], runs[0]["model"], len({run["seed"] for run in runs})]
        cells += [spread([run[name] for run in runs]) for name in FIGURES]
        cells += [
            f"{statistics.mean(run[name] for run in runs):.1f}" for name in ("minutes", "epochs")
        ]
        rows.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(rows)


def main() -> None:
    """Run what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="ml-100k, or a log")
    parser.add_argument("--models", nargs="+", default=["glint", "sasrec", "gru4rec"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--out", type=Path, required=True, help="JSON lines, read and appended to")
    parser.add_argument("flags", nargs="*", help="after --: flags of accuracy.py")
    asked = parser.parse_args()
    run_missing(asked)
    print(render(read(asked.out)))


if __name__ == "__main__":
    main()
