"""Bundle → one row an artifact: latency, load time, memory, size, parity, accuracy, judgement."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from device_bench.golden_check import golden_failures
from device_bench.job import Histories, Job, Outcome, run_job
from device_bench.parity import CUT, Parity, compare
from device_bench.rows import BenchResult, Row
from device_bench.runtimes import require_runtime
from device_bench.tolerance import judge, tolerance_of
from glint_edge.bundle import Bundle
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
    config: Mapping[str, Any]
    golden: Golden
    model: GlintRU | None
    held_out: HeldOut | None
    golden_counts: bool = True


def bench(
    bundle: Bundle,
    *,
    checkpoint: Checkpoint | None,
    held_out: HeldOut | None,
    threads: int = 1,
    on_step: Callable[[str], None] = lambda step: None,
    on_row: Callable[[Row], None] = lambda row: None,
) -> BenchResult:
    """Run every artifact of a bundle, and the float stream beside them.

    Args:
        bundle: as loaded, so its files are whole.
        checkpoint: the float model it came from; None: the golden vectors alone are checked.
        held_out: test items in the model's ids; None: as without a checkpoint.
        threads: CPU threads of each runtime.
        on_step: told what is being done.
        on_row: told each row as it is finished.

    Raises:
        BundleError: this version cannot run or judge an artifact.
        MissingExtraError: a runtime is not installed.
    """
    for artifact in bundle.artifacts:
        require_runtime(artifact.target)
        tolerance_of(artifact.precision)
    model = checkpoint.model if checkpoint else None
    rows = []

    def run(subject: _Subject, file_bytes: int) -> None:
        on_step(f"running {subject.target} {subject.precision}")
        rows.append(_row(subject, file_bytes, threads))
        on_row(rows[-1])

    common = _Subject(
        "", "", Path(), bundle.top_k, bundle.config.to_dict(), bundle.golden, model, held_out
    )
    for artifact in bundle.artifacts:
        file = bundle.file(artifact)
        subject = replace(common, target=artifact.target, precision=artifact.precision, file=file)
        run(subject, file.stat().st_size)
    if checkpoint is not None:
        with tempfile.TemporaryDirectory(prefix="glint-edge-") as name:
            folder = Path(name)
            save_checkpoint(checkpoint, folder)
            run(_reference(common, folder), (folder / WEIGHTS).stat().st_size)
    why = _not_measured(model, held_out, bundle.top_k)
    return BenchResult(bundle.name, tuple(rows), threads, why)


def check_artifact(
    target: str,
    precision: str,
    file: Path,
    *,
    model: GlintRU,
    top_k: int,
    held_out: HeldOut | None,
    golden: Golden,
) -> dict[str, Any]:
    """Parity and accuracy of one converted file, in a process of its own, without latency.

    Args:
        target: a name in `device_bench.runtimes.RUNTIMES`.
        precision: "fp32" or "int8".
        file: what the converter wrote.
        model: the float model.
        top_k: items that `recommend` returns.
        held_out: test items; None: the golden vectors alone are checked.
        golden: what the artifact must give.

    Returns:
        An entry of the manifest's `checks`.

    Raises:
        MissingExtraError: the runtime is not installed.
    """
    require_runtime(target)
    tolerance_of(precision)
    config = model.config.to_dict()
    subject = _Subject(target, precision, file, top_k, config, golden, model, held_out)
    row = _row(subject, file.stat().st_size, threads=1, timed=False).to_dict()
    names = (
        "target", "precision", "ok", "users", "max_score_error", "top10_overlap", "ndcg_at_10",
        "ndcg_at_10_float", "failures",
    )  # fmt: skip
    return {name: row[name] for name in names}


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


def _row(subject: _Subject, file_bytes: int, threads: int, *, timed: bool = True) -> Row:
    row = Row(
        target=subject.target, precision=subject.precision,
        file_bytes=file_bytes, ok=True, threads=threads,
    )  # fmt: skip
    held_out = subject.held_out if subject.model is not None else None
    histories = Histories(held_out.ids, held_out.offsets) if held_out else Histories.of([])
    golden = Histories.of([case.history for case in subject.golden.cases])
    path = str(subject.file.resolve())
    job = Job(subject.target, path, subject.config, subject.top_k, threads, timed)
    try:
        outcome = run_job(job, histories, golden)
    except RunnerError as error:
        return replace(row, ok=False, failures=(str(error),))
    row = _with_measures(row, outcome)
    if subject.model is not None and held_out is not None:
        parity = compare(subject.model, held_out, outcome.lists)
        row = _with_parity(row, parity, judge(parity, tolerance_of(subject.precision)))
    if subject.golden_counts:
        wrong = golden_failures(subject.golden, outcome.golden_states, outcome.golden)
        row = replace(row, golden_ok=not wrong, failures=(*row.failures, *wrong))
    return replace(row, ok=not row.failures)


def _with_measures(row: Row, outcome: Outcome) -> Row:
    return replace(
        row,
        append_us=outcome.append,
        recommend_us=outcome.recommend,
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
