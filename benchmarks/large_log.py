"""Training on a generated log of 20 million interactions and a million items: items/s and memory.

    python benchmarks/large_log.py --json
    python benchmarks/large_log.py --interactions 2000000 --items 100000 --minutes 1

Writes the log as Parquet, cuts it into shards (`glint-edge shard`), and trains on them by sampled
softmax for some minutes, in a process of its own each, so that each one's peak memory is its own;
so each step imports what it needs.
Items are drawn by Zipf's law and followed, half of the time, by a neighbour, so that there is
something to learn.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from glint_edge.config import TrainConfig
    from glint_edge.data.sharded.shards import ShardedLog

FILES = 10


class _Enough(Exception):
    """The minutes are over."""


def generate(folder: Path, interactions: int, items: int) -> dict[str, Any]:
    """Write the log, a file of users at a time."""
    import polars as pl

    folder.mkdir()
    rng = np.random.default_rng(0)
    popularity = 1.0 / np.arange(10, items + 10) ** 0.8
    edges = np.cumsum(popularity / popularity.sum())
    user = 0
    for number in range(FILES):
        rows = interactions // FILES
        item = np.minimum(np.searchsorted(edges, rng.random(rows)), items - 1)
        follows = rng.random(rows) < 0.5
        follows[0] = False
        leader = np.maximum.accumulate(np.where(follows, 0, np.arange(rows)))
        item = (item[leader] + np.arange(rows) - leader) % items
        # Every item occurs: the catalogue is as large as it says.
        share = np.arange(items * number // FILES, items * (number + 1) // FILES)
        item[rng.choice(rows, len(share), replace=False)] = share
        users = user + np.cumsum(rng.random(rows) < 1 / 40)  # 40 items a user, on average
        user = int(users[-1]) + 1
        pl.DataFrame({"user": users, "item": item}).write_parquet(folder / f"{number}.parquet")
    return {}


def shard(folder: Path, out: Path, parts: int) -> dict[str, Any]:
    """Cut it into shards."""
    from glint_edge.data.sharded.sharding import make_shards

    return dict(make_shards(folder, out, parts=parts).summary)


def train(shards: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Train for the minutes given: items/s, and the loss at the start and at the end."""
    import torch

    from glint_edge.config import ModelConfig, TrainConfig
    from glint_edge.data.sharded.shards import open_shards
    from glint_edge.model.glint_ru import GlintRU
    from glint_edge.training.begin import make_optimizer
    from glint_edge.training.epochs import train_epoch

    torch.set_num_threads(chosen.threads)
    data = open_shards(shards)
    torch.manual_seed(0)
    model = GlintRU(ModelConfig(items=data.item_count, d=chosen.width, max_length=50))
    config = TrainConfig(
        loss="sampled-softmax", negatives=chosen.negatives, learning_rate=2e-3,
        batch_positions=chosen.batch_positions,
    )  # fmt: skip
    batches: list[tuple[float, int, float]] = []
    optimizer = make_optimizer(model, config)
    began = time.perf_counter()

    def on_batch(batch: int, _: int, loss: float) -> None:
        batches.append((time.perf_counter() - began, batch, loss))
        if batches[-1][0] > 60 * chosen.minutes:
            raise _Enough

    with suppress(_Enough):
        train_epoch(model, optimizer, data, config, np.random.default_rng(0), on_batch)
    first = batches[0]  # warms up
    seconds, steps = batches[-1][0] - first[0], batches[-1][1] - first[1]
    fill = _filled(data, config)
    return {
        "steps": steps,
        "seconds": seconds,
        "items_per_second": steps * config.batch_positions * fill / seconds,
        "loss_first": first[2],
        "loss_mean": batches[-1][2],
    }


def _filled(data: ShardedLog, config: TrainConfig) -> float:
    """Predictions a position of a batch: the rest is padding."""
    batches = data.batches(50, config.batch_positions, np.random.default_rng(0))
    sample = [next(batches) for _ in range(20)]
    return sum(int(b[1].sum()) for b in sample) / (len(sample) * config.batch_positions)


def alone(step: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:  # noqa: ANN401  # the step's
    """Run a step in a fresh process: its result, seconds and peak memory."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_measured, args=(queue, step, arguments))
    process.start()
    while process.is_alive() and queue.empty():
        process.join(0.2)
    if queue.empty():
        sys.exit(f"{step.__name__} died with exit code {process.exitcode}")
    result: dict[str, Any] = queue.get()
    process.join()
    return result


def _measured(queue: Any, step: Callable[..., dict[str, Any]], arguments: Any) -> None:  # noqa: ANN401  # the step's
    began = time.perf_counter()
    result = step(*arguments)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # bytes; Linux has KiB
    queue.put({**result, "whole_seconds": time.perf_counter() - began, "peak_memory_bytes": peak})


def main() -> None:
    """Parse, generate, shard, train, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interactions", type=int, default=20_000_000)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--parts", type=int, default=32, help="shards")
    parser.add_argument("--minutes", type=float, default=5.0, help="of training")
    parser.add_argument("--width", type=int, default=64, help="d")
    parser.add_argument("--negatives", type=int, default=4096)
    parser.add_argument("--batch-positions", type=int, default=16384)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        source, shards = Path(scratch) / "log", Path(scratch) / "shards"
        result = {
            "generate": alone(generate, source, chosen.interactions, chosen.items),
            "shard": alone(shard, source, shards, chosen.parts),
            "train": alone(train, shards, chosen),
        }
    result["settings"] = vars(chosen)
    if chosen.json:
        print(json.dumps(result))
        return
    for name in ("generate", "shard", "train"):
        step = result[name]
        rate = f"   {step['items_per_second']:,.0f} items/s" if name == "train" else ""
        peak = step["peak_memory_bytes"] / 1e9
        print(f"{name:9} {step['whole_seconds']:7.0f} s   {peak:5.2f} GB{rate}")


if __name__ == "__main__":
    main()
