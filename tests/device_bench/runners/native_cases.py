"""An artifact for the native runner, and histories for it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device_bench.measure.job import Histories, Inputs, Job
from device_bench.measure.sampling import Plan
from glint_edge.model.stream import StreamProgram

# A slow machine, too, gets to its thirty calls.
QUICK = Plan(warmup=5, runs=30, budget_ms=10_000)
WINDOW = 9


@dataclass(frozen=True)
class Case:
    target: str
    program: StreamProgram
    path: Path

    def job(self, **changes):
        program = self.program
        return Job(
            self.target, str(self.path),
            **{"config": program.config.to_dict(), "top_k": program.top_k, "window": WINDOW,
               "plan": QUICK, **changes},
        )  # fmt: skip


def histories(config, count=12):
    """Of all lengths around a chunk's and the window's, and of ids of all kinds."""
    random = np.random.default_rng(0)
    known = [random.integers(1, config.items + 1, n).tolist() for n in range(1, count)]
    return [*known, [], [0], [config.items + 1, 3], [-1, 2**31, -(2**40), 2**40, 5]]


def inputs_of(case):
    every = Histories.of(histories(case.program.config))
    return Inputs.of(Histories.of(histories(case.program.config, 7)), every)
