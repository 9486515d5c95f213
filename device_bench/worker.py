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
from pathlib import Path
from typing import Any

import numpy as np

from device_bench.job import INPUTS, OUTPUTS, RESULT, Histories, Job
from device_bench.latency import measure
from device_bench.memory import peak_memory, resident_memory
from device_bench.runtimes import Load, Runtime, import_runtime, recommend_history, replay
from glint_edge.config import ModelConfig
from glint_edge.errors import GlintEdgeError

LOADS = 5


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
    load, config = import_runtime(job.target), ModelConfig.from_dict(job.config)
    before = resident_memory()
    runtime, load_ms = _load(load, job, config)
    with np.load(INPUTS) as inputs:
        latencies = _time(job, runtime, _histories(inputs, "sample_"))
        # Read here: the lists below are this harness' memory, not the artifact's.
        peak = peak_memory()
        outputs = _lists(runtime, _histories(inputs, ""), "")
        golden = _histories(inputs, "golden_")
        outputs |= _lists(runtime, golden, "golden_")
        outputs["golden_states"] = np.concatenate(
            [runtime.to_numpy(replay(runtime, golden[n])) for n in range(len(golden))]
        )
    np.savez(OUTPUTS, **outputs)
    return {
        **latencies,
        "load_ms": load_ms,
        "peak_memory_bytes": peak,
        "memory_added_bytes": None if peak is None or before is None else peak - before,
        "threads": runtime.threads,
    }


def _load(load: Load, job: Job, config: ModelConfig) -> tuple[Runtime, float]:
    """The loaded artifact, and the median time of a few loads; the file is in the system's cache.

    One load alone may meet whatever else the machine is doing.
    """

    def once() -> tuple[Runtime, float]:
        start = time.perf_counter()
        runtime = load(Path(job.path), config, job.top_k, job.threads)
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
    window = runtime.config.max_length
    histories = [sample[n][-window:] for n in range(len(sample))]
    befores = [replay(runtime, history[:-1]) for history in histories]
    afters = [
        runtime.append(state, history[-1])
        for state, history in zip(befores, histories, strict=True)
    ]
    runtime.recommend(afters[0])
    if not job.timed:
        return {"append": None, "recommend": None}
    count, items = len(histories), [history[-1] for history in histories]
    append = measure(
        lambda n: runtime.append(befores[n % count], items[n % count]),
        warmup=job.warmup, runs=job.runs,
    )  # fmt: skip
    recommend = measure(
        lambda n: runtime.recommend(afters[n % count]), warmup=job.warmup, runs=job.runs
    )
    return {"append": append.to_dict(), "recommend": recommend.to_dict()}


def _lists(runtime: Runtime, histories: Histories, prefix: str) -> dict[str, Any]:
    items = np.empty((len(histories), runtime.top_k), dtype=np.int64)
    scores = np.empty((len(histories), runtime.top_k), dtype=np.float32)
    for number in range(len(histories)):
        items[number], scores[number] = recommend_history(runtime, histories[number])
    return {f"{prefix}items": items, f"{prefix}scores": scores}


if __name__ == "__main__":
    sys.exit(main())
