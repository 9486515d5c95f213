"""Single calls, timed one by one: untimed until steady, then with the machine's speed beside them.

What comes out are raw samples. `statistics.py` makes figures of them, in one place for every
runner.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

WARMUP = 50  # calls at least; caches, lazy initialisation and the CPU's clock settle within a few
BLOCK = 25  # calls whose median says whether the times are steady
STEADY = 0.05  # how far one block's median may be from the one before
MOST_BLOCKS = 40
RUNS = 200  # timed calls a round; below, the 99th percentile is one or two calls
BUDGET_MS = 1000.0  # a slow method ends here, after LEAST_RUNS at least
LEAST_RUNS = 20
CALIBRATE_EVERY = 10  # timed calls between two looks at the machine's own speed
CYCLES, LEAST_CYCLES = 20, 5  # timed cycles a round, and how many whatever the budget

# What `calibrate` multiplies: a matrix of the first cache and one of the second.
SMALL, LARGE = np.full((64, 64), 0.01, np.float32), np.full((256, 256), 0.01, np.float32)


@dataclass(frozen=True)
class Plan:
    """How many calls of each method.

    Attributes:
        warmup: untimed calls at least; more until the times are steady.
        runs: timed calls.
        budget_ms: of timed calls; when it is used up, at least `LEAST_RUNS` being done, they end.
    """

    warmup: int = WARMUP
    runs: int = RUNS
    budget_ms: float = BUDGET_MS


@dataclass(frozen=True, eq=False)
class Samples:
    """What timing one method gave.

    Attributes:
        calls_ns: float64 [runs], nanoseconds a call.
        cpu_ns: CPU time a call, over all threads, averaged: what other work took is not in it.
        calibration_ns: float64 [≥ 1], of a fixed piece of work between the calls.
        steady: the warm-up ended because the times were steady.
    """

    calls_ns: npt.NDArray[np.float64]
    cpu_ns: float
    calibration_ns: npt.NDArray[np.float64]
    steady: bool


def sample(call: Callable[[int], object], plan: Plan) -> Samples:
    """Time single calls, Python's part of each included.

    Args:
        call: given the number of the call, so that it can take its input from a list.
        plan: how many.
    """
    with _no_collection():
        steady = _warm_up(call, plan)
        return _timed(call, plan.runs, LEAST_RUNS, plan.budget_ms, steady)


def sample_cycles(cycle: Callable[[int], object], taps: int, plan: Plan) -> Samples:
    """Time cycles of calls as wholes; the figures are of one call, the mean over its cycle.

    Args:
        cycle: given its number. What it calls was sampled before, so there is no warm-up.
        taps: calls in a cycle.
        plan: how many calls.
    """
    with _no_collection():
        runs = max(CYCLES, -(-plan.runs // taps))
        wholes = _timed(cycle, runs, LEAST_CYCLES, plan.budget_ms, steady=True)
    return replace(wholes, calls_ns=wholes.calls_ns / taps, cpu_ns=wholes.cpu_ns / taps)


@contextmanager
def _no_collection() -> Iterator[None]:
    """A collection of the harness' own garbage would land in some call's time."""
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _timed(
    call: Callable[[int], object], runs: int, least: int, budget_ms: float, steady: bool
) -> Samples:
    calls: list[int] = []
    calibration: list[int] = []
    spent, most = 0, budget_ms * 1e6
    cpu = time.process_time_ns()
    while len(calls) < runs and (spent < most or len(calls) < least):
        if len(calls) % CALIBRATE_EVERY == 0:
            aside = time.process_time_ns()
            calibration.append(_took(calibrate, 0))
            call(len(calls))  # untimed: the calibration has taken the first cache
            cpu += time.process_time_ns() - aside
        calls.append(_took(call, len(calls)))
        spent += calls[-1]
    cpu = time.process_time_ns() - cpu
    return Samples(
        np.array(calls, np.float64), cpu / len(calls), np.array(calibration, np.float64), steady
    )


def _warm_up(call: Callable[[int], object], plan: Plan) -> bool:
    """Call until two blocks in turn take alike, or too long; whether they did."""
    before, spent = 0.0, 0
    for block in range(MOST_BLOCKS):
        took = [_took(call, block * BLOCK + number) for number in range(BLOCK)]
        spent += sum(took)
        median = float(np.median(took))
        enough = (block + 1) * BLOCK >= plan.warmup
        if enough and abs(median - before) <= STEADY * before:
            return True
        if enough and spent > plan.budget_ms * 1e6:
            return False
        before = median
    return False


def _took(call: Callable[[int], object], number: int) -> int:
    start = time.perf_counter_ns()
    call(number)
    return time.perf_counter_ns() - start


def calibrate(_: int = 0) -> None:
    """A fixed piece of work that is like a model's step: how fast this machine is just now.

    Where a neighbour shares the core or its caches, arithmetic in Python and products of matrices
    do not slow down alike; so this is products, half of them from the first cache and half from
    the second.
    """
    for _ in range(24):
        np.dot(SMALL, SMALL[0])
    for _ in range(4):
        np.einsum("ij,j->i", LARGE, LARGE[0])  # `dot` of a matrix this large takes several threads
