"""From what a runner brought back to a row: figures, parity, golden vectors, judgement."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from device_bench.judge.parity import Parity, agreement, compare
from device_bench.judge.rows import Row
from device_bench.judge.tolerance import judge, judge_agreement, tolerance_of
from device_bench.measure.job import Histories, Inputs, Outcome, Times, TopK
from device_bench.measure.machine import Conditions, condition_warnings, conditions_of
from device_bench.measure.statistics import (
    busy_warnings,
    latency,
    median_interval,
    quantiles,
    speed_warnings,
    warnings_of,
)
from glint_edge.bundles.golden import Golden
from glint_edge.bundles.golden_check import golden_failures
from glint_edge.checkpoints.checkpoint import WEIGHTS
from glint_edge.data.sequences import HeldOut

if TYPE_CHECKING:
    from glint_edge.model.glint_ru import GlintRU

COLD_START = "cold_start_"


@dataclass(frozen=True)
class Subject:
    """An artifact, and what to hold it against.

    Attributes:
        target: whose file it is.
        precision: of its weights.
        file: the artifact; for "torch" a checkpoint folder.
        top_k: items that `recommend` returns.
        window: items of a history that count, its last; None: all.
        config: the model's, as a dict.
        golden: what it must give.
        model: the float model; None: the golden vectors alone are checked.
        held_out: test items; None: as without a model.
        golden_counts: False where the golden vectors are of another precision.
    """

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

    def inputs(self) -> Inputs:
        """What it is run on."""
        known = self.held_out if self.model is not None else None
        histories = Histories(known.ids, known.offsets) if known else Histories.of([])
        return Inputs.of(Histories.of([case.history for case in self.golden.cases]), histories)

    def with_users(self, most: int | None) -> Subject:
        """Held against at most so many users, evenly spread."""
        held_out = self.held_out
        if most is None or held_out is None or len(held_out.targets) <= most:
            return self
        histories = Histories(held_out.ids, held_out.offsets)
        users = histories.spread(most)
        kept = Histories.of([histories[user] for user in users])
        return replace(self, held_out=HeldOut(kept.ids, kept.offsets, held_out.targets[users]))

    def file_bytes(self) -> int:
        """Of the artifact, or of the weights in a checkpoint's folder; 0 if it is not made yet."""
        file = self.file / WEIGHTS if self.file.is_dir() else self.file
        return file.stat().st_size if file.exists() else 0


def judged(row: Row, subject: Subject, outcome: Outcome, *, all_users: bool) -> Row:
    """The row with its parity, accuracy and golden vectors, and what is out of tolerance.

    Args:
        row: of the subject.
        subject: with a model and test items, or the golden vectors alone are checked.
        outcome: of the run that had the subject's histories.
        all_users: it was run on all there are. NDCG@10 over a few is not judged: one target more
            or less moves it by more than any tolerance.
    """
    failures: tuple[str, ...] = row.failures
    if subject.model is not None and subject.held_out is not None:
        parity = compare(subject.model, subject.held_out, outcome.lists, subject.window)
        tolerance = tolerance_of(subject.target, subject.precision)
        if not all_users:
            tolerance = replace(tolerance, ndcg_loss=math.inf)
        failures += judge(parity, tolerance)
        row = _with_parity(row, parity)
    if subject.golden_counts:
        wrong = _golden_failures(subject.golden, outcome)
        row = replace(row, golden_ok=not wrong)
        failures += wrong
    return replace(row, failures=failures, ok=not failures)


def _with_parity(row: Row, parity: Parity) -> Row:
    return replace(
        row,
        users=parity.users,
        max_score_error=parity.max_score_error,
        top10_overlap=parity.top10_overlap,
        rank_weighted_overlap=parity.rank_weighted_overlap,
        same_top10=parity.same_top10,
        ndcg_at_10=parity.ndcg_at_10,
        ndcg_at_10_float=parity.ndcg_at_10_float,
    )


def _golden_failures(golden: Golden, outcome: Outcome) -> tuple[str, ...]:
    """Of the states that `append` gives, and of those that `append_many` gives."""
    one_by_one = golden_failures(golden, outcome.golden_states, outcome.golden)
    at_once = golden_failures(golden, outcome.golden_cold_states, outcome.golden)
    more = (f"by append_many, {failure}" for failure in at_once if failure not in one_by_one)
    return (*one_by_one, *more)


def with_agreement(row: Row, lists: TopK, others: Sequence[tuple[Row, TopK]]) -> Row:
    """The row held against others on the same runner, histories and precision."""
    shares = {
        other.target: agreement(lists, theirs)
        for other, theirs in others
        if other.target != row.target
        and (other.precision, other.runner, other.device, other.users)
        == (row.precision, row.runner, row.device, row.users)
    }
    wrong = judge_agreement(row.target, shares, tolerance_of(row.target, row.precision))
    failures = (*row.failures, *wrong)
    return replace(row, agreement=shares, failures=failures, ok=not failures)


def with_measures(row: Row, outcomes: Sequence[Outcome], runs: int) -> Row:
    """The row with times over all rounds so far, sizes, and what makes them less trustworthy.

    Args:
        row: of the artifact.
        outcomes: one a round.
        runs: calls that were planned a method and round.
    """
    times = {
        name: [outcome.samples_ns[name] for outcome in outcomes] for name in outcomes[0].samples_ns
    }
    latencies = {name: latency(rounds) for name, rounds in times.items()}
    calibrations = {
        name: [outcome.calibration_ns[name] for outcome in outcomes]
        for name in outcomes[0].calibration_ns
    }
    before = outcomes[0].memory_before_load_bytes
    peak = _most(outcome.peak_memory_bytes for outcome in outcomes)
    return replace(
        row,
        append_us=latencies.get("append"),
        recommend_us=latencies.get("recommend"),
        cold_start_us={
            name.removeprefix(COLD_START): figures
            for name, figures in latencies.items()
            if name.startswith(COLD_START)
        },
        interval_us={
            name: ends
            for name, rounds in times.items()
            if (ends := median_interval(rounds)) is not None
        },
        quantiles_us={name: quantiles(rounds) for name, rounds in times.items()},
        first_call_us=_medians([outcome.first_call_us for outcome in outcomes]),
        instructions=dict(outcomes[0].instructions),
        medians_us={
            name: [float(np.median(calls)) / 1e3 for calls in rounds]
            for name, rounds in times.items()
        },
        cpu_us={
            name: [outcome.cpu_ns[name] / 1e3 for outcome in outcomes]
            for name in outcomes[0].cpu_ns
        },
        calibrations_us={
            name: [float(np.median(samples)) / 1e3 for samples in rounds]
            for name, rounds in calibrations.items()
        },
        load_ms=_median([ms for outcome in outcomes for ms in outcome.load_ms]),
        runtime_memory_bytes=_most(outcome.runtime_memory_bytes for outcome in outcomes),
        peak_memory_bytes=peak,
        steady_memory_bytes=_most(outcome.steady_memory_bytes for outcome in outcomes),
        memory_added_bytes=None if peak is None or before is None else peak - before,
        threads=outcomes[0].threads,
        rounds=len(outcomes) if times else 0,
        warnings=_warnings(outcomes, times, calibrations, runs),
        conditions=dict(outcomes[0].device),
    )


def _warnings(
    outcomes: Sequence[Outcome],
    times: Mapping[str, Sequence[Times]],
    calibrations: Mapping[str, Sequence[Times]],
    runs: int,
) -> tuple[str, ...]:
    """What makes figures less trustworthy, each once."""
    cpu = [
        (calls, outcome.cpu_ns[name])
        for outcome in outcomes
        for name, calls in outcome.samples_ns.items()
        if name in outcome.cpu_ns
    ]
    warnings = [
        *(warning for outcome in outcomes for warning in outcome.warnings),
        *(w for name, rounds in times.items() for w in warnings_of(name, rounds, runs)),
        *busy_warnings(cpu),
        *speed_warnings([part for rounds in calibrations.values() for part in rounds]),
    ]
    return tuple(dict.fromkeys(warnings))


def with_conditions(row: Row, before: Conditions, after: Conditions) -> Row:
    """With what happened to this machine, where the row was timed here."""
    if not row.rounds or row.conditions:
        return row
    warnings = (*row.warnings, *condition_warnings(before, after))
    return replace(row, warnings=warnings, conditions=conditions_of(before, after))


def _most(sizes: Iterable[int | None]) -> int | None:
    return max((size for size in sizes if size is not None), default=None)


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """By method, over the rounds that have it."""
    names = dict.fromkeys(name for round in rounds for name in round)
    return {name: statistics.median(r[name] for r in rounds if name in r) for name in names}
