"""What `engine.py` times: the native runner, the engine in a loop, the stock export."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch

from converters.generated import make
from converters.targets import find_target
from device_bench.measure.job import Histories, Inputs, Job, Times
from device_bench.measure.runtimes import STOCK
from device_bench.measure.sampling import Plan
from device_bench.measure.statistics import median_interval
from device_bench.runners.native import NativeRunner
from device_bench.runners.python import PythonRunner
from device_bench.stock.build import export_onnx
from glint_edge.config import ModelConfig
from glint_edge.engine.library import HEADER, SOURCES, compiler
from glint_edge.model.glint_ru import GlintRU

LOOP = Path(__file__).with_name("engine_loop") / "loop.c"
FLAGS = ("-std=c11", "-O3", "-ffp-contract=off", "-static")
NOT_HERE = 3  # the loop's exit code: this processor has no such kernels
ENGINE, STOCK_NAME = "c", "stock fp32"
TOP_K, COLD = 10, 200
SECONDS = 1800.0  # a conversion may take

Row: TypeAlias = dict[str, Any]


class Shape(NamedTuple):
    """Of a model: rows are the items' and two more, N the items of a history."""

    d: int
    rows: int
    length: int

    @property
    def config(self) -> ModelConfig:
        """As a model is made of."""
        return ModelConfig(items=self.rows - 1, d=self.d, max_length=self.length)

    @property
    def sides(self) -> Row:
        """Of a row of figures."""
        return {"d": self.d, "items": self.rows}

    def __str__(self) -> str:
        return f"{self.rows}x{self.d}"


@dataclass
class Line:
    """Something that is timed.

    Attributes:
        names: of its row.
        run: nanoseconds a call by method, and what else goes into the row.
        rounds: what came of it, a process each.
    """

    names: Mapping[str, Any]
    run: Callable[[], tuple[Mapping[str, Times], Row]]
    rounds: list[tuple[Mapping[str, Times], Row]] = field(default_factory=list)

    def row(self) -> Row:
        """Its figures."""
        times = [methods for methods, _ in self.rounds]
        figures = {method: figure([each[method] for each in times]) for method in times[0]}
        if "tap" not in figures:  # what reads the whole history has no `append`
            parts = [figures[name] for name in ("append", "recommend") if name in figures]
            figures["tap"] = {end: sum(part[end] for part in parts) for end in parts[0]}
        return {**self.names, **self.rounds[-1][1], "us": figures}


def figure(rounds: Sequence[Times]) -> dict[str, float]:
    """Median and ends of its interval, µs."""
    median = float(np.median(np.concatenate(rounds))) / 1e3
    low, high = median_interval(rounds) or (median, median)
    return {"median": median, "low": low, "high": high}


@dataclass(frozen=True)
class Bench:
    """What the parts have in common.

    Attributes:
        files: keeps the artifacts.
        work: what is built.
        targets: beside the engine.
        rounds: processes of each line.
        plan: of the runners.
    """

    files: Path
    work: Path
    targets: Sequence[str]
    rounds: int
    plan: Plan

    def artifact(self, target: str, shape: Shape) -> Path:
        """Converted, or found."""
        folder = self.files / f"{shape}-{target}"
        path = folder / f"model{find_target(target).suffix}"
        if not path.exists():
            print(f"converting {folder.name}", file=sys.stderr)
            shutil.rmtree(folder, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=self.files) as part:
                file, model = Path(part) / path.name, shape.config.to_dict()
                make(target, "int8", file, model=model, top_k=TOP_K, seconds=SECONDS)
                folder.mkdir()
                file.rename(path)
        return path

    def stock(self, shape: Shape) -> Path:
        """The stock export, made or found."""
        path = self.files / f"{shape}-stock.onnx"
        if not path.exists():
            torch.manual_seed(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the exporter's own deprecations
                model = GlintRU(shape.config).eval()
                export_onnx(model, shape.length, TOP_K, path.with_suffix(".new"))
            path.with_suffix(".new").rename(path)
        return path

    def loop(self) -> Path:
        """The program, built once."""
        program = self.work / "loop"
        if not program.exists():
            sources = map(str, sorted(SOURCES.glob("*.c")))
            command = [*compiler(), *FLAGS, f"-I{HEADER.parent}", *sources, str(LOOP)]
            command += ["-o", str(program)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr)
        return program

    def kernels(self, shape: Shape, names: Iterable[str]) -> list[Line]:
        """The engine with each set of kernels that this processor has."""
        lines = []
        for name in names:
            parts = (self.loop(), self.artifact(ENGINE, shape), name, COLD)
            command = [str(part) for part in parts]
            first = subprocess.run([*command, "0"], capture_output=True, text=True, check=False)
            if first.returncode == NOT_HERE:
                continue
            first.check_returncode()
            words = [*command, str(self.plan.budget_ms)]
            kernels = json.loads(first.stdout)["kernels"]
            names_of_row = {"target": ENGINE, "how": f"loop, {kernels}", **shape.sides}
            lines.append(Line(names_of_row, lambda words=words: of_loop(words)))
        return lines

    def runner(self, target: str, shape: Shape) -> Line:
        """A target on the native runner."""
        return self._line({"target": target, "how": "native runner"}, NativeRunner(),
                          target, self.artifact(target, shape), shape)  # fmt: skip

    def stock_line(self, shape: Shape) -> Line:
        """The stock export, from Python."""
        names = {"target": STOCK_NAME, "how": "python"}
        return self._line(names, PythonRunner(), f"{STOCK}onnx", self.stock(shape), shape)

    def _line(
        self, names: Mapping[str, str], runner: NativeRunner | PythonRunner, target: str,
        path: Path, shape: Shape,
    ) -> Line:  # fmt: skip
        config, none = shape.config, Histories.of([])
        job = Job(
            target, str(path), config.to_dict(), TOP_K, None, plan=self.plan, cold_starts=(COLD,)
        )
        draw = np.random.default_rng(0)
        sample = [
            draw.integers(1, shape.rows - 1, min(20, shape.length)).tolist() for _ in range(8)
        ]
        inputs = Inputs(Histories.of(sample), none, none)
        return Line({**names, **shape.sides}, lambda: of_runner(runner, job, inputs))


def of_loop(words: Sequence[str]) -> tuple[Mapping[str, Times], Row]:
    """One process of the loop."""
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    memory = said.pop("memory")
    del said["kernels"]
    return {method: np.array(times) for method, times in said.items()}, {"memory": memory}


def of_runner(
    runner: NativeRunner | PythonRunner, job: Job, inputs: Inputs
) -> tuple[Mapping[str, Times], Row]:
    """One process of a runner; a cold start of other lengths is left out."""
    outcome = runner.run(job, inputs)
    times = dict(outcome.samples_ns)
    cold = times.pop(f"cold_start_{COLD}", None)
    if job.target.startswith(STOCK):
        times.pop("append", None)  # it only notes the item down
    kept = {name: each for name, each in times.items() if name in ("append", "recommend")}
    peak, before = outcome.peak_memory_bytes, outcome.memory_before_load_bytes
    added = peak - before if peak and before else None
    return {**kept, **({} if cold is None else {"cold_start": cold})}, {"added_bytes": added}
