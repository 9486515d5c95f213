"""Whether a GPU trains what the CPU trains, and how quickly.

    python benchmarks/gpu.py --data ml-100k --epochs 3

Trains GLINT-RU on the CPU in float32, and on the GPU in float32 and in bfloat16, from the same
first weights, in the same order, without dropout, whose bits differ from device to device. The mean
loss of each epoch must lie within TOLERANCE of the CPU's, relative to it. Then the GPU trains an
epoch with the default dropout: items a second. Where there is no CUDA device it says so in one line
and exits with 2; where a curve lies too far off, with 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from glint_edge.config import ModelConfig, TrainConfig
from glint_edge.data.log import load_log
from glint_edge.data.sequences import Split
from glint_edge.errors import GlintEdgeError
from glint_edge.training.begin import begin
from glint_edge.training.epochs import train_epoch

# Most that an epoch's mean loss may differ from the CPU's in float32, relative to that. float32
# adds up in another order; bfloat16 has 8 bits.
TOLERANCE = {"float32": 0.002, "bfloat16": 0.01}
NO_DROPOUT = {"embedding_dropout": 0.0, "attention_dropout": 0.0, "block_dropout": 0.0}


@dataclass(frozen=True)
class Curve:
    """One training.

    Attributes:
        device: "cpu" or "cuda".
        precision: of products of matrices.
        losses: the mean of each epoch.
        items_per_second: predictions, in the quickest epoch; the first one may compile.
    """

    device: str
    precision: str
    losses: list[float]
    items_per_second: float

    def largest_difference(self, of: Sequence[float]) -> float:
        """From another curve, in any epoch, relative to it."""
        mine, others = np.array(self.losses), np.array(of)
        return float(np.max(np.abs(mine - others) / np.abs(others)))  # NaN, if one is


def train(parts: Split, model: ModelConfig, config: TrainConfig, device: str) -> Curve:
    """Train all epochs on a device."""
    run = begin(model, config, parts, torch.device(device))
    losses, best = [], float("inf")
    for number in range(1, config.epochs + 1):
        for group in run.optimizer.param_groups:
            group["lr"] = config.learning_rate_at(number)
        started = time.perf_counter()
        losses.append(
            train_epoch(run.model, run.optimizer, parts, config, run.rng, average=run.average)
        )
        best = min(best, time.perf_counter() - started)  # an epoch ends with its loss on the CPU
    return Curve(device, config.precision, losses, parts.predictions / best)


def compare(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """Each curve beside the first one, the CPU's in float32."""
    first, *others = curves
    rows = []
    for one in others:
        difference = one.largest_difference(first.losses)
        tolerance = TOLERANCE[one.precision]
        # NaN is below no tolerance.
        rows.append({"device": one.device, "precision": one.precision, "difference": difference,
                     "tolerance": tolerance, "good": difference <= tolerance})  # fmt: skip
    return rows


def measure(asked: argparse.Namespace, device: str) -> dict[str, Any]:
    """All three curves, and the speed with dropout."""
    parts = load_log(asked.data).split()
    shape = {"items": parts.item_count, "d": asked.d, "max_length": asked.max_length}
    plain = ModelConfig(**shape, **NO_DROPOUT)
    config = TrainConfig(epochs=asked.epochs, batch_positions=asked.batch_positions, threads=0)
    curves = [
        train(parts, plain, replace(config, precision=precision), where)
        for where, precision in (("cpu", "float32"), (device, "float32"), (device, "bfloat16"))
    ]
    quick = replace(config, epochs=2, precision="bfloat16")
    return {
        "card": torch.cuda.get_device_name() if device == "cuda" else "none",
        "curves": [vars(curve) for curve in curves], "compared": compare(curves),
        "items_per_second": train(parts, ModelConfig(**shape), quick, device).items_per_second,
        **{name: getattr(asked, name) for name in ("data", "d", "max_length", "batch_positions")},
    }  # fmt: skip


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="ml-100k", help="ml-100k, or a log")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--d", type=int, default=64)
    parser.add_argument("--max-length", type=int, default=50)
    parser.add_argument("--batch-positions", type=int, default=6400)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        print("this machine has no CUDA device that torch can use", file=sys.stderr)
        sys.exit(2)
    try:
        document = measure(asked, "cuda")
    except GlintEdgeError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    if asked.json:
        print(json.dumps(document))
    else:
        print(f"{document['card']}: {document['items_per_second']:,.0f} items a second in bfloat16")
        for curve in document["curves"]:
            losses = ", ".join(f"{loss:.4f}" for loss in curve["losses"])
            print(f"  {curve['device']:5} {curve['precision']:9} "
                  f"{curve['items_per_second']:10,.0f} items a second, loss {losses}")  # fmt: skip
        for row in document["compared"]:
            verdict = "good" if row["good"] else "FAILS"
            print("  {device} {precision}: {difference:.3%} from the CPU's (at most "
                  "{tolerance:.1%}): {0}".format(verdict, **row))  # fmt: skip
    if not all(row["good"] for row in document["compared"]):
        sys.exit(1)


if __name__ == "__main__":
    main()
