"""Instructions that each method takes on 64-bit Arm cores, by target and precision.

    python benchmarks/instructions.py --core cortex-a53 cortex-a76 --out counts.json --files files

After `glint-edge device setup arm64`. What runs is the native runner in an emulator, with NEON
kernels; see docs/arm64.md. Weights are random and seeded: counts hardly depend on them. A file of
`--out` is written after each artifact.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from cold_start import installed, write
from kept_stdout import kept_stdout

from device_bench.measure.job import Histories, Inputs, Job
from device_bench.native.emulator import CORES, DEFAULT_CORE
from device_bench.runners.arm64 import open_runner
from glint_edge.config import ModelConfig
from glint_edge.model.glint_ru import GlintRU

TOP_K = 10
HISTORIES = 8
NAMES = ("target", "precision", "core")  # of a row


def measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Convert each target and precision once, then count on each core."""
    torch.manual_seed(0)
    config = ModelConfig(items=arguments.items - 1, d=arguments.width)
    model = GlintRU(config).eval()
    sample = torch.randint(1, arguments.items, (HISTORIES, 20)).tolist()
    inputs = Inputs.of(Histories.of(sample), Histories.of([]))
    rows = []
    for target in arguments.target or installed():
        for precision in arguments.precision:
            with tempfile.TemporaryDirectory() as work:
                path = str(write(model, precision, target, arguments.files or Path(work)))
                job = Job(target, path, config.to_dict(), TOP_K, None)
                for core in arguments.core or [DEFAULT_CORE]:
                    counts = open_runner(core).run(job, inputs).instructions
                    names = {"target": target, "precision": precision, "core": core}
                    rows.append({**names, "instructions": dict(counts)})
            keep(rows, arguments.out)
    return rows


def keep(rows: Sequence[Mapping[str, Any]], path: Path | None) -> None:
    """Write rows to a file, in the place of those of the same names; others that it has stay."""
    if path is None:
        return
    every = json.loads(path.read_text("utf-8")) if path.exists() else []
    by_name = {tuple(row[name] for name in NAMES): row for row in (*every, *rows)}
    written = [by_name[name] for name in sorted(by_name)]
    path.write_text(json.dumps(written, indent=1) + "\n")


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON array on stdout")
    parser.add_argument(
        "--target", action="extend", nargs="+", help="one of those installed; default: all"
    )
    parser.add_argument("--precision", nargs="+", default=["fp32", "int8"])
    parser.add_argument(
        "--core", action="extend", nargs="+", choices=CORES, help=f"default: {DEFAULT_CORE}"
    )
    parser.add_argument("--width", type=int, default=128, help="d")
    parser.add_argument("--items", type=int, default=3417, help="rows of the table, padding too")
    parser.add_argument("--out", type=Path, help="a file for the same; what else it has stays")
    parser.add_argument("--files", type=Path, help="a folder that keeps the artifacts of a size")
    arguments = parser.parse_args()
    with kept_stdout():
        rows = measure(arguments)
    if arguments.json:
        print(json.dumps(rows))
        return
    methods = list(rows[0]["instructions"])
    print(f"thousands of instructions, d {arguments.width}, {arguments.items:,} items")
    print(f"{'':32}" + "".join(f"{method:>15}" for method in methods))
    for row in rows:
        counts = "".join(f"{row['instructions'][method] / 1e3:15,.0f}" for method in methods)
        print(f"{row['core']:12}{row['target']:12}{row['precision']:8}{counts}")


if __name__ == "__main__":
    main()
