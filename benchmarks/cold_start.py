"""A first start and a tap: every installed target beside the stock ONNX export.

    python benchmarks/cold_start.py --json
    python benchmarks/cold_start.py --files files --out docs/measured/cold-start.json
    python benchmarks/cold_start.py --sizes

Stock is the batch form, exported by `torch.onnx.export`, fp32, in ONNX Runtime (`stock_export.py`):
it reads the whole history in one pass, at a first start and at every tap. The stream, int8, takes a
history in by `append_many` and answers by `recommend`; a tap is `append` and `recommend`. All from
Python, one thread each, interleaved in one run; medians. Weights are random and seeded: times do
not depend on them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from busy import noting_other_work, write_measured
from kept_stdout import kept_stdout
from stock_export import TOP_K, stock, times_us

from converters import convert
from converters.targets import find_target, targets
from device_bench.measure.runtimes import load_runtime
from glint_edge.config import ModelConfig
from glint_edge.extras import missing
from glint_edge.model.glint_ru import GlintRU
from glint_edge.model.stream import stream_program
from glint_edge.runtime.engines import Runtime, engines
from quantization import quantize


def installed() -> list[str]:
    """Targets whose packages are all there."""
    return [
        name
        for name, target in targets().items()
        if not missing([*target.convert_packages, *engines()[name].packages])
    ]


def write(model: GlintRU, precision: str, name: str, folder: Path) -> Path:
    """Convert the stream to a target, unless that was done; returns the file."""
    target = find_target(name)
    path = folder / f"{precision}{target.suffix}"
    if not path.exists():
        convert(quantize(stream_program(model, TOP_K), precision), target, path)
    return path


def start(runtime: Runtime, items: Sequence[int]) -> object:
    """A first start."""
    return runtime.recommend(runtime.append_many(runtime.empty_state(), items))


def tap(runtime: Runtime, items: Sequence[int]) -> Callable[[], object]:
    """A tap on the last item after all others."""
    state = runtime.append_many(runtime.empty_state(), items[:-1])
    return lambda: runtime.recommend(runtime.append(state, items[-1]))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Convert once, then time each length."""
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    longest = max(arguments.histories)
    config = ModelConfig(items=arguments.items - 1, d=arguments.width, max_length=longest)
    model = GlintRU(config).eval()
    names = arguments.target or installed()
    times: dict[str, Any] = {"stock_us": {}, "targets": {name: {} for name in names}}
    with tempfile.TemporaryDirectory() as work:
        folder = arguments.files or Path(work)
        folder.mkdir(parents=True, exist_ok=True)
        files = {name: write(model, "int8", name, folder) for name in names}
        if arguments.sizes:
            for name, file in files.items():
                whole = write(model, "fp32", name, folder).stat().st_size
                times["targets"][name]["bytes"] = {"int8": file.stat().st_size, "fp32": whole}
        runtimes = [
            load_runtime(name, file, config, threads=arguments.threads)
            for name, file in files.items()
        ]
        histories = [torch.randint(1, arguments.items, (1, n)) for n in arguments.histories]
        stocks = [stock(model, history, Path(work), arguments.threads) for history in histories]
        with noting_other_work(times):
            for history, whole_pass in zip(histories, stocks, strict=True):
                items, length = history[0].tolist(), str(history.shape[1])
                calls = [
                    whole_pass,
                    *(partial(start, runtime, items) for runtime in runtimes),
                    *(tap(runtime, items) for runtime in runtimes),
                ]
                stock_us, *ours = map(statistics.median, times_us(calls, arguments.seconds))
                times["stock_us"][length] = stock_us
                for name, us, tap_us in zip(names, ours, ours[len(names) :], strict=False):
                    times["targets"][name][length] = {
                        "us": us, "ratio": us / stock_us,
                        "tap_us": tap_us, "tap_ratio": tap_us / stock_us,
                    }  # fmt: skip
    return {"width": arguments.width, "items": arguments.items, **times}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--target", action="append", help="one of those installed; default: all")
    parser.add_argument("--histories", type=int, nargs="+", default=[50, 200], help="lengths N")
    parser.add_argument("--width", type=int, default=128, help="d")
    parser.add_argument("--items", type=int, default=3417, help="rows of the table, padding too")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10.0, help="of timing, each length")
    parser.add_argument("--sizes", action="store_true", help="bytes of each file, fp32 too")
    parser.add_argument("--files", type=Path, help="a folder that keeps the artifacts")
    parser.add_argument("--out", type=Path, help="a file for the same, and the machine")
    arguments = parser.parse_args()
    with kept_stdout():
        result = measure(arguments)
    write_measured(arguments.out, result)
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"cold start, d {arguments.width}, {arguments.items:,} items; of the stock export's time")
    for length, us in result["stock_us"].items():
        print(f"  N {length}: stock ONNX export, fp32 {us:8.0f} µs")
        for name, figures in result["targets"].items():
            mine = figures[length]
            print(f"    {name:12} int8 {mine['us']:8.0f} µs  {mine['ratio']:.2f}"
                  f"; a tap {mine['tap_us']:6.1f} µs  {mine['tap_ratio']:.3f}")  # fmt: skip
    for name, figures in result["targets"].items():
        if "bytes" in figures:
            int8, fp32 = figures["bytes"]["int8"], figures["bytes"]["fp32"]
            print(f"  {name:12} int8 {int8:,} bytes, fp32 {fp32:,} bytes, {int8 / fp32:.1%}")


if __name__ == "__main__":
    main()
