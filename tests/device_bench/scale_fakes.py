"""Targets and a runner whose figures are known beforehand."""

import numpy as np

from device_bench.measure.job import Outcome, TopK
from glint_edge.errors import RunnerError

NONE = np.empty((0, 1), np.float32)


class Target:
    """A target whose files are as long as their model's table."""

    precisions = ("int8",)
    suffix = ".bin"

    def __init__(self, name):
        self.name = name


class FakeRunner:
    """Calls after the nth history of the sample take n + 1 thousand times 1,000 ns."""

    name, device, timed, most_histories = "python", "", True, None

    def __init__(self, failing=(), runs=None):
        self.jobs, self.prepared, self.inputs = [], [], None
        self.failing, self.runs = failing, runs

    def prepare(self, target, on_step):
        self.prepared.append(target)

    def run(self, job, inputs):
        self.jobs.append(job)
        self.inputs = inputs
        if job.target in self.failing:
            raise RunnerError("it died")
        count = len(inputs.sample)
        runs = self.runs or job.plan.runs
        in_turn = np.array([1e6 * (n % count + 1) for n in range(runs)])
        starts = {f"cold_start_{n}": np.full(runs, 1e5 * n) for n in job.cold_starts}
        return Outcome(
            lists=TopK(NONE, NONE), golden_states=NONE, golden_cold_states=NONE,
            golden=TopK(NONE, NONE), threads=1, load_ms=(1.0,),
            calibration_ns={"append": np.full(9, 1e4)},
            samples_ns={"append": in_turn, "recommend": 2 * in_turn, **starts},
            cpu_ns={"append": 1e6, **{name: 1.0 for name in starts}},
            first_call_us={"append": 5.0}, peak_memory_bytes=9_000_000,
            memory_before_load_bytes=8_000_000,
            warnings=("cold_start_3: the times were not steady after the warm-up",
                      "append: the times were not steady after the warm-up"),
        )  # fmt: skip


def make_bytes(target, precision, path, *, model, top_k, seconds):
    path.write_bytes(bytes(model["items"] * model["d"]))
    return 1.5
