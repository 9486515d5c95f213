"""Bundle → one row an artifact and runner: time, memory, size, parity, accuracy, judgement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device_bench.entries import (
    BenchEntry,
    Settings,
    agreed_rows,
    entry_of,
    reference_over,
    run_entries,
    subjects_of,
)
from device_bench.judge.parity import CUT
from device_bench.judge.row import Subject, with_conditions
from device_bench.judge.rows import BenchResult, Row
from device_bench.measure.job import Filtered
from device_bench.measure.machine import conditions
from device_bench.measure.runtimes import REFERENCE
from device_bench.profiling.profile import profile
from device_bench.rounds import ALONE, Beside
from device_bench.runners.python import PythonRunner
from device_bench.stock.shelf import STOCKS, Shelf, StockRunner, note_of
from glint_edge.bundles.bundle import Artifact, Bundle
from glint_edge.bundles.golden import Golden
from glint_edge.checkpoints.checkpoint import Checkpoint, save_checkpoint
from glint_edge.durations import Durations
from glint_edge.errors import RunnerError
from glint_edge.files import scratch

if TYPE_CHECKING:
    from glint_edge.data.catalogue import Catalogue
    from glint_edge.data.neighbours import Neighbours
    from glint_edge.data.sequences import HeldOut
    from glint_edge.model.glint_ru import GlintRU

# Users of the torch row. Eager torch is some ten times slower than a runtime, and the row is a
# reference, not under test.
REFERENCE_USERS = 1000


def bench(
    bundle: Bundle,
    *,
    checkpoint: Checkpoint | None,
    held_out: HeldOut | None,
    prefixes: HeldOut | None = None,
    settings: Settings | None = None,
    durations: Durations | None = None,
    beside: Beside = ALONE,
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
        beside: the runs of other bundles in the same command.
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
        reference_over(model, held_out, bundle.window),
        reference_over(model, prefixes, bundle.window),
        filtered=Filtered(
            bundle.golden, bundle.catalogue, bundle.spare_items, bundle.neighbours
        ),
    )  # fmt: skip
    files = [(artifact, bundle.file(artifact)) for artifact in bundle.artifacts]
    subjects = subjects_of(common, files)
    with ExitStack() as stack:
        entries = [entry_of(s, runner, settings) for s in subjects for runner in settings.runners]
        if checkpoint is not None:
            folder = stack.enter_context(scratch())
            save_checkpoint(checkpoint, folder)
            entries.append(_in_torch(common, folder, settings))
            if settings.stock:
                shelf = Shelf(folder, bundle.config.max_length, bundle.top_k, settings.threads)
                entries += _stock(common, stack.enter_context(shelf), settings)
        before = conditions()
        run_entries(entries, settings, on_step, on_rows, durations, beside)
        after = conditions()
        if settings.profile:
            _profile(entries, settings, on_step)
        rows = [with_conditions(row, before, after) for row in agreed_rows(entries)]
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
    reference = reference_over(model, held_out, window)
    common = Subject(
        "", "", Path(), top_k, window, model.config.to_dict(), golden, reference, reference,
        filtered=Filtered(golden, catalogue, spare_items, neighbours),
    )  # fmt: skip
    settings = Settings(rounds=0)
    entries = [entry_of(s, PythonRunner(), settings) for s in subjects_of(common, artifacts)]
    run_entries(entries, settings, on_step, lambda rows: None)
    names = (
        "target", "precision", "ok", "users", "file_bytes", "max_score_error", "top10_overlap",
        "rank_weighted_overlap", "agreement", "ndcg_at_10", "ndcg_at_10_float", "ndcg_loss",
        "failures", "cannot_tell",
    )  # fmt: skip
    return [{name: row.to_dict()[name] for name in names} for row in agreed_rows(entries)]


def _in_torch(common: Subject, folder: Path, settings: Settings) -> BenchEntry:
    """The float stream: golden vectors are at the artifacts' precision, so not for it."""
    subject = replace(common, target=REFERENCE, precision="fp32", file=folder, golden_counts=False)
    return entry_of(subject.with_users(REFERENCE_USERS), PythonRunner(), settings)


def _stock(common: Subject, shelf: Shelf, settings: Settings) -> list[BenchEntry]:
    """Stock programs: they see the last N items, whatever the bundle's window is."""
    entries = []
    for stock in STOCKS:
        subject = replace(
            common.with_window(shelf.length), target=stock.target, precision=stock.precision,
            file=shelf.path(stock), golden_counts=False,
        )  # fmt: skip
        entry = entry_of(subject, StockRunner(stock, shelf), settings)
        entry.row = replace(entry.row, note=note_of(stock, shelf.length))
        entries.append(entry)
    return entries


def _profile(
    entries: Sequence[BenchEntry], settings: Settings, on_step: Callable[[str], None]
) -> None:
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


def _not_measured(model: GlintRU | None, held_out: HeldOut | None, top_k: int) -> str:
    if model is None:
        return "the float model is not at hand; pass --checkpoint"
    if held_out is None:
        return "the test items are not at hand; pass --data"
    if top_k < CUT:
        return f"`recommend` returns {top_k} items, NDCG@{CUT} takes {CUT}; export --top-k {CUT}"
    return ""
