"""The process in which one artifact is profiled: `python -m device_bench.profile_worker`.

The job comes on stdin, the result goes to profile.json in the current folder. Exit code 0 with a
profile, 2 with an error of one line; anything else is a crash.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from device_bench.fine_clock import clock_speed
from device_bench.profile import RESULT, Method, Profile, ProfileJob
from device_bench.profile_records import (
    METHODS,
    WARMUP,
    Calls,
    Recorded,
    operators_of,
    record_cost_ns,
)
from device_bench.runtimes import load_runtime, prepare_runtime
from glint_edge.config import ModelConfig
from glint_edge.errors import GlintEdgeError
from glint_edge.stream import CHUNK
from glint_edge.target import Runtime, in_chunks

SAMPLE = 8  # histories, in turn
PLAIN_WARMUP, PLAIN_RUNS = 50, 200  # calls without a profiler
# By target: the module whose `record` profiles it, and the package that its runtime comes in.
RECORDERS = {
    "executorch": ("device_bench.profile_executorch", "executorch"),
    "onnx": ("device_bench.profile_onnx", "onnxruntime"),
    "tflite": ("device_bench.profile_tflite", "ai-edge-litert"),
}
UNKNOWN = "glint-edge knows no profiler of this target's runtime"
MICROSECONDS = (
    "the profiler counts whole microseconds, rounded down: an operator that takes less is 0; on "
    "Linux with a C compiler (cc) it counts nanoseconds"
)


def main() -> int:
    """Run the job; returns the exit code."""
    job = ProfileJob(**json.load(sys.stdin))
    try:
        result = _profile(job).to_dict()
    except GlintEdgeError as error:
        result = {"error": str(error)}
    Path(RESULT).write_text(json.dumps(result))
    return 2 if "error" in result else 0


def _profile(job: ProfileJob) -> Profile:
    _pin(job.threads)
    prepare_runtime(job.target)
    path, speed = Path(job.path), clock_speed()
    runtime = load_runtime(
        job.target, path, ModelConfig.from_dict(job.config), top_k=job.top_k, threads=job.threads
    )
    calls, chunk = _calls(runtime, job)
    plain_us = {method: _median_us(call, speed) for method, call in _plain(runtime, calls).items()}
    module, package = RECORDERS.get(job.target, ("", ""))
    recorded = Recorded({}, UNKNOWN)
    if module:
        recorded = importlib.import_module(module).record(
            path, calls, job.threads, WARMUP + job.runs
        )
    return Profile(
        target=job.target,
        runtime=f"{package} {metadata.version(package)}" if package else job.target,
        resolution_ns=1000 // speed,
        methods=_methods(recorded, plain_us, chunk, speed),
        note=_note(recorded, speed),
    )


def _pin(threads: int) -> None:
    """As many CPUs as threads, as `device_bench.worker` does it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def _calls(runtime: Runtime, job: ProfileJob) -> tuple[Calls, int]:
    """Arguments by method, on the states of a few histories, and the items of an `append_many`."""
    chunk: int = getattr(runtime, "chunk", CHUNK)  # a graph of any length has none
    calls: dict[str, list[tuple[Any, ...]]] = {method: [] for method in METHODS}
    for history in job.histories[:SAMPLE]:
        kept = list(history[-runtime.config.max_length :])
        before, item = runtime.append_many(runtime.empty_state(), kept[:-1]), kept[-1]
        state = np.array(runtime.to_numpy(before))
        items, count = next(in_chunks((kept * chunk)[:chunk], chunk))
        calls["append"].append((state, np.array([item])))
        calls["append_many"].append((state, items, np.array([count])))
        calls["recommend"].append((np.array(runtime.to_numpy(runtime.append(before, item))),))
    return calls, chunk


def _plain(runtime: Runtime, calls: Calls) -> dict[str, Callable[[int], object]]:
    """Each method as the bench calls it."""
    _, last = calls["append"][0]
    state = runtime.append(runtime.empty_state(), int(last[0]))
    items = [ids[0].tolist() for _, ids, _ in calls["append_many"]]
    return {
        "append": lambda number: runtime.append(state, items[number % len(items)][-1]),
        "append_many": lambda number: runtime.append_many(state, items[number % len(items)]),
        "recommend": lambda number: runtime.recommend(state),
    }


def _median_us(call: Callable[[int], object], speed: int) -> float:
    for number in range(PLAIN_WARMUP):
        call(number)
    took = []
    for number in range(PLAIN_RUNS):
        start = time.perf_counter_ns()
        call(number)
        took.append(time.perf_counter_ns() - start)
    return statistics.median(took) / speed / 1e3


def _methods(
    recorded: Recorded, plain_us: Mapping[str, float], chunk: int, speed: int
) -> tuple[Method, ...]:
    items = {"append": 1, "append_many": chunk, "recommend": 0}
    if not recorded.methods:
        return tuple(Method(name, items[name], (), plain_us[name], None) for name in METHODS)
    cost_ns = record_cost_ns(recorded)
    return tuple(
        Method(
            name,
            items[name],
            operators_of(
                recorded.methods[name], cost_ns=cost_ns, clock_speed=speed, method_us=plain_us[name]
            ),
            plain_us[name],
            statistics.median(recorded.methods[name].took_ns) / speed / 1e3,
        )
        for name in METHODS
    )


def _note(recorded: Recorded, speed: int) -> str:
    notes = [recorded.note]
    if cost := record_cost_ns(recorded):
        notes.append(
            f"{cost / speed:,.0f} ns are taken off each operator, the least one's time: what it "
            "costs to record one"
        )
    if recorded.methods and speed == 1:
        notes.append(MICROSECONDS)
    return ". ".join(notes) + "."


if __name__ == "__main__":
    sys.exit(main())
