"""From a profiler's records of many calls to the operators of one: the same for every runtime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from device_bench.profile import Operator

WARMUP = 20  # recorded calls that do not count
METHODS = ("append", "append_many", "recommend")

# What a method takes, as docs and manifest have it: a state float32 [1, S]; for `append` an item
# int64 [1], for `append_many` items int64 [1, C] and their count int64 [1].
Arguments: TypeAlias = tuple[npt.NDArray[Any], ...]
Calls: TypeAlias = Mapping[str, Sequence[Arguments]]

Key: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True)
class Record:
    """One operator's run within one call.

    Attributes:
        name: of this operator alone.
        kind: as in `Operator`.
        provider: as in `Operator`.
        ns: nanoseconds by the process' clock.
    """

    name: str
    kind: str
    provider: str
    ns: float

    @property
    def key(self) -> Key:
        """What makes two records those of one operator."""
        return self.name, self.kind, self.provider


@dataclass(frozen=True)
class Recording:
    """What a profiler told of one method.

    Attributes:
        calls: the records of each call, in the order in which they ran; the first `WARMUP` calls
            do not count.
        took_ns: of each call as a whole, by the process' clock.
    """

    calls: Sequence[Sequence[Record]]
    took_ns: Sequence[float]


@dataclass(frozen=True)
class Recorded:
    """What a profiler told of an artifact.

    Attributes:
        methods: by name; empty if this runtime cannot be profiled.
        note: what the records do and do not hold, in sentences.
    """

    methods: Mapping[str, Recording]
    note: str


def typical(values: Iterable[float]) -> float:
    """The mean of the middle half: outliers do not count, whole numbers average to fractions."""
    ordered = np.sort(np.fromiter(values, np.float64))
    quarter = len(ordered) // 4
    return float(ordered[quarter : len(ordered) - quarter].mean())


def record_cost_ns(recorded: Recorded) -> float:
    """What a record adds to the time that it holds: the time of the operator that took least.

    Some hardly do anything (a reshape, a copy of one number), so nearly all of theirs is that.
    """
    times = [
        total / calls
        for recording in recorded.methods.values()
        for calls, total in _totals(recording).values()
    ]
    return min(times, default=0.0)


def operators_of(
    recording: Recording, *, cost_ns: float, clock_speed: int, method_us: float
) -> tuple[Operator, ...]:
    """The operators of a method in the order in which they run.

    Args:
        recording: of that method.
        cost_ns: taken off each record.
        clock_speed: how many times faster than real the process' clock ran.
        method_us: what a call takes without a profiler.
    """
    totals = _totals(recording)
    us = {
        key: max(0.0, total - calls * cost_ns) / clock_speed / 1e3
        for key, (calls, total) in totals.items()
    }
    whole = max(method_us, sum(us.values()))
    return tuple(
        Operator(*key, calls=totals[key][0], us=time, share=time / whole)
        for key, time in us.items()
    )


def _totals(recording: Recording) -> dict[Key, tuple[int, float]]:
    """Calls and nanoseconds in one call of the method, by operator."""
    counts: dict[Key, int] = {}
    sums: dict[Key, list[float]] = {}
    calls = recording.calls[WARMUP:]
    for number, call in enumerate(calls):
        for record in call:
            in_each = sums.setdefault(record.key, [0.0] * len(calls))
            in_each[number] += record.ns
            if number == 0:
                counts[record.key] = counts.get(record.key, 0) + 1
    return {key: (counts.get(key, 1), typical(in_each)) for key, in_each in sums.items()}
