"""From what a runner brought back to a row: figures, parity, golden vectors, judgement."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from device_bench.judge.parity import Parity, Reference, agreement, difference
from device_bench.judge.rows import Row
from device_bench.judge.tolerance import judge, judge_agreement, tolerance_of, what_is_open
from device_bench.measure.job import (
    TAP_ANEW,
    TAP_BEYOND,
    Filtered,
    Histories,
    Inputs,
    Outcome,
    Times,
    TopK,
)
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
from glint_edge.bundles.golden_check import EXACT, golden_failures
from glint_edge.checkpoints.checkpoint import WEIGHTS
from glint_edge.data.sequences import HeldOut

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
        reference: the float model over the histories that figures are of; None: the golden
            vectors alone are checked.
        gate: the float model over those by which the loss of NDCG@10 is judged, which may be the
            same; None: it is not.
        golden_counts: False where the golden vectors are of another precision.
        filtered: the golden lists that have filters; None: they are not checked.
    """

    target: str
    precision: str
    file: Path
    top_k: int
    window: int | None
    config: Mapping[str, Any]
    golden: Golden
    reference: Reference | None
    gate: Reference | None
    golden_counts: bool = True
    filtered: Filtered | None = None

    def inputs(self) -> Inputs:
        """What it is run on; what is timed is a sample of the reference's histories."""
        parts = [
            Histories(part.held_out.ids, part.held_out.offsets)
            for part in (self.reference, self._gate_beside)
            if part is not None
        ]
        golden = Histories.of([case.history for case in self.golden.cases])
        inputs = Inputs.of(golden, parts[0] if parts else Histories.of([]))
        filtered = self.filtered if self.golden_counts else None
        return replace(inputs, histories=Histories.joined(parts), filtered=filtered)

    @property
    def _gate_beside(self) -> Reference | None:
        """The gate, where its histories are not the reference's."""
        return None if self.gate is self.reference else self.gate

    def with_window(self, window: int | None) -> Subject:
        """Of a program that sees so many of a history's last items."""
        if self.reference is None:
            return replace(self, window=window)
        reference = Reference(self.reference.model, self.reference.held_out, window)
        return replace(self, window=window, reference=reference)

    def with_users(self, most: int | None) -> Subject:
        """Held against at most so many users, evenly spread, whose NDCG@10 is not judged then."""
        if most is None or self.reference is None:
            return self
        held_out = self.reference.held_out
        if len(held_out.targets) <= most:
            return replace(self, gate=None)
        histories = Histories(held_out.ids, held_out.offsets)
        users = histories.spread(most)
        kept = Histories.of([histories[user] for user in users])
        fewer = HeldOut(kept.ids, kept.offsets, held_out.targets[users])
        reference = Reference(self.reference.model, fewer, self.reference.window)
        return replace(self, reference=reference, gate=None)

    def lists(self, outcome: Outcome) -> TopK:
        """Of the reference's histories."""
        return outcome.lists.part(slice(len(self.reference or ())))

    def parity(self, outcome: Outcome) -> Parity | None:
        """Over the reference's histories; the loss of NDCG@10 over the gate's."""
        if self.reference is None:
            return None
        parity = self.reference.compare(self.lists(outcome))
        if self.gate is self.reference:
            return parity
        beside = outcome.lists.part(slice(len(self.reference), None))
        return replace(parity, loss=self.gate.compare(beside).loss if self.gate else None)

    def file_bytes(self) -> int:
        """Of the artifact, or of the weights in a checkpoint's folder; 0 if it is not made yet."""
        file = self.file / WEIGHTS if self.file.is_dir() else self.file
        return file.stat().st_size if file.exists() else 0


def judged(row: Row, subject: Subject, outcome: Outcome) -> Row:
    """The row with its parity, accuracy and golden vectors, and what is out of tolerance.

    Args:
        row: of the subject.
        subject: with a reference, or the golden vectors alone are checked.
        outcome: of the run that had the subject's histories.
    """
    failures: tuple[str, ...] = row.failures
    if (parity := subject.parity(outcome)) is not None:
        tolerance = tolerance_of(subject.target, subject.precision)
        failures += judge(parity, tolerance)
        row = _with_parity(row, parity)
        if subject.gate is not None:
            row = replace(row, cannot_tell=what_is_open(parity, tolerance))
    if subject.golden_counts:
        wrong = _golden_failures(subject.golden, outcome, exact=subject.target == EXACT)
        row = replace(row, golden_ok=not wrong)
        failures += wrong
    return replace(row, failures=failures, ok=not failures)


def _with_parity(row: Row, parity: Parity) -> Row:
    return replace(
        row,
        users=parity.users,
        max_score_error=parity.max_score_error,
        top10_overlap=parity.top10_overlap,
        ndcg_loss=parity.loss,
        rank_weighted_overlap=parity.rank_weighted_overlap,
        same_top10=parity.same_top10,
        ndcg_at_10=parity.ndcg_at_10,
        ndcg_at_10_float=parity.ndcg_at_10_float,
    )


def _golden_failures(golden: Golden, outcome: Outcome, *, exact: bool) -> tuple[str, ...]:
    """Of the states that `append` and `append_many` give, and of the lists with filters."""
    one_by_one = golden_failures(golden, outcome.golden_states, outcome.golden, exact=exact)
    at_once = golden_failures(golden, outcome.golden_cold_states, outcome.golden, exact=exact)
    more = (f"by append_many, {failure}" for failure in at_once if failure not in one_by_one)
    return (*one_by_one, *more, *outcome.filtered_failures)


def with_agreement(row: Row, lists: TopK, others: Sequence[tuple[Row, TopK]]) -> Row:
    """The row held against others on the same runner, histories and precision."""
    beside = {
        other.target: theirs
        for other, theirs in others
        if other.target != row.target
        and (other.precision, other.runner, other.device, other.users)
        == (row.precision, row.runner, row.device, row.users)
    }
    shares = {target: agreement(lists, theirs) for target, theirs in beside.items()}
    differs = {t: difference(lists, theirs) for t, theirs in beside.items() if shares[t] != 1}
    wrong = judge_agreement(row.target, shares, tolerance_of(row.target, row.precision))
    failures = (*row.failures, *wrong)
    return replace(row, agreement=shares, differs=differs, failures=failures, ok=not failures)


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
        tap_beyond_us=latencies.get(TAP_BEYOND),
        tap_anew_us=latencies.get(TAP_ANEW),
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
        *(
            warning
            for name, rounds in times.items()
            # Of a cycle of taps fewer are enough.
            for warning in warnings_of(name, rounds, 0 if name in (TAP_BEYOND, TAP_ANEW) else runs)
        ),
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
