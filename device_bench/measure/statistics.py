"""From raw samples to figures: percentiles, the interval of a median, and what is beyond noise.

Times of one process are alike; those of the next one, a minute later, may all be 10 % higher:
memory lies elsewhere, the clock and the neighbours have changed. So each row is measured in
several processes (*rounds*), and an interval takes the spread between rounds, in which that of the
calls within them is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from glint_edge.tables import counted

CONFIDENCE = 0.95
TICK = 1.0  # nanosecond: the least time that a clock here tells
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


def median_interval(rounds: Sequence[Times]) -> tuple[float, float] | None:
    """Where the median of a call lies with 95 % confidence, in microseconds.

    Student's interval of the mean of the rounds' log medians: processes differ by a factor, and of
    three rounds the spread is little known, which the interval's width says. It is widened to hold
    the median of all calls, the figure it stands beside.

    Args:
        rounds: nanoseconds a call, one array a process.

    Returns:
        Its ends; None for one round, which knows nothing of the next process.
    """
    if len(rounds) < 2:
        return None
    logs = np.log(np.maximum([np.median(calls) for calls in rounds], TICK))
    off = student_quantile(CONFIDENCE, len(logs) - 1) * logs.std(ddof=1) / len(logs) ** 0.5
    low, high = np.exp([logs.mean() - off, logs.mean() + off])
    whole = np.median(np.concatenate(rounds))
    return float(min(low, whole)) / 1e3, float(max(high, whole)) / 1e3


def student_quantile(confidence: float, freedom: float) -> float:
    """How many standard errors an interval reaches to each side.

    Args:
        confidence: that it holds the true value, such as 0.95.
        freedom: degrees of freedom of the standard error, at least 1; need not be whole.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, 26.7.5, good to 0.1 %
    from 3 degrees on; one and two are exact.
    """
    below = (1 + confidence) / 2
    if freedom < 2:
        return math.tan(math.pi * (below - 0.5))
    if freedom < 3:
        return (2 * below - 1) / math.sqrt(2 * below * (1 - below))
    z = NormalDist().inv_cdf(below)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, 1))


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
        warnings.append(
            f"{method}: {counted(len(calls), 'timed calls')} only, the time budget was used up"
        )
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
