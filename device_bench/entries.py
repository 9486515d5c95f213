"""Artifacts on runners, each with the row that is made of what it gives.

Whether for figures or as a check, they are run in turn, judged, and held against one another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from device_bench.judge.parity import Reference
from device_bench.judge.row import Subject, judged, with_agreement, with_measures
from device_bench.judge.rows import Row
from device_bench.judge.tolerance import tolerance_of
from device_bench.measure.job import Job, taps_a_cycle
from device_bench.measure.runtimes import require_runtime
from device_bench.measure.sampling import Plan
from device_bench.rounds import ALONE, Beside, Entry, run_in_turn
from device_bench.runners.python import PythonRunner
from device_bench.runners.runner import Runner
from glint_edge.bundles.bundle import Artifact
from glint_edge.durations import Durations
from glint_edge.processes.threads import check_threads

if TYPE_CHECKING:
    from glint_edge.data.sequences import HeldOut
    from glint_edge.model.glint_ru import GlintRU

ROUNDS = 3


@dataclass(frozen=True)
class Settings:
    """How to measure.

    Attributes:
        threads: CPU threads of each runtime.
        rounds: processes each row is timed in, in turn with the other rows (A B A B).
        plan: calls of each method in a round.
        runners: where to run each artifact.
        profile: afterwards, take each artifact's time apart by operator, by the runtime's own
            profiler, in Python on this machine.
        stock: also measure what one would do without this tool, on the same weights.
    """

    threads: int = 1
    rounds: int = ROUNDS
    plan: Plan = field(default_factory=Plan)
    runners: Sequence[Runner] = (PythonRunner(),)
    profile: bool = False
    stock: bool = False

    def __post_init__(self) -> None:
        check_threads(self.threads)


@dataclass(kw_only=True)
class BenchEntry(Entry):
    """With its row in the making, and what to hold it against."""

    subject: Subject
    row: Row


def reference_over(
    model: GlintRU | None, held_out: HeldOut | None, window: int | None
) -> Reference | None:
    """What the float model gives for these histories; None: one of the two is not at hand."""
    return None if model is None or held_out is None else Reference(model, held_out, window)


def subjects_of(common: Subject, files: Sequence[tuple[Artifact, Path]]) -> list[Subject]:
    """Files to be judged, each as `common` is.

    Raises:
        BundleError: this version cannot run or judge an artifact.
        MissingExtraError: a runtime is not installed.
    """
    for artifact, _ in files:
        require_runtime(artifact.target)
        tolerance_of(artifact.target, artifact.precision)
    return [
        replace(common, target=artifact.target, precision=artifact.precision, file=file)
        for artifact, file in files
    ]


def entry_of(subject: Subject, runner: Runner, settings: Settings) -> BenchEntry:
    """A file on a runner, before it is run."""
    fewer = subject.with_users(runner.most_histories)
    row = Row(
        target=subject.target, precision=subject.precision, runner=runner.name,
        device=runner.device, file_bytes=subject.file_bytes(), ok=True, threads=0,
    )  # fmt: skip
    job = Job(
        subject.target, str(subject.file.resolve()), subject.config, subject.top_k,
        subject.window, settings.threads, settings.rounds > 0, settings.plan,
        cycle=taps_a_cycle(subject.window, subject.config),
    )  # fmt: skip
    return BenchEntry(
        name=row.name, runner=runner, job=job, inputs=fewer.inputs, subject=fewer, row=row
    )


def run_entries(
    entries: Sequence[BenchEntry],
    settings: Settings,
    on_step: Callable[[str], None],
    on_rows: Callable[[Sequence[Row]], None],
    durations: Durations | None = None,
    beside: Beside = ALONE,
) -> None:
    """The first round judges. No rounds: one that is not timed."""
    for entry in run_in_turn(entries, settings.rounds, on_step, durations, beside):
        # What the runner's preparation made was not there before.
        row = replace(entry.row, file_bytes=entry.subject.file_bytes())
        if entry.failure:
            row = replace(row, ok=False, threads=0, failures=(*row.failures, entry.failure))
        else:
            row = with_measures(row, entry.outcomes, settings.plan.runs)
            if len(entry.outcomes) == 1:
                row = judged(row, entry.subject, entry.outcomes[0])
        entry.row = row
        on_rows([other.row.reported() for other in entries])


def agreed_rows(entries: Sequence[BenchEntry]) -> list[Row]:
    """Artifacts of one precision held against one another."""
    lists = [
        (entry.row, entry.subject.lists(entry.outcomes[0]))
        for entry in entries
        if entry.outcomes and entry.row.users
    ]
    rows = [
        with_agreement(entry.row, entry.subject.lists(entry.outcomes[0]), lists)
        if entry.outcomes and entry.row.users
        else entry.row
        for entry in entries
    ]
    return [row.reported() for row in rows]
