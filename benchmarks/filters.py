"""What a list's filters cost: microseconds and bytes, by target and catalogue.

    git worktree add ../before COMMIT        # a glint-edge whose artifacts take no bias
    python benchmarks/filters.py --before ../before --files files --convert
    python benchmarks/filters.py --before ../before --files files --out docs/measured/filters.json

`recommend` from Python, one thread, int8, d 64, 50 items: in an artifact without a bias, and in one
that takes it, without a filter (zeros that were made once) and with 200 items left out (an array
that is filled for the call); and `similar`. Artifacts are timed in turn, in processes of their own;
a figure is the least of the processes' medians, since a machine that slows down for minutes says
nothing of an artifact. Weights are random and seeded: times do not depend on them. Nothing is timed
beside a conversion; what `--files` has is not converted again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

# A checkout from before has these, too: its processes run this same file.
from device_bench.measure.machine import machine
from device_bench.measure.runtimes import load_runtime
from device_bench.measure.sampling import Plan, sample
from glint_edge.config import ModelConfig

ITEMS = (1_683, 12_101, 1_000_000)
SUFFIXES = {"executorch": ".pte", "onnx": ".onnx", "tflite": ".tflite"}
WIDTH, LENGTH, TOP_K, OUT = 64, 200, 50, 200
CHUNK = 1  # of `append_many`, which is not measured: a longer one takes longer to convert
AT_ONCE = 2  # conversions, minutes each
LEFT_OUT = np.float32(-1e30)
HISTORY, STATES = 20, 8
PLAN = Plan(runs=200, budget_ms=500)
ROUNDS = 5


def file_of(target: str, items: int) -> str:
    """The name of an artifact."""
    return f"{items}{SUFFIXES[target]}"


def config_of(items: int) -> ModelConfig:
    """The shape of the model."""
    return ModelConfig(items=items, d=WIDTH, max_length=LENGTH)


def convert_one(target: str, items: int) -> None:
    """Write an artifact into the current folder."""
    import torch

    from converters import convert
    from converters.targets import find_target
    from glint_edge.model.glint_ru import GlintRU
    from glint_edge.model.stream import stream_program
    from quantization import quantize

    torch.manual_seed(0)
    torch.set_num_threads(1)
    # One expression: no name keeps the model, nor the float program.
    program = quantize(stream_program(GlintRU(config_of(items)).eval(), TOP_K, CHUNK), "int8")
    convert(program, find_target(target), Path(file_of(target, items)))


def time_one(target: str, items: int, rows: int | None) -> dict[str, float]:
    """Median microseconds a call of an artifact in the current folder.

    Args:
        target: whose it is.
        items: of its catalogue.
        rows: of its table; None: its `recommend` takes no bias.
    """
    config, random = config_of(items), np.random.default_rng(0)
    runtime: Any = load_runtime(target, Path(file_of(target, items)), config, top_k=TOP_K)
    states = [runtime.empty_state() for _ in range(STATES)]
    for item in random.integers(1, items + 1, HISTORY).tolist():
        states = [runtime.append(state, min(item + n, items)) for n, state in enumerate(states)]

    def plain(number: int) -> object:
        return runtime.recommend(states[number % STATES])

    if rows is None:
        return times_of({"plain": plain})
    seen = random.choice(np.arange(1, items + 1), min(OUT, items // 2), replace=False)

    def left_out(number: int) -> object:
        bias = np.zeros((1, rows), np.float32)
        bias[0, seen] = LEFT_OUT
        return runtime.recommend(states[number % STATES], bias)

    def similar(number: int) -> object:
        return runtime.similar(1 + number % items)

    return times_of({"plain": plain, "left_out": left_out, "similar": similar})


def times_of(calls: Mapping[str, Callable[[int], object]]) -> dict[str, float]:
    """By name, the median call, in microseconds."""
    return {
        name: float(np.median(sample(call, PLAN).calls_ns)) / 1e3 for name, call in calls.items()
    }


def work(words: Sequence[str]) -> None:
    """What a child process does, in the folder it was started in; the result goes to a file."""
    doing, target, *counts = words
    items, before = map(int, counts)
    if doing == "convert":
        convert_one(target, items)
        return
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    times = time_one(target, items, None if before else items + 2)
    Path("times.json").write_text(json.dumps(times))


def child(source: Path, folder: Path, doing: str, target: str, items: int, before: bool) -> None:
    """Run `work` with the packages of a checkout."""
    words = ("--work", doing, target, str(items), str(int(before)))
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), *words], cwd=folder, text=True,
        env={**os.environ, "PYTHONPATH": str(source.resolve())}, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{doing} {target}, {items:,} items, of {source}: {done.stderr[-2000:]}")


def convert_all(
    every: Sequence[tuple[str, str, int]], sources: Mapping[str, Path], folders: Mapping[str, Path]
) -> None:
    """Convert what is not there yet, the largest first."""

    def convert(one: tuple[str, str, int]) -> None:
        name, target, items = one
        path = folders[name] / file_of(target, items)
        if path.exists():
            return
        print("converting", *one, file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=folders[name]) as part:
            child(sources[name], Path(part), "convert", target, items, name == "before")
            (Path(part) / path.name).rename(path)

    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(convert, sorted(every, key=lambda one: -one[2])))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Convert everything, then time everything in turn."""
    sources = {"with": Path(__file__).parents[1]}
    if arguments.before:
        sources["before"] = arguments.before
    pairs = [(target, items) for items in arguments.items for target in arguments.target]
    with tempfile.TemporaryDirectory() as work_folder:
        folders = {name: Path(arguments.files or work_folder) / name for name in sources}
        every = [(name, *pair) for pair in pairs for name in sources]
        convert_all(every, sources, folders)
        if arguments.convert:
            return {}
        times: dict[tuple[Any, ...], list[dict[str, float]]] = {one: [] for one in every}
        for number in range(arguments.rounds):
            for name, *pair in every:
                print("timing", name, *pair, f"round {number + 1}", file=sys.stderr)
                child(sources[name], folders[name], "time", *pair, name == "before")
                taken = json.loads((folders[name] / "times.json").read_text())
                times[name, *pair].append(taken)
        bytes_of = {one: (folders[one[0]] / file_of(*one[1:])).stat().st_size for one in every}
    return {
        "d": WIDTH, "top_k": TOP_K, "left_out": OUT, "precision": "int8",
        "rounds": arguments.rounds, "machine": machine(),
        "rows": [row_of(target, items, bytes_of, times) for target, items in pairs],
    }  # fmt: skip


def row_of(
    target: str,
    items: int,
    bytes_of: Mapping[tuple[Any, ...], int],
    times: Mapping[tuple[Any, ...], Sequence[Mapping[str, float]]],
) -> dict[str, Any]:
    """An artifact's figures; None where there was none from before."""

    def fastest(version: str, name: str) -> float | None:
        rounds = times.get((version, target, items))
        return None if rounds is None else min(each[name] for each in rounds)

    return {
        "target": target, "items": items,
        "bytes": bytes_of["with", target, items],
        "before_bytes": bytes_of.get(("before", target, items)),
        "before_us": fastest("before", "plain"),
        **{f"{name}_us": fastest("with", name) for name in ("plain", "left_out", "similar")},
    }  # fmt: skip


def main() -> None:
    """Parse, measure, print."""
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--out", type=Path, help="a file for the same JSON")
    parser.add_argument("--before", type=Path, help="a checkout whose artifacts take no bias")
    parser.add_argument("--files", type=Path, help="a folder that keeps the artifacts")
    parser.add_argument("--convert", action="store_true", help="only make the artifacts")
    parser.add_argument("--items", type=int, nargs="+", default=ITEMS, help="catalogues")
    parser.add_argument("--target", nargs="+", default=list(SUFFIXES))
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="processes of each artifact")
    parser.add_argument("--quick", action="store_true", help="the smallest catalogue, one round")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.items, arguments.rounds = [min(arguments.items)], 1
    result = measure(arguments)
    if arguments.convert:
        return
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    if arguments.json:
        print(json.dumps(result, indent=1))
        return
    names = ("bytes", "before_bytes", "before_us", "plain_us", "left_out_us", "similar_us")
    print(f"{'':12} {'items':>9}", *(f"{name:>13}" for name in names))
    for row in result["rows"]:
        cells = ("–" if row[name] is None else f"{row[name]:,.1f}" for name in names)
        print(f"{row['target']:12} {row['items']:9,}", *(f"{cell:>13}" for cell in cells))


if __name__ == "__main__":
    main()
