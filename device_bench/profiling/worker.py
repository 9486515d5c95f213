"""The process in which one artifact is profiled: `python -m device_bench.profiling.worker`.

The job comes on stdin, the result goes to profile.json in the current folder. Exit code 0 with a
profile, 2 with an error of one line; anything else is a crash.
"""

from __future__ import annotations

import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from device_bench.measure.runtimes import load_runtime, prepare_runtime
from device_bench.profiling.fine_clock import clock_speed
from device_bench.profiling.profile import RESULT, Method, Profile, ProfileJob
from device_bench.profiling.records import METHODS, WARMUP, Calls, Recorded, method_of
from glint_edge.config import ModelConfig
from glint_edge.errors import GlintEdgeError, one_line
from glint_edge.model.state import CHUNK
from glint_edge.processes.child import pin
from glint_edge.runtime.engines import Runtime, in_chunks

SAMPLE = 8  # histories, in turn
PLAIN_WARMUP, PLAIN_RUNS = 50, 200  # calls without a profiler
# By target: the module whose `record` profiles it, and the package that its runtime comes in.
MODULES = {
    "executorch": "device_bench.profiling.executorch_trace",
    "onnx": "device_bench.profiling.onnx_trace",
    "tflite": "device_bench.profiling.tflite_trace",
}
PACKAGES = {"executorch": "executorch", "onnx": "onnxruntime", "tflite": "ai-edge-litert"}
UNKNOWN = "There is no profiler for this target"
MICROSECONDS = (
    "The profiler counts whole microseconds, rounded down: an operator that takes less is 0; on "
    "Linux with a C compiler (cc) it counts nanoseconds"
)


def main() -> int:
    """Run the job; returns the exit code."""
    job = ProfileJob(**json.load(sys.stdin))
    try:
        result = _profile(job).to_dict()
    except GlintEdgeError as error:
        result = {"error": str(error)}
    Path(RESULT).write_text(json.dumps(result), encoding="utf-8")
    return 2 if "error" in result else 0


def _profile(job: ProfileJob) -> Profile:
    pin(job.threads)
    prepare_runtime(job.target)
    speed = clock_speed()
    runtime = load_runtime(
        job.target,
        Path(job.path),
        ModelConfig.from_dict(job.config),
        top_k=job.top_k,
        threads=job.threads,
    )
    calls, chunk = _calls(runtime, job)
    plain_us = {method: _median_us(call, speed) for method, call in _plain(runtime, calls).items()}
    recorded = _recorded(job, calls)
    items = {"append": 1, "append_many": chunk, "recommend": 0}
    methods = tuple(
        method_of(name, items[name], plain_us[name], recorded.methods.get(name), speed)
        for name in METHODS
    )
    return Profile(
        target=job.target,
        runtime=_runtime(job.target),
        resolution_ns=1000 // speed,
        methods=methods,
        note=_note(recorded, methods, speed),
    )


def _runtime(target: str) -> str:
    """Its name and version, or the target's where they are not known."""
    package = PACKAGES.get(target)
    return f"{package} {metadata.version(package)}" if package else target


def _recorded(job: ProfileJob, calls: Calls) -> Recorded:
    if job.target not in MODULES:
        return Recorded({}, UNKNOWN)
    profiler = importlib.import_module(MODULES[job.target])
    try:
        recorded: Recorded = profiler.record(Path(job.path), calls, job.threads, WARMUP + job.runs)
    except Exception as error:  # a runtime's profiler is its least kept part; the times stay
        return Recorded({}, f"The runtime's profiler failed ({one_line(error)})")
    return recorded


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
    """Each method as the bench calls it, all on one state of the runtime's own kind."""
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


def _note(recorded: Recorded, methods: Sequence[Method], speed: int) -> str:
    notes = [recorded.note]
    costs = [method.record_us * 1e3 for method in methods if method.record_us]
    if costs:
        notes.append(
            f"What it costs to record an operator, up to {max(costs):,.0f} ns (the least "
            "operator's time), is taken off each"
        )
    if recorded.methods and speed == 1:
        notes.append(MICROSECONDS)
    return ". ".join(notes) + "."


if __name__ == "__main__":
    sys.exit(main())
