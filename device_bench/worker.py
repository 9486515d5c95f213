"""The process in which one artifact runs: `python -m device_bench.worker`, a job on stdin.

Works in the current folder, see `device_bench.job`. Exit code 0 with a result, 2 with an error
of one line in result.json; anything else is a crash.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from device_bench.job import INPUTS, OUTPUTS, RESULT, Histories, Job
from device_bench.latency import LEAST_RUNS, measure
from device_bench.memory import peak_memory, resident_memory
from device_bench.runtimes import load_runtime, prepare_runtime, recommend_history, replay
from glint_edge.config import ModelConfig
from glint_edge.errors import GlintEdgeError
from glint_edge.target import Runtime

LOADS = 5
COLD_STARTS = (20, 50, 200)  # items
COLD_WARMUP = 10


def main() -> int:
    """Run the job; returns the exit code."""
    job = Job(**json.load(sys.stdin))
    try:
        result = _run(job)
    except GlintEdgeError as error:
        result = {"error": str(error)}
    Path(RESULT).write_text(json.dumps(result))
    return 2 if "error" in result else 0


def _run(job: Job) -> dict[str, Any]:
    _pin(job.threads)
    prepare_runtime(job.target)
    before = resident_memory()
    runtime, load_ms = _load(job)
    with np.load(INPUTS) as inputs:
        latencies = _time(job, runtime, _histories(inputs, "sample_"))
        # Read here: the lists below are this harness' memory, not the artifact's.
        peak = peak_memory()
        outputs = _lists(runtime, _histories(inputs, ""), job.window, "")
        golden = _histories(inputs, "golden_")
        outputs |= _lists(runtime, golden, job.window, "golden_")
        ways = {"golden_states": replay, "golden_cold_states": _at_once}
        for name, way in ways.items():
            states = [runtime.to_numpy(way(runtime, golden[n])) for n in range(len(golden))]
            outputs[name] = np.concatenate(states)
    np.savez(OUTPUTS, **outputs)
    return {
        **latencies,
        "load_ms": load_ms,
        "peak_memory_bytes": peak,
        "memory_added_bytes": None if peak is None or before is None else peak - before,
        "threads": runtime.threads,
    }


def _load(job: Job) -> tuple[Runtime, float]:
    """The loaded artifact, and the median time of a few loads; the file is in the system's cache.

    One load alone may meet whatever else the machine is doing.
    """
    config = ModelConfig.from_dict(job.config)

    def once() -> tuple[Runtime, float]:
        start = time.perf_counter()
        runtime = load_runtime(
            job.target, Path(job.path), config, top_k=job.top_k, threads=job.threads
        )
        return runtime, (time.perf_counter() - start) * 1e3

    # Each is freed before the next, or the peak would hold two.
    earlier = [once()[1] for _ in range(LOADS - 1 if job.timed else 0)]
    runtime, last = once()
    return runtime, statistics.median([*earlier, last])


def _pin(threads: int) -> None:
    """As many CPUs as threads, where the system has them to give; the first serve interrupts."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def _histories(inputs: Any, prefix: str) -> Histories:  # noqa: ANN401  # numpy has no name for an open .npz
    return Histories(inputs[f"{prefix}ids"], inputs[f"{prefix}offsets"])


def _time(job: Job, runtime: Runtime, sample: Histories) -> dict[str, Any]:
    """Both methods on the sample's states in turn."""
    histories = [sample[n][-runtime.config.max_length :] for n in range(len(sample))]
    befores = [replay(runtime, history[:-1]) for history in histories]
    afters = [
        runtime.append(state, history[-1])
        for state, history in zip(befores, histories, strict=True)
    ]
    runtime.recommend(afters[0])
    if not job.timed:
        return {"append": None, "recommend": None, "cold_start": {}}
    count, items = len(histories), [history[-1] for history in histories]
    append = measure(
        lambda n: runtime.append(befores[n % count], items[n % count]),
        warmup=job.warmup, runs=job.runs,
    )  # fmt: skip
    recommend = measure(
        lambda n: runtime.recommend(afters[n % count]), warmup=job.warmup, runs=job.runs
    )
    return {
        "append": append.to_dict(),
        "recommend": recommend.to_dict(),
        "cold_start": _time_cold_starts(job, runtime, histories),
    }


def _time_cold_starts(
    job: Job, runtime: Runtime, histories: list[list[int]]
) -> dict[str, dict[str, float]]:
    """From no history to the first top-k, on the sample's items repeated to each length."""

    def cold_start(inputs: list[list[int]], number: int) -> object:
        return runtime.recommend(_at_once(runtime, inputs[number % len(inputs)]))

    times = {}
    for length in COLD_STARTS:
        inputs = [(items * length)[:length] for items in histories]
        latency = measure(
            partial(cold_start, inputs),
            warmup=min(job.warmup, COLD_WARMUP), runs=min(job.runs, LEAST_RUNS),
        )  # fmt: skip
        times[str(length)] = latency.to_dict()
    return times


def _at_once(runtime: Runtime, items: list[int]) -> Any:  # noqa: ANN401  # the runtime's own kind
    return runtime.append_many(runtime.empty_state(), items)


def _lists(
    runtime: Runtime, histories: Histories, window: int | None, prefix: str
) -> dict[str, Any]:
    items = np.empty((len(histories), runtime.top_k), dtype=np.int64)
    scores = np.empty((len(histories), runtime.top_k), dtype=np.float32)
    for number in range(len(histories)):
        items[number], scores[number] = recommend_history(runtime, histories[number], window)
    return {f"{prefix}items": items, f"{prefix}scores": scores}


if __name__ == "__main__":
    sys.exit(main())
