"""How latency, size and memory grow with history, catalogue and width.

Weights are generated: times and sizes do not depend on them, and there is no accuracy to measure.
Artifacts are those that `export` would write. Calls after short and long histories are made in
turn, in the same processes, so that they compare.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np

from device_bench.judge.row import with_conditions, with_measures
from device_bench.judge.rows import Row, ScaleResult, ScaleRow
from device_bench.measure.job import Histories, Inputs, Job, Outcome
from device_bench.measure.machine import conditions
from device_bench.measure.sampling import RUNS, Plan
from device_bench.measure.statistics import Latency, latency
from device_bench.rounds import Entry, run_in_turn
from device_bench.runners.python import PythonRunner
from device_bench.runners.runner import Runner
from glint_edge.bundles.target import Target
from glint_edge.config import ModelConfig
from glint_edge.durations import Durations
from glint_edge.errors import ConfigError, GlintEdgeError
from glint_edge.files import scratch
from glint_edge.processes.threads import check_threads

ITEMS = (1_000, 10_000, 100_000, 1_000_000)
WIDTHS = (64, 128)
HISTORIES = (20, 50, 200)
TOP_K = 10
SECONDS = 1800.0  # a conversion may take
AT_ONCE = 2  # conversions; nothing is timed meanwhile
LARGE = 2**25  # weights of a table whose conversion takes gigabytes: one of these at a time
# For the estimate, seconds on one core: of a conversion, for each 10⁸ weights more, of a run.
CONVERSION_SECONDS = {"c": 0.5, "executorch": 45.0, "onnx": 4.0, "tflite": 17.0}
OTHER_SECONDS, WEIGHTS_SECONDS, RUN_SECONDS = 30.0, 40.0, 8.0


class Make(Protocol):
    """Writes an artifact of generated weights, in a process of its own."""

    def __call__(
        self,
        target: str,
        precision: str,
        path: Path,
        *,
        model: Mapping[str, Any],
        top_k: int,
        seconds: float,
    ) -> float:
        """Convert; returns the seconds it took.

        Raises:
            ConversionError: it failed, or took longer than `seconds`.
        """


@dataclass(frozen=True)
class Scale:
    """What to measure: every combination.

    Attributes:
        targets: of the artifacts.
        items: catalogues V.
        widths: d.
        histories: items before a call, and of a cold start.
        precision: of all artifacts.
        runners: where to run each.
        threads: CPU threads of each runtime.
        rounds: processes each artifact is timed in, in turn with the others.
    """

    targets: Sequence[Target]
    items: Sequence[int] = ITEMS
    widths: Sequence[int] = WIDTHS
    histories: Sequence[int] = HISTORIES
    precision: str = "int8"
    runners: Sequence[Runner] = (PythonRunner(),)
    threads: int = 1
    rounds: int = 1

    def __post_init__(self) -> None:
        check_threads(self.threads)
        for name in ("targets", "items", "widths", "histories", "runners"):
            if not getattr(self, name):
                raise ConfigError(f"--{name} is empty; name at least one")
        if min(self.items) < TOP_K:
            raise ConfigError(f"--items: a catalogue has at least {TOP_K} items")
        if min(self.histories) < 1:
            raise ConfigError("--histories: a history has at least 1 item")
        self.models()

    @property
    def plan(self) -> Plan:
        """As many calls of each history as a bench makes of an artifact."""
        return Plan(runs=RUNS * len(self.histories))

    def models(self) -> list[ModelConfig]:
        """What to generate, smallest first.

        Raises:
            ConfigError: a width is impossible.
        """
        longest = max(self.histories)
        return [
            ModelConfig(items=items, d=width, max_length=longest)
            for items in sorted(self.items)
            for width in sorted(self.widths)
        ]

    def seconds(self) -> float:
        """About how long it will take on two cores."""
        tables = [model.items * model.d for model in self.models()]
        conversions = sum(
            CONVERSION_SECONDS.get(target.name, OTHER_SECONDS) + table / 1e8 * WEIGHTS_SECONDS
            for target in self.targets
            for table in tables
        )
        runs = len(tables) * len(self.targets) * len(self.runners) * self.rounds
        return conversions / AT_ONCE + runs * RUN_SECONDS


@dataclass
class _Artifact:
    """One file in a folder of its own, and how making it went."""

    target: Target
    config: ModelConfig
    folder: Path
    seconds: float | None = None
    failure: str = ""

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / f"model{self.target.suffix}"

    @property
    def weights(self) -> int:
        """Of the item table, most of a large artifact."""
        return self.config.items * self.config.d

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.target.name} {self.config.items:,} × {self.config.d}"


@dataclass(kw_only=True)
class _Entry(Entry):
    """With its row, once it was run or failed."""

    artifact: _Artifact
    row: ScaleRow | None = None


def scale(
    settings: Scale,
    make: Make,
    *,
    durations: Durations | None = None,
    on_step: Callable[[str], None] = lambda step: None,
    on_rows: Callable[[Sequence[ScaleRow]], None] = lambda rows: None,
) -> ScaleResult:
    """Convert everything, then run everything: nothing is timed beside a conversion.

    Args:
        settings: what to measure.
        make: converts.
        durations: of the runs of the last time, for a forecast; None: there is none.
        on_step: told what is being done.
        on_rows: told all rows so far, whenever there are more.
    """
    with scratch() as folder:
        artifacts = [
            _Artifact(target, model, folder / f"{target.name}-{model.items}-{model.d}")
            for model in settings.models()
            for target in settings.targets
        ]
        _convert(artifacts, settings, make, on_step)
        entries = [
            _entry(artifact, runner, settings)
            for artifact in artifacts
            for runner in settings.runners
        ]
        before = conditions()
        for entry in run_in_turn(entries, settings.rounds, on_step, durations):
            entry.row = _row(entry, settings)
            on_rows([entry.row for entry in entries if entry.row])
        after = conditions()
    return ScaleResult(
        tuple(
            replace(entry.row, row=with_conditions(entry.row.row, before, after))
            for entry in entries
            if entry.row
        )
    )


def _convert(
    artifacts: Sequence[_Artifact], settings: Scale, make: Make, on_step: Callable[[str], None]
) -> None:
    """All files, a few at once."""
    large = Lock()

    def convert(artifact: _Artifact) -> None:
        artifact.folder.mkdir()
        with large if artifact.weights > LARGE else nullcontext():
            artifact.seconds = make(
                artifact.target.name, settings.precision, artifact.path,
                model=artifact.config.to_dict(), top_k=TOP_K, seconds=SECONDS,
            )  # fmt: skip

    with ThreadPoolExecutor(min(AT_ONCE, os.cpu_count() or 1)) as pool:
        done = [(artifact, pool.submit(convert, artifact)) for artifact in artifacts]
        try:
            for number, (artifact, converted) in enumerate(done, 1):
                on_step(f"converting to {artifact.name} ({number} of {len(artifacts)})")
                try:
                    converted.result()
                except GlintEdgeError as error:
                    artifact.failure = str(error)
        finally:
            pool.shutdown(cancel_futures=True)  # or Ctrl-C would wait for them all


def _entry(artifact: _Artifact, runner: Runner, settings: Scale) -> _Entry:
    """Run on histories of random items."""
    random = np.random.default_rng(0)
    sample = [
        random.integers(1, artifact.config.items + 1, length).tolist()
        for length in settings.histories
    ]
    none = Histories.of([])
    job = Job(
        artifact.target.name, str(artifact.path), artifact.config.to_dict(), TOP_K, None,
        settings.threads, True, settings.plan, settings.histories,
    )  # fmt: skip
    return _Entry(
        name=artifact.name, runner=runner, job=job, failure=artifact.failure, artifact=artifact,
        inputs=lambda: Inputs(Histories.of(sample), none, none),
    )  # fmt: skip


def _row(entry: _Entry, settings: Scale) -> ScaleRow:
    artifact, path, config = entry.artifact, entry.artifact.path, entry.artifact.config
    row = Row(
        target=artifact.target.name, precision=settings.precision, runner=entry.runner.name,
        device=entry.runner.device, file_bytes=path.stat().st_size if path.exists() else 0,
        ok=not entry.failure, failures=(entry.failure,) if entry.failure else (), threads=0,
    )  # fmt: skip
    if entry.outcomes:
        row = with_measures(row, entry.outcomes, settings.plan.runs)
    by_history = _by_history(entry.outcomes, settings.histories)
    return ScaleRow(row, config.items, config.d, by_history, artifact.seconds)


def _by_history(
    outcomes: Sequence[Outcome], histories: Sequence[int]
) -> dict[str, dict[str, Latency]]:
    """The runner takes the sample's histories in turn, from the first, so its calls can be told."""
    return {
        method: {
            str(length): latency(
                [outcome.samples_ns[method][number :: len(histories)] for outcome in outcomes]
            )
            for number, length in enumerate(histories)
        }
        for method in ("append", "recommend")
        if outcomes and method in outcomes[0].samples_ns
    }
