"""How long a call takes: warm up, then time each call on its own."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from glint_edge.errors import ConfigError

WARMUP = 50  # calls; caches, lazy initialisation and the CPU's clock settle within a few
RUNS = 500  # timed calls
LEAST_RUNS = 200  # below, the 99th percentile is one or two calls


@dataclass(frozen=True)
class Latency:
    """Percentiles of single calls, in microseconds."""

    p50: float
    p90: float
    p99: float

    def to_dict(self) -> dict[str, float]:
        """As JSON values."""
        return asdict(self)


def measure(call: Callable[[int], object], *, warmup: int = WARMUP, runs: int = RUNS) -> Latency:
    """Time single calls, Python's part of each included.

    Args:
        call: given the number of the call, so that it can take its input from a list.
        warmup: untimed calls before.
        runs: timed calls, at least `LEAST_RUNS`.
    """
    if runs < LEAST_RUNS:
        raise ConfigError(f"{runs} timed calls are too few for a 99th percentile; {LEAST_RUNS} do")
    for number in range(warmup):
        call(number)
    took = np.empty(runs)
    # A collection of the harness' own garbage would land in some call's time.
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for number in range(runs):
            start = time.perf_counter_ns()
            call(number)
            took[number] = time.perf_counter_ns() - start
    finally:
        if collecting:
            gc.enable()
    return Latency(*(float(value) for value in np.percentile(took / 1e3, (50, 90, 99))))
