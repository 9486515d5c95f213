"""Bundle → one row an artifact and runner: time, memory, size, parity, accuracy, judgement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device_bench.judge.parity import CUT, Reference
from device_bench.judge.row import (
    Subject,
    judged,
    with_agreement,
    with_conditions,
    with_measures,
)
from device_bench.judge.rows import BenchResult, Row
from device_bench.judge.tolerance import tolerance_of
from device_bench.measure.job import Filtered, Job, taps_a_cycle
from device_bench.measure.machine import conditions
from device_bench.measure.runtimes import REFERENCE, require_runtime
from device_bench.measure.sampling import Plan
from device_bench.profiling.profile import profile
from device_bench.rounds import Entry, run_in_turn
from device_bench.runners.python import PythonRunner
from device_bench.runners.runner import Runner
from device_bench.stock.shelf import STOCKS, Shelf, StockRunner, note_of
from glint_edge.bundles.bundle import Artifact, Bundle
from glint_edge.bundles.golden import Golden
from glint_edge.checkpoints.checkpoint import Checkpoint, save_checkpoint
from glint_edge.durations import Durations
from glint_edge.errors import RunnerError
from glint_edge.files import scratch
from glint_edge.processes.threads import check_threads

if TYPE_CHECKING:
    from glint_edge.data.catalogue import Catalogue
    from glint_edge.data.neighbours import Neighbours
    from glint_edge.data.sequences import HeldOut
    from glint_edge.model.glint_ru import GlintRU

# Users of the torch row. Eager torch is some ten times slower than a runtime, and the row is a
# reference, not under test.
REFERENCE_USERS = 1000
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
class _Entry(Entry):
    """With its row in the making, and what to hold it against."""

    subject: Subject
    row: Row


def bench(
    bundle: Bundle,
    *,
    checkpoint: Checkpoint | None,
    held_out: HeldOut | None,
    prefixes: HeldOut | None = None,
    settings: Settings | None = None,
    durations: Durations | None = None,
    on_step: Callable[[str], None] = lambda step: None,
    on_rows: Callable[[Sequence[Row]], None] = lambda rows: None,
) -> BenchResult:
    """Run every artifact of a bundle on every runner, and the float stream beside them.

    Args:
        bundle: as loaded, so its files are whole.
        checkpoint: the float model it came from; None: the golden vectors alone are checked.
        held_out: test items in the model's ids, for the figures; None: as without a checkpoint.
        prefixes: of training and validation items, by which the loss of NDCG@10 is judged, where
            a runner takes so many histories; None: it is not judged.
        settings: how to measure.
        durations: of the last time, for a forecast; None: there is none.
        on_step: told what is being done.
        on_rows: told all rows so far, whenever one has more to say.

    Raises:
        BundleError: this version cannot run or judge an artifact.
        MissingExtraError: a runtime is not installed.
    """
    settings = settings or Settings()
    model = checkpoint.model if checkpoint else None
    common = Subject(
        "", "", Path(), bundle.top_k, bundle.window, bundle.config.to_dict(), bundle.golden,
        _reference_over(model, held_out, bundle.window),
        _reference_over(model, prefixes, bundle.window),
        filtered=Filtered(
            bundle.golden, bundle.catalogue, bundle.spare_items, bundle.neighbours
        ),
    )  # fmt: skip
    files = [(artifact, bundle.file(artifact)) for artifact in bundle.artifacts]
    subjects = _subjects(common, files)
    with ExitStack() as stack:
        entries = [_entry(s, runner, settings) for s in subjects for runner in settings.runners]
        if checkpoint is not None:
            folder = stack.enter_context(scratch())
            save_checkpoint(checkpoint, folder)
            entries.append(_in_torch(common, folder, settings))
            if settings.stock:
                shelf = Shelf(folder, bundle.config.max_length, bundle.top_k, settings.threads)
                entries += _stock(common, stack.enter_context(shelf), settings)
        before = conditions()
        _run(entries, settings, on_step, on_rows, durations)
        after = conditions()
        if settings.profile:
            _profile(entries, settings, on_step)
        rows = [with_conditions(row, before, after) for row in _agreed(entries)]
    return BenchResult(
        bundle.name, tuple(rows), settings.threads, _not_measured(model, held_out, bundle.top_k)
    )


def check_artifacts(
    artifacts: Sequence[tuple[Artifact, Path]],
    *,
    model: GlintRU,
    top_k: int,
    window: int | None,
    held_out: HeldOut | None,
    golden: Golden,
    catalogue: Catalogue,
    spare_items: int | None,
    neighbours: Neighbours | None = None,
    on_step: Callable[[str], None] = lambda step: None,
) -> list[dict[str, Any]]:
    """Parity, accuracy and agreement of converted files, each in a process of its own, untimed.

    Args:
        artifacts: what the converters wrote.
        model: the float model.
        top_k: items that `recommend` returns.
        window: items of a history that count, its last; None: all.
        held_out: positions of training and validation items, by which the artifacts are judged;
            None: the golden vectors alone are checked.
        golden: what each artifact must give.
        catalogue: the items' keys and fields.
        spare_items: spare rows of the table.
        neighbours: the expert of some golden lists; None: there is none.
        on_step: told what is being done.

    Returns:
        Entries of the manifest's `checks`, in order.

    Raises:
        BundleError: this version cannot run or judge an artifact.
        MissingExtraError: a runtime is not installed.
    """
    reference = _reference_over(model, held_out, window)
    common = Subject(
        "", "", Path(), top_k, window, model.config.to_dict(), golden, reference, reference,
        filtered=Filtered(golden, catalogue, spare_items, neighbours),
    )  # fmt: skip
    settings = Settings(rounds=0)
    entries = [_entry(s, PythonRunner(), settings) for s in _subjects(common, artifacts)]
    _run(entries, settings, on_step, lambda rows: None)
    names = (
        "target", "precision", "ok", "users", "file_bytes", "max_score_error", "top10_overlap",
        "rank_weighted_overlap", "agreement", "ndcg_at_10", "ndcg_at_10_float", "ndcg_loss",
        "failures", "cannot_tell",
    )  # fmt: skip
    return [{name: row.to_dict()[name] for name in names} for row in _agreed(entries)]


def _reference_over(
    model: GlintRU | None, held_out: HeldOut | None, window: int | None
) -> Reference | None:
    return None if model is None or held_out is None else Reference(model, held_out, window)


def _subjects(common: Subject, files: Sequence[tuple[Artifact, Path]]) -> list[Subject]:
    for artifact, _ in files:
        require_runtime(artifact.target)
        tolerance_of(artifact.target, artifact.precision)
    return [
        replace(common, target=artifact.target, precision=artifact.precision, file=file)
        for artifact, file in files
    ]


def _in_torch(common: Subject, folder: Path, settings: Settings) -> _Entry:
    """The float stream: golden vectors are at the artifacts' precision, so not for it."""
    subject = replace(common, target=REFERENCE, precision="fp32", file=folder, golden_counts=False)
    return _entry(subject.with_users(REFERENCE_USERS), PythonRunner(), settings)


def _stock(common: Subject, shelf: Shelf, settings: Settings) -> list[_Entry]:
    """Stock programs: they see the last N items, whatever the bundle's window is."""
    entries = []
    for stock in STOCKS:
        subject = replace(
            common.with_window(shelf.length), target=stock.target, precision=stock.precision,
            file=shelf.path(stock), golden_counts=False,
        )  # fmt: skip
        entry = _entry(subject, StockRunner(stock, shelf), settings)
        entry.row = replace(entry.row, note=note_of(stock, shelf.length))
        entries.append(entry)
    return entries


def _entry(subject: Subject, runner: Runner, settings: Settings) -> _Entry:
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
    return _Entry(
        name=row.name, runner=runner, job=job, inputs=fewer.inputs, subject=fewer, row=row
    )


def _run(
    entries: Sequence[_Entry],
    settings: Settings,
    on_step: Callable[[str], None],
    on_rows: Callable[[Sequence[Row]], None],
    durations: Durations | None = None,
) -> None:
    """The first round judges. No rounds: one that is not timed."""
    for entry in run_in_turn(entries, settings.rounds, on_step, durations):
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


def _profile(entries: Sequence[_Entry], settings: Settings, on_step: Callable[[str], None]) -> None:
    for entry in entries:
        subject = entry.subject
        if entry.failure or entry.runner.name != "python" or subject.target == REFERENCE:
            continue
        on_step(f"profiling {entry.row.name}")
        sample = subject.inputs().sample
        try:
            taken_apart = profile(
                subject.target, subject.file, subject.config, subject.top_k,
                [sample[n] for n in range(len(sample))], threads=settings.threads,
            )  # fmt: skip
        except RunnerError as error:
            warning = f"there is no profile: {error}"
            entry.row = replace(entry.row, warnings=(*entry.row.warnings, warning))
        else:
            entry.row = replace(entry.row, profile=taken_apart.to_dict())


def _agreed(entries: Sequence[_Entry]) -> list[Row]:
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


def _not_measured(model: GlintRU | None, held_out: HeldOut | None, top_k: int) -> str:
    if model is None:
        return "the float model is not at hand; pass --checkpoint"
    if held_out is None:
        return "the test items are not at hand; pass --data"
    if top_k < CUT:
        return f"`recommend` returns {top_k} items, NDCG@{CUT} takes {CUT}; export --top-k {CUT}"
    return ""
