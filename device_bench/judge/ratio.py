"""How many times as long one row takes as another, and how well that is known.

The unit is the round, not the call: calls of one process are alike, processes are not. How far an
artifact follows the machine's speed is not known, one that waits for memory less than others; so a
ratio is taken with the speed left in, in part taken out, and taken out in full, and its interval
holds all three.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance

from device_bench.judge.recorded import Json, calls_of
from device_bench.measure.statistics import CONFIDENCE, student_quantile

ROUNDED = 1e-9  # what floats make of a ratio of 1
FOLLOWED = (0.6, 1.0)  # powers of the machine's speed that times may follow (docs/bench.md)


@dataclass(frozen=True)
class Ratio:
    """The second row's time divided by the first's.

    Attributes:
        value: with the machine's speed taken out as far as brings it nearest to 1.
        interval: where it lies, with 95 % confidence; None where a row has one round.
    """

    value: float
    interval: tuple[float, float] | None

    @property
    def differs(self) -> bool:
        """The two are told apart."""
        return self.interval is not None and not (
            self.interval[0] <= 1 + ROUNDED and self.interval[1] >= 1 - ROUNDED
        )


def known(row: Json, method: str) -> bool:
    """Whether a row tells its rounds of the method's calls."""
    return all((row.get("medians_us") or {}).get(call) for call in calls_of(row, method))


def ratio(method: str, one: Json, other: Json) -> Ratio:
    """Of two rows that are `known` by the method.

    Source of the interval: Welch, The generalization of Student's problem, Biometrika 1947.
    """
    values, ends = [], []
    for power in (0.0, *FOLLOWED):
        first, second = (at_one_speed(row, method, power) for row in (one, other))
        shift = fmean(second) - fmean(first)
        if power:
            values.append(shift)
        if (off := _half_width(first, second)) is not None:
            ends += [shift - off, shift + off]
    interval = (math.exp(min(ends)), math.exp(max(ends))) if ends else None
    return Ratio(math.exp(min(values, key=abs)), interval)


def at_one_speed(row: Json, method: str, power: float) -> list[float]:
    """Logarithms of what a call took in each round, with the machine's speed in it taken out.

    Where other work took the CPU away, a long call's median is not its own, but its CPU time is; a
    short call's median knows nothing of it. So the lesser counts.

    Args:
        row: of a document.
        method: one of its `medians_us`, or "tap".
        power: how far the times follow the machine's speed; 1 in full, 0 not at all.
    """
    rounds = zip(*(_rounds(row, call) for call in calls_of(row, method)), strict=True)
    return [
        math.log(sum(time for time, _ in calls)) - power * math.log(fmean(s for _, s in calls))
        for calls in rounds
    ]


def _rounds(row: Json, method: str) -> list[tuple[float, float]]:
    """Of each round, what a call took of its own, and the machine's speed."""
    medians: Sequence[float] = row["medians_us"][method]
    cpu: Sequence[float] = row.get("cpu_us", {}).get(method) or medians
    speeds: Sequence[float] = row.get("calibrations_us", {}).get(method) or [1.0] * len(medians)
    return list(zip(map(min, medians, cpu), speeds, strict=True))


def _half_width(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Of the interval of the difference of two means; None where a spread is not known."""
    if min(len(first), len(second)) < 2:
        return None
    squares = [variance(values) / len(values) for values in (first, second)]
    whole = sum(squares)
    if whole == 0:
        return 0.0
    parts = zip(squares, (first, second), strict=True)
    freedom = whole**2 / sum(square**2 / (len(values) - 1) for square, values in parts)
    return student_quantile(CONFIDENCE, freedom) * math.sqrt(whole)
