"""From raw samples to figures: percentiles, the interval of a median, and what is beyond noise.

Times of one process are alike; those of the next one, a minute later, may all be 10 % higher:
memory lies elsewhere, the clock and the neighbours have changed. So each row is measured in
several processes (*rounds*), and an interval resamples rounds first and calls within them second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 500
CONFIDENCE = 0.95
OUTLIER = 3.0  # times the median
MANY_OUTLIERS = 0.02  # of the calls
ROUNDS_APART = 0.2  # of the median, between the rounds' medians
LITTLE_CPU = 0.85  # of the time that passed
SPEED_CHANGED = 0.2  # of the calibration's median, between methods and rounds

Times = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Latency:
    """Percentiles of single calls, in microseconds."""

    p50: float
    p90: float
    p99: float

    def to_dict(self) -> dict[str, float]:
        """As JSON values."""
        return asdict(self)


def latency(rounds: Sequence[Times]) -> Latency:
    """Percentiles over the calls of all rounds, given in nanoseconds."""
    calls = np.concatenate(rounds) / 1e3
    return Latency(*(float(value) for value in np.percentile(calls, (50, 90, 99))))


def median_interval(rounds: Sequence[Times]) -> tuple[float, float]:
    """Where the median lies with 95 % confidence, in microseconds: a two-stage bootstrap.

    With one round it knows the spread of calls alone, not that between processes.

    Args:
        rounds: nanoseconds a call, one array a process.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13 (percentile
    interval); resampling clusters first: Davison and Hinkley, Bootstrap Methods and their
    Application, 1997, 3.8.
    """
    random = np.random.default_rng(0)  # the same samples give the same interval
    medians = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        drawn = [rounds[n] for n in random.integers(len(rounds), size=len(rounds))]
        medians[number] = np.median(np.concatenate([_resampled(calls, random) for calls in drawn]))
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(medians, (tail, 100 - tail)) / 1e3
    return float(low), float(high)


def _resampled(calls: Times, random: np.random.Generator) -> Times:
    return calls[random.integers(len(calls), size=len(calls))]


def quantiles(rounds: Sequence[Times], count: int = 41) -> list[float]:
    """Evenly spaced quantiles from the least to the 99th percentile, µs: a distribution's shape."""
    calls = np.concatenate(rounds) / 1e3
    return [float(value) for value in np.percentile(calls, np.linspace(0, 99, count))]


def warnings_of(method: str, rounds: Sequence[Times], runs: int) -> list[str]:
    """What makes these times less trustworthy, a sentence each.

    Args:
        method: its name.
        rounds: nanoseconds a call, one array a process.
        runs: calls that were planned a round.
    """
    calls, warnings = np.concatenate(rounds), []
    median = float(np.median(calls))
    if len(calls) < runs:
        warnings.append(f"{method}: {len(calls)} timed calls only, the time budget was used up")
    share = float((calls > OUTLIER * median).mean())
    if share > MANY_OUTLIERS:
        warnings.append(
            f"{method}: {share:.0%} of the calls took more than {OUTLIER:g} times the median"
        )
    medians = [float(np.median(part)) for part in rounds]
    if max(medians) - min(medians) > ROUNDS_APART * median:
        low, high = min(medians) / 1e3, max(medians) / 1e3
        warnings.append(f"{method}: the rounds' medians lie between {low:,.0f} and {high:,.0f} µs")
    return warnings


def speed_warnings(calibrations: Sequence[Times]) -> list[str]:
    """Whether the machine itself changed its speed.

    Args:
        calibrations: of each method and round.
    """
    medians = [float(np.median(part)) for part in calibrations if len(part)]
    if not medians or max(medians) - min(medians) <= SPEED_CHANGED * float(np.median(medians)):
        return []
    return [
        f"the machine's speed changed by {max(medians) / min(medians) - 1:.0%} meanwhile "
        "(a fixed piece of work took that much longer)"
    ]


def busy_warnings(timed: Sequence[tuple[Times, float]]) -> list[str]:
    """Whether other work took the CPU away.

    Args:
        timed: of each method and round, nanoseconds a call and the mean CPU time a call.
    """
    passed = sum(float(calls.sum()) for calls, _ in timed)
    had = sum(len(calls) * cpu for calls, cpu in timed)
    if not passed or had >= LITTLE_CPU * passed:
        return []
    return [
        f"other work took the CPU away: the process had it for {had / passed:.0%} of the time; "
        "long calls take longer so"
    ]
