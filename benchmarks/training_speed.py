"""Seconds a training epoch takes, beside RecBole with the authors' code.

    python benchmarks/training_speed.py --json
    python benchmarks/training_speed.py --peer-python PEER/bin/python --peer-model GLINT-RU.py
    python benchmarks/training_speed.py --data amazon-beauty.txt --precision bfloat16

Both learn to predict every item of the training sequences but the first, at the same width, length
and number of threads, on one machine in one run: ours before and after the peer. A
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

import numpy as np
import torch

from glint_edge.config import ModelConfig, TrainConfig
from glint_edge.data.log import load_log
from glint_edge.data.sequences import split
from glint_edge.model.glint_ru import GlintRU
from glint_edge.training.epochs import make_optimizer, train_epoch

PEER = Path(__file__).parent / "recbole_peer.py"


class Ours:
    """This project's trainer."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        sequences = load_log(chosen.data).whole
        self.split = split(sequences)
        torch.manual_seed(0)
        self.model = GlintRU(
            ModelConfig(items=sequences.item_count, d=chosen.width, max_length=chosen.length)
        )
        self.config = TrainConfig(
            precision=chosen.precision, batch_positions=chosen.batch_positions
        )
        self.optimizer = make_optimizer(self.model, self.config)
        self.rng = np.random.default_rng(0)

    def epoch(self) -> float:
        """Train one epoch: its seconds."""
        start = time.perf_counter()
        train_epoch(self.model, self.optimizer, self.split, self.config, self.rng)
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
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return statistics.median(told["batch_seconds"]) * told["batches"]


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time both."""
    torch.set_num_threads(arguments.threads)
    ours = Ours(arguments)
    ours.epoch()  # warms up
    seconds = [ours.epoch() for _ in range(2)]
    peer = peer_epoch(arguments)
    seconds += [ours.epoch() for _ in range(2)]
    epoch = statistics.median(seconds)
    return {
        "seconds_per_epoch": epoch,
        "peer_seconds_per_epoch": peer,
        "ratio": None if peer is None else peer / epoch,
        **{
            name: getattr(arguments, name)
            for name in ("data", "width", "length", "threads", "precision", "batch_positions")
        },
    }


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
    result = measure(arguments := parser.parse_args())
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"an epoch of {arguments.data}, d {arguments.width}, N {arguments.length}:")
    print(f"  glint-edge                {result['seconds_per_epoch']:8.1f} s")
    if result["ratio"] is None:
        print("  RecBole, authors' code    not installed: see benchmarks/README.md")
    else:
        print(f"  RecBole, authors' code    {result['peer_seconds_per_epoch']:8.1f} s")
        print(f"  ratio                     {result['ratio']:8.1f}")


if __name__ == "__main__":
    main()
