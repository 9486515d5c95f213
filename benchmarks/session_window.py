"""What a session longer than the model's window may forget: accuracy, and the cost of a tap.

    python benchmarks/session_window.py [CHECKPOINT …] --out docs/measured/session-window.json

A state cannot forget its oldest item, so a sliding session begins a new one now and then. Three
ways are compared with a session that encodes its last N items anew at every tap:

- quarter: one state of N to N + N/4 items, then encoded anew from the last N; what sessions do;
- two states: of N/2 to N items, the younger begun when the older is half full;
- unbounded: one state of all items.

Accuracy is NDCG@10 of the validation items of users with more than N + N/4 items before them, by
the float model, averaged over how many items a state happens to hold. The cost is made of the
bundle's own steps, measured in turn in ONNX Runtime: int8, one thread.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from busy import noting_other_work, write_measured

from converters import convert
from converters.targets import find_target
from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint
from glint_edge.data.source import find_split
from glint_edge.model.glint_ru import GlintRU
from glint_edge.model.stream import stream_program
from glint_edge.runtime.engines import load_artifact
from quantization import quantize

BATCH, ROUNDS = 256, 200
MOST_PHASES = 25  # of how many items a state may hold, evenly apart


def lengths_of(n: int) -> dict[str, list[int]]:
    """How many of the last items each way holds, over a whole turn; 0 is all of them."""
    return {
        "exact": [n],
        "quarter": _some(n, n + n // 4),
        "two states": _some(n // 2, n),
        "unbounded": [0],
    }


def _some(least: int, most: int) -> list[int]:
    return sorted({round(x) for x in np.linspace(least, most, min(MOST_PHASES, most - least + 1))})


def accuracy(checkpoint: Checkpoint) -> tuple[int, dict[str, float]]:
    """Users with long histories, and NDCG@10 of each way."""
    parts = find_split(checkpoint.data, checkpoint.catalogue, offline=False)
    if parts is None:
        raise SystemExit("the checkpoint's data are not at hand")
    n = checkpoint.model.config.max_length
    held_out = parts.validation()
    cases = [
        (history, target)
        for history, target in zip(_histories(held_out), held_out.targets.tolist(), strict=True)
        if len(history) > n + n // 4
    ]
    ways = {
        name: statistics.fmean(
            float(_ndcg(checkpoint.model, [(history[-m:], t) for history, t in cases]).mean())
            for m in lengths
        )
        for name, lengths in lengths_of(n).items()
    }
    return len(cases), ways


def _histories(held_out: Any) -> Iterator[list[int]]:  # noqa: ANN401  # HeldOut of any split
    for start, end in zip(held_out.offsets[:-1], held_out.offsets[1:], strict=True):
        yield held_out.ids[start:end].tolist()


@torch.inference_mode()
def _ndcg(model: GlintRU, cases: Sequence[tuple[list[int], int]]) -> npt.NDArray[np.float64]:
    values = []
    for start in range(0, len(cases), BATCH):
        part = cases[start : start + BATCH]
        lengths = torch.tensor([len(history) for history, _ in part])
        items = torch.zeros(len(part), int(lengths.max()), dtype=torch.int64)
        for row, (history, _) in zip(items, part, strict=True):
            row[: len(history)] = torch.tensor(history)
        scores = model.encode(items, lengths) @ model.embedding.weight.T
        for row, (history, target) in zip(scores, part, strict=True):
            row[[0, *(set(history) - {target})]] = -torch.inf
            rank = int((row > row[target]).sum())
            values.append(1 / np.log2(rank + 2) if rank < 10 else 0.0)
    return np.array(values)


def steps_us(checkpoint: Checkpoint) -> dict[str, float]:
    """Medians of the bundle's steps, in µs: one item appended, N encoded, a list."""
    model, n = checkpoint.model, checkpoint.model.config.max_length
    program = quantize(stream_program(model), "int8")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        convert(program, find_target("onnx"), path)
        runtime = load_artifact("onnx", path, model.config, None, 1)
    items = [1 + k % model.config.items for k in range(n)]
    state = runtime.append_many(runtime.empty_state(), items)
    calls: dict[str, Callable[[], object]] = {
        "append": lambda: runtime.append(state, 7),
        "encode": lambda: runtime.append_many(runtime.empty_state(), items),
        "recommend": lambda: runtime.recommend(state),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(1e6 * (time.perf_counter() - start))
    return {name: statistics.median(of) for name, of in times.items()}


def taps_us(n: int, us: dict[str, float]) -> dict[str, dict[str, float]]:
    """Of each way: a tap on average, and the longest one; append or encode, then the list."""
    turn = n // 4 + 1
    rest = us["recommend"]
    quarter = ((turn - 1) * us["append"] + us["encode"]) / turn
    return {
        "exact": {"mean": us["encode"] + rest, "longest": us["encode"] + rest},
        "quarter": {"mean": quarter + rest, "longest": us["encode"] + rest},
        "two states": {"mean": 2 * us["append"] + rest, "longest": 2 * us["append"] + rest},
        "unbounded": {"mean": us["append"] + rest, "longest": us["append"] + rest},
    }


def measure(checkpoint: Checkpoint) -> dict[str, Any]:
    """All of one model."""
    n, us = checkpoint.model.config.max_length, steps_us(checkpoint)
    users, ndcg = accuracy(checkpoint)
    name = (checkpoint.folder or Path()).name
    return {
        "model": name, "window": n, "users": users, "ndcg_at_10": ndcg, "steps_us": us,
        "taps_us": taps_us(n, us),
    }  # fmt: skip


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("checkpoints", nargs="*", help="folders [default: the shipped one]")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path, help="a file for the same, and the machine")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    result: dict[str, Any] = {}
    with noting_other_work(result):
        rows = [measure(load_checkpoint(path)) for path in asked.checkpoints or [None]]
    write_measured(asked.out, {**result, "rows": rows})
    if asked.json:
        print(json.dumps({"rows": rows}, indent=1))
        return
    for row in rows:
        print(f"{row['model']}, N = {row['window']}, {row['users']} users")
        for name, ndcg in row["ndcg_at_10"].items():
            tap = row["taps_us"][name]
            print(f"  {name:11} NDCG@10 {ndcg:.4f}, a tap {tap['mean']:6.0f} µs, "
                  f"at most {tap['longest']:6.0f}")  # fmt: skip


if __name__ == "__main__":
    main()
