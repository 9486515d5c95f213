"""How far runs of one bundle on one machine lie apart, and what `bench diff` makes of it.

    for n in 1 2 3 4 5 6 7 8; do glint-edge bench APP.glint --output $n.json; done
    python benchmarks/noise.py [1-8].json

Of each row and method: the standard deviation over the runs of the logarithm of its time, as it was
and with the machine's speed taken out; and how many of the ordered pairs of runs the diff calls a
regression, none of which is one.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np

from device_bench.document import read_document
from device_bench.judge.diff import diff
from device_bench.judge.ratio import at_one_speed
from device_bench.judge.recorded import row_name


def scatter(rows: list[dict[str, Any]], method: str, power: float) -> float:
    """Over runs, of the mean over the rounds of each; `power` 0 leaves the times as they were."""
    return float(np.std([np.mean(at_one_speed(row, method, power)) for row in rows]))


def measure(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """By row and method, and the false alarms."""
    by_row: dict[str, list[dict[str, Any]]] = {}
    for document in documents:
        for row in document["rows"]:
            by_row.setdefault(f"{row_name(row)} {row['runner']}", []).append(row)
    pairs = list(itertools.permutations(documents, 2))
    return {
        "rows": {
            f"{name}: {method}": {
                "plain": scatter(rows, method, 0.0), "calibrated": scatter(rows, method, 1.0)
            }
            for name, rows in by_row.items() for method in rows[0]["medians_us"]
        },
        "false_alarms": sum(bool(diff(old, new).regressions) for old, new in pairs),
        "pairs": len(pairs),
    }  # fmt: skip


def main() -> None:
    """Read and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "run", type=Path, nargs="+", help="what `bench --output` wrote, two or more"
    )
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    document = measure([read_document(path) for path in arguments.run])
    if arguments.json:
        print(json.dumps(document))
        return
    print(f"{'':44}{'plain':>8}{'calibrated':>12}")
    for name, sizes in document["rows"].items():
        print(f"{name:44}{sizes['plain']:>8.3f}{sizes['calibrated']:>12.3f}")
    print(f"regressions that are none: {document['false_alarms']} of {document['pairs']} pairs")


if __name__ == "__main__":
    main()
