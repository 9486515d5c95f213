"""Seconds a training epoch takes, beside RecBole with the authors' code.

    python benchmarks/training_speed.py --json
    python benchmarks/training_speed.py --peer-python PEER/bin/python --peer-model GLINT-RU.py
    python benchmarks/training_speed.py --data amazon-beauty.txt --precision bfloat16 \
        --out docs/measured/training-speed.json

Both learn to predict every item of the training sequences but the first, at the same width, length
and number of threads, in one run: both variants of ours, in turn, before and after the peer. A
peer's epoch takes minutes, so a few of its batches are timed and scaled to an epoch
(`--peer-batches 0` times a whole one). benchmarks/README.md says how to install the peer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from busy import noting_other_work, write_measured

from device_bench.measure.machine import machine
from glint_edge.config import ModelConfig, TrainConfig
from glint_edge.data.log import load_log
from glint_edge.data.sequences import Split, split
from glint_edge.training.begin import begin
from glint_edge.training.epochs import train_epoch

# How the paper's variant was trained before there was another.
BEFORE = {"average": 0.0, "output_start": 0.0, "neighbour_rows": 0}
SETTINGS = ("data", "width", "length", "threads", "precision", "batch_positions")  # of a row
PEER = Path(__file__).parent / "recbole_peer.py"


class Ours:
    """This project's trainer, of one variant of the model."""

    def __init__(self, chosen: argparse.Namespace, data: Split, variant: str) -> None:
        shape = {"d": chosen.width, "max_length": chosen.length, "variant": variant}
        before = {} if variant == "edge" else BEFORE
        # Drawn tables: an epoch takes as long whatever it starts from.
        self.config = TrainConfig(
            precision=chosen.precision, batch_positions=chosen.batch_positions,
            table_start="random", threads=chosen.threads, **before,
        )  # fmt: skip
        model_config = ModelConfig(items=data.sequences.item_count, **shape)
        self.run, self.data = begin(model_config, self.config, data), data

    def epoch(self) -> float:
        """Train one epoch: its seconds."""
        start = time.perf_counter()
        train_epoch(
            self.run.model, self.run.optimizer, self.data, self.config, self.run.rng,
            average=self.run.average,
        )  # fmt: skip
        return time.perf_counter() - start


def peer_epoch(arguments: argparse.Namespace) -> float | None:
    """Seconds of the peer's epoch; None if it is not installed."""
    if arguments.peer_python is None or arguments.peer_model is None:
        return None
    command = [
        arguments.peer_python, PEER, arguments.peer_model.resolve(),
        "--data", arguments.data, "--batches", arguments.peer_batches, "--d", arguments.width,
        "--max-length", arguments.length, "--threads", arguments.threads,
    ]  # fmt: skip
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the peer failed: {(done.stderr.strip() or 'no message').splitlines()[-1]}")
    times: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return statistics.median(times["batch_seconds"]) * times["batches"]


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time all."""
    data = split(load_log(arguments.data).whole)
    ours, before = (Ours(arguments, data, variant) for variant in ("edge", "paper"))
    pairs = [(ours.epoch(), before.epoch()) for _ in range(3)][1:]  # the first warms up
    peer = peer_epoch(arguments)
    pairs += [(ours.epoch(), before.epoch()) for _ in range(2)]
    epoch = statistics.median(seconds for seconds, _ in pairs)
    return {
        "seconds_per_epoch": epoch,
        "paper_seconds_per_epoch": statistics.median(seconds for _, seconds in pairs),
        "ratio_to_paper": statistics.median(new / old for new, old in pairs),
        "peer_seconds_per_epoch": peer,
        "ratio": None if peer is None else peer / epoch,
        **{name: getattr(arguments, name) for name in SETTINGS},
    }


def keep(result: dict[str, Any], path: Path) -> None:
    """Add a row to a file, in the place of that of the same settings; another machine's go."""
    file = json.loads(path.read_text("utf-8")) if path.exists() else {"machine": machine()}
    row = {**result, "data": Path(result["data"]).stem}
    same = [other for other in file.get("rows", ()) if any(other[n] != row[n] for n in SETTINGS)]
    here = file["machine"]["cpu"] == machine()["cpu"]
    write_measured(path, {"rows": [*(same if here else ()), row]})


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--width", type=int, default=64, help="d")
    parser.add_argument("--length", type=int, default=50, help="N")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", default="ml-100k", help="ml-100k, or a file of a user a line")
    parser.add_argument("--precision", default="float32", help="of ours: float32 or bfloat16")
    parser.add_argument("--batch-positions", type=int, default=3200, help="of ours")
    parser.add_argument("--peer-python", type=Path, help="python of an environment with RecBole")
    parser.add_argument("--peer-model", type=Path, help="the authors' GLINT-RU.py")
    parser.add_argument("--peer-batches", type=int, default=5, help="to time; 0: all of an epoch")
    parser.add_argument("--out", type=Path, help="a file for the same; its other rows stay")
    arguments = parser.parse_args()
    result: dict[str, Any] = {}
    with noting_other_work(result):
        result |= measure(arguments)
    if arguments.out:
        keep(result, arguments.out)
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"an epoch of {arguments.data}, d {arguments.width}, N {arguments.length}:")
    print(f"  glint-edge                {result['seconds_per_epoch']:8.1f} s")
    print(f"  glint-edge, paper variant {result['paper_seconds_per_epoch']:8.1f} s")
    print(f"  ratio to it               {result['ratio_to_paper']:8.2f}")
    if result["ratio"] is None:
        print("  RecBole, authors' code    not installed: see benchmarks/README.md")
    else:
        print(f"  RecBole, authors' code    {result['peer_seconds_per_epoch']:8.1f} s")
        print(f"  ratio                     {result['ratio']:8.1f}")


if __name__ == "__main__":
    main()
