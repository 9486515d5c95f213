"""Bundle → one row an artifact: latency, load time, memory, size, parity, accuracy, judgement."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from device_bench.golden_check import golden_failures
from device_bench.job import Histories, Job, Outcome, TopK, run_job
from device_bench.parity import CUT, Parity, compare, overlap
from device_bench.rows import BenchResult, Row
from device_bench.runtimes import require_runtime
from device_bench.tolerance import judge, judge_agreement, tolerance_of
from glint_edge.bundle import Artifact, Bundle
from glint_edge.checkpoint import WEIGHTS, Checkpoint, save_checkpoint
from glint_edge.data import HeldOut
from glint_edge.errors import RunnerError
from glint_edge.golden import Golden
from glint_edge.model import GlintRU

# Users of the torch row. Eager torch is some ten times slower than a runtime, and the row is a
# reference, not under test.
REFERENCE_USERS = 1000


@dataclass(frozen=True)
class _Subject:
    """What one row is about: a file, and what to hold it against."""

    target: str
    precision: str
    file: Path
    top_k: int
    window: int | None
    config: Mapping[str, Any]
    golden: Golden
    model: GlintRU | None
    held_out: HeldOut | None
    golden_counts: bool = True


# A finished row, and the lists it was judged by; None if there are none.
_Judged: TypeAlias = tuple[Row, TopK | None]


def bench(
    bundle: Bundle,
    *,
    checkpoint: Checkpoint | None,
    held_out: HeldOut | None,
    threads: int = 1,
    on_step: Callable[[str], None] = lambda step: None,
) -> BenchResult:
    """Run every artifact of a bundle, and the float stream beside them.

    Args:
        bundle: as loaded, so its files are whole.
        checkpoint: the float model it came from; None: the golden vectors alone are checked.
        held_out: test items in the model's ids; None: as without a checkpoint.
        threads: CPU threads of each runtime.
        on_step: told what is being done.

    Raises:
        BundleError: this version cannot run or judge an artifact.
        MissingExtraError: a runtime is not installed.
    """
    model = checkpoint.model if checkpoint else None
    common = _Subject(
        "", "", Path(), bundle.top_k, bundle.window, bundle.config.to_dict(), bundle.golden,
        model, held_out,
    )  # fmt: skip
    files = [(artifact, bundle.file(artifact)) for artifact in bundle.artifacts]
    rows = _rows(_subjects(common, files), threads, timed=True, on_step=on_step)
    if checkpoint is not None:
        with tempfile.TemporaryDirectory(prefix="glint-edge-") as name:
            folder = Path(name)
            save_checkpoint(checkpoint, folder)
            reference = _reference(common, folder)
            rows += _rows([reference], threads, timed=True, on_step=on_step)
    why = _not_measured(model, held_out, bundle.top_k)
    return BenchResult(bundle.name, tuple(rows), threads, why)


def check_artifacts(
    artifacts: Sequence[tuple[Artifact, Path]],
    *,
    model: GlintRU,
    top_k: int,
    window: int | None,
    held_out: HeldOut | None,
    golden: Golden,
    on_step: Callable[[str], None] = lambda step: None,
) -> list[dict[str, Any]]:
    """Parity, accuracy and agreement of converted files, each in a process of its own, untimed.

    Args:
        artifacts: what the converters wrote.
        model: the float model.
        top_k: items that `recommend` returns.
        window: items of a history that count, its last; None: all.
        held_out: test items; None: the golden vectors alone are checked.
        golden: what each artifact must give.
        on_step: told what is being done.

    Returns:
        Entries of the manifest's `checks`, in order.

    Raises:
        BundleError: this version cannot run or judge an artifact.
        MissingExtraError: a runtime is not installed.
    """
    config = model.config.to_dict()
    common = _Subject("", "", Path(), top_k, window, config, golden, model, held_out)
    rows = _rows(_subjects(common, artifacts), threads=1, timed=False, on_step=on_step)
    names = (
        "target", "precision", "ok", "users", "file_bytes", "max_score_error", "top10_overlap",
        "rank_weighted_overlap", "agreement", "ndcg_at_10", "ndcg_at_10_float", "failures",
    )  # fmt: skip
    return [{name: row.to_dict()[name] for name in names} for row in rows]


def _subjects(common: _Subject, files: Sequence[tuple[Artifact, Path]]) -> list[_Subject]:
    for artifact, _ in files:
        require_runtime(artifact.target)
        tolerance_of(artifact.target, artifact.precision)
    return [
        replace(common, target=artifact.target, precision=artifact.precision, file=file)
        for artifact, file in files
    ]


def _rows(
    subjects: Sequence[_Subject], threads: int, *, timed: bool, on_step: Callable[[str], None]
) -> list[Row]:
    """Run each, then hold those of one precision against one another."""
    judged = []
    for subject in subjects:
        on_step(f"running {subject.target} {subject.precision}")
        judged.append(_row(subject, threads, timed=timed))
    return [_with_agreement(row, lists, judged) for row, lists in judged]


def _with_agreement(row: Row, lists: TopK | None, judged: Sequence[_Judged]) -> Row:
    if lists is None:
        return row
    agreement = {
        other.target: overlap(lists.items[:, :CUT], theirs.items[:, :CUT])
        for other, theirs in judged
        if other is not row and theirs is not None and other.precision == row.precision
    }
    wrong = judge_agreement(agreement, tolerance_of(row.target, row.precision))
    failures = (*row.failures, *wrong)
    return replace(row, agreement=agreement, failures=failures, ok=not failures)


def _reference(common: _Subject, folder: Path) -> _Subject:
    """The float stream: golden vectors are at the artifacts' precision, so not for it."""
    return replace(
        common,
        target="torch", precision="fp32", file=folder, golden_counts=False,
        held_out=_some_users(common.held_out, REFERENCE_USERS),
    )  # fmt: skip


def _some_users(held_out: HeldOut | None, count: int) -> HeldOut | None:
    """At most so many users, evenly spread."""
    if held_out is None or len(held_out.targets) <= count:
        return held_out
    histories = Histories(held_out.ids, held_out.offsets)
    users = histories.spread(count)
    kept = Histories.of([histories[user] for user in users])
    return HeldOut(kept.ids, kept.offsets, held_out.targets[users])


def _row(subject: _Subject, threads: int, *, timed: bool) -> _Judged:
    row = Row(
        target=subject.target, precision=subject.precision,
        file_bytes=_size(subject.file), ok=True, threads=threads,
    )  # fmt: skip
    held_out = subject.held_out if subject.model is not None else None
    histories = Histories(held_out.ids, held_out.offsets) if held_out else Histories.of([])
    golden = Histories.of([case.history for case in subject.golden.cases])
    path = str(subject.file.resolve())
    job = Job(subject.target, path, subject.config, subject.top_k, subject.window, threads, timed)
    try:
        outcome = run_job(job, histories, golden)
    except RunnerError as error:
        return replace(row, ok=False, failures=(str(error),)), None
    row, lists = _with_measures(row, outcome), None
    if subject.model is not None and held_out is not None:
        lists = outcome.lists
        parity = compare(subject.model, held_out, lists, subject.window)
        tolerance = tolerance_of(subject.target, subject.precision)
        row = _with_parity(row, parity, judge(parity, tolerance))
    if subject.golden_counts:
        wrong = _golden_failures(subject.golden, outcome)
        row = replace(row, golden_ok=not wrong, failures=(*row.failures, *wrong))
    return replace(row, ok=not row.failures), lists


def _golden_failures(golden: Golden, outcome: Outcome) -> tuple[str, ...]:
    """Of the states that `append` gives, and of those that `append_many` gives."""
    one_by_one = golden_failures(golden, outcome.golden_states, outcome.golden)
    at_once = golden_failures(golden, outcome.golden_cold_states, outcome.golden)
    return tuple(dict.fromkeys((*one_by_one, *at_once)))


def _size(file: Path) -> int:
    """Of an artifact, or of the weights in a checkpoint's folder."""
    return (file / WEIGHTS if file.is_dir() else file).stat().st_size


def _with_measures(row: Row, outcome: Outcome) -> Row:
    return replace(
        row,
        append_us=outcome.append,
        recommend_us=outcome.recommend,
        cold_start_us=outcome.cold_start,
        load_ms=outcome.load_ms,
        peak_memory_bytes=outcome.peak_memory_bytes,
        memory_added_bytes=outcome.memory_added_bytes,
        threads=outcome.threads,
    )


def _with_parity(row: Row, parity: Parity, failures: tuple[str, ...]) -> Row:
    return replace(
        row,
        users=parity.users,
        max_score_error=parity.max_score_error,
        top10_overlap=parity.top10_overlap,
        rank_weighted_overlap=parity.rank_weighted_overlap,
        same_top10=parity.same_top10,
        ndcg_at_10=parity.ndcg_at_10,
        ndcg_at_10_float=parity.ndcg_at_10_float,
        failures=failures,
    )


def _not_measured(model: GlintRU | None, held_out: HeldOut | None, top_k: int) -> str:
    if model is None:
        return "the float model is not at hand; pass --checkpoint"
    if held_out is None:
        return "the test items are not at hand; pass --data"
    if top_k < CUT:
        return f"`recommend` returns {top_k} items, NDCG@{CUT} takes {CUT}; export --top-k {CUT}"
    return ""
