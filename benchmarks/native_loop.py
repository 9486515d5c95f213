"""The native runner's times beside those of a loop written by hand around `Module::execute`.

    python benchmarks/native_loop.py --json
    python benchmarks/native_loop.py --out docs/measured/native-loop.json

Both run the same int8 `.pte`, each in processes of its own, in turn (A B A B), on one thread and
one CPU. A figure is of the best process the call that a tenth of its calls undercut: on a shared
machine, whole processes have their calls at half speed, and the median call of the best of twelve
is still, now and then, a slow one. Weights are random and seeded: times do not depend on them.
Needs glint-edge[executorch,native] and a C++ compiler.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from busy import noting_other_work, write_measured

from converters import convert
from converters.targets import find_target
from device_bench.measure.job import Histories, Inputs, Job
from device_bench.measure.sampling import Plan
from device_bench.native.build import cmake, find_packages
from device_bench.runners.native import NativeRunner
from glint_edge.config import ModelConfig
from glint_edge.model.glint_ru import GlintRU
from glint_edge.model.stream import StreamProgram, stream_program
from quantization import quantize

SOURCE = Path(__file__).parent / "native_loop"
TOP_K = 10
UNDISTURBED = 0.1  # the quantile of a process's calls that stands for it


def program(config: ModelConfig, chunk: int) -> StreamProgram:
    """An int8 stream with random weights."""
    torch.manual_seed(0)
    return quantize(stream_program(GlintRU(config).eval(), TOP_K, chunk=chunk))


def artifact(config: ModelConfig, chunk: int, folder: Path) -> Path:
    """Its `.pte`."""
    convert(program(config, chunk), find_target("executorch"), folder / "model.pte")
    return folder / "model.pte"


def loop(program: Path, file: Path, runs: int) -> dict[str, list[int]]:
    """Nanoseconds of each call, by method, in the loop."""
    command = [str(program), str(file), str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    times: dict[str, list[int]] = json.loads(done.stdout)
    return times


def undisturbed(times_ns: npt.ArrayLike) -> float:
    """The time of a process's quick calls, µs."""
    return float(np.quantile(times_ns, UNDISTURBED)) / 1e3


def measure(arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Times and their ratio, by method; and the runner's peak memory."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # as the runner itself does
    config = ModelConfig(items=arguments.items - 1, d=arguments.width)
    runner = NativeRunner()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = arguments.artifact or artifact(config, arguments.chunk, folder)
        packages, _ = find_packages("executorch")
        cmake("loop", SOURCE, folder / "loop", {"PACKAGES": str(packages)})
        runner.prepare("executorch", lambda step: None)
        plan = Plan(runs=arguments.runs, budget_ms=60_000)
        job = Job("executorch", str(file), config.to_dict(), TOP_K, None, plan=plan)
        inputs = Inputs.of(Histories.of([list(range(1, 22))]), Histories.of([]))
        mine: dict[str, float] = {}  # of the best process, µs
        theirs: dict[str, float] = {}
        peak, done = 0, 0
        while done < arguments.rounds or (
            done < arguments.most_rounds and _worst(mine, theirs) >= arguments.bar
        ):
            for method, times in loop(folder / "loop/native-loop", file, arguments.runs).items():
                theirs[method] = min(undisturbed(times), theirs.get(method, np.inf))
            outcome = runner.run(job, inputs)
            peak = max(peak, outcome.peak_memory_bytes or 0)
            for method, samples in outcome.samples_ns.items():
                mine[method] = min(undisturbed(samples), mine.get(method, np.inf))
            done += 1
    rows = {
        method: {"runner_us": us, "loop_us": theirs[method], "ratio": us / theirs[method]}
        for method, us in mine.items()
    }
    return {**rows, "memory": {"peak_bytes": peak}}


def _worst(mine: dict[str, float], theirs: dict[str, float]) -> float:
    return max(mine[method] / theirs[method] for method in mine)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--items", type=int, default=3417, help="of the catalogue")
    parser.add_argument("--width", type=int, default=128, help="d")
    parser.add_argument("--chunk", type=int, default=25, help="items of an `append_many`")
    parser.add_argument("--artifact", type=Path, help="a `.pte` of this size, made before")
    parser.add_argument("--rounds", type=int, default=5, help="processes of each")
    parser.add_argument("--most-rounds", type=int, default=0, help="while a ratio is over the bar")
    parser.add_argument("--bar", type=float, default=1.1, help="what no ratio should reach")
    parser.add_argument("--runs", type=int, default=500, help="timed calls of each method")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path, help="a file for the same, and the machine")
    arguments = parser.parse_args()
    result: dict[str, Any] = {}
    with noting_other_work(result):
        rows = measure(arguments)
    write_measured(arguments.out, {**result, **rows})
    if arguments.json:
        print(json.dumps(rows))
        return
    peak = rows.pop("memory")["peak_bytes"]
    print(f"{'':16}{'runner':>10}{'loop':>10}{'ratio':>8}")
    for method, figures in rows.items():
        mine, theirs, ratio = figures.values()
        print(f"{method:16}{mine:>8.1f}µs{theirs:>8.1f}µs{ratio:>8.3f}")
    print(f"the runner's peak memory: {peak / 1e6:.1f} MB, the whole process")


if __name__ == "__main__":
    main()
