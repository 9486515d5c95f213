"""From a profiler's records of many calls to the operators of one: the same for every runtime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from device_bench.profiling.profile import Method, Operator

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
        took_ns: of each call as a whole, by the process' clock; as many.
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


def method_of(
    name: str, items: int, method_us: float, recording: Recording | None, clock_speed: int
) -> Method:
    """A method with its operators in the order in which they run.

    Of each record the time of the operator that took least is taken off. Some operators hardly do
    anything (a reshape, a copy of one number), so nearly all of theirs is the cost of a record.

    Args:
        name: of the method.
        items: that one call takes in.
        method_us: of a call without a profiler.
        recording: what the profiler told of it, if it did.
        clock_speed: how many times faster than real the process' clock ran.
    """
    if recording is None:
        return Method(name, items, (), method_us, profiled_us=None, record_us=None)
    to_us = 1 / clock_speed / 1e3
    totals = _totals(recording)
    cost = min((total / calls for calls, total in totals.values()), default=0.0)
    us = {key: (total - calls * cost) * to_us for key, (calls, total) in totals.items()}
    whole = max(method_us, sum(us.values()))
    operators = (
        Operator(*key, calls=totals[key][0], us=time, share=time / whole)
        for key, time in us.items()
    )
    took = float(np.median(recording.took_ns[WARMUP:]))
    return Method(name, items, tuple(operators), method_us, took * to_us, cost * to_us)


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
