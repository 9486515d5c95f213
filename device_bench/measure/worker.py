"""The process in which one artifact runs: `python -m device_bench.measure.worker`, a job on stdin.

Works in the current folder, see `device_bench.runners.python`. Exit code 0 with a result, 2 with an
error of one line in result.json; anything else is a crash.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from device_bench.measure.job import (
    FILTERED,
    INPUTS,
    OUTPUTS,
    RESULT,
    TAP_ANEW,
    TAP_BEYOND,
    Filtered,
    Histories,
    Job,
)
from device_bench.measure.memory import forget_peak, peak_memory, resident_memory
from device_bench.measure.runtimes import (
    load_runtime,
    prepare_beside,
    prepare_runtime,
    replay,
)
from device_bench.measure.sampling import Plan, Samples, sample, sample_cycles
from glint_edge.config import ModelConfig
from glint_edge.errors import BundleError, GlintEdgeError
from glint_edge.processes.child import pin
from glint_edge.processes.native_output import command_line
from glint_edge.runtime.engines import Runtime, StreamRuntime

LOADS = 5

Call: TypeAlias = Callable[[int], object]


def main() -> int:
    """Run the job; returns the exit code."""
    fields = json.load(sys.stdin)
    job = Job(**{**fields, "plan": Plan(**fields["plan"])})
    try:
        with command_line():
            result = _run(job)
    except GlintEdgeError as error:
        result = {"error": str(error)}
    Path(RESULT).write_text(json.dumps(result), encoding="utf-8")
    return 2 if "error" in result else 0


def _run(job: Job) -> dict[str, Any]:
    pin(job.threads)
    prepare_beside(job.target)
    earlier_peak, bare = peak_memory(), resident_memory()
    forget_peak()
    prepare_runtime(job.target)
    before = resident_memory()
    runtime, load_ms = _load(job)
    with np.load(INPUTS) as inputs:
        groups = {
            name: Histories(inputs[f"{name}_ids"], inputs[f"{name}_offsets"])
            for name in ("sample", "golden", "histories")
        }
    measured = _measure(job, runtime, groups["sample"])
    # Read here: the lists below are this harness' memory, not the artifact's.
    peak = peak_memory()
    memory = {
        "memory_before_load_bytes": before,
        "steady_memory_bytes": resident_memory(),
        "peak_memory_bytes": max(peak, earlier_peak) if peak and earlier_peak else None,
        "runtime_memory_bytes": max(peak - bare, 0) if peak and bare else None,
    }
    outputs = _lists(runtime, groups["histories"], job.window, "")
    outputs |= _lists(runtime, groups["golden"], job.window, "golden_")
    outputs["golden_states"] = _states(runtime, groups["golden"], replay)
    outputs["golden_cold_states"] = _states(runtime, groups["golden"], _at_once)
    np.savez(OUTPUTS, **outputs)
    return {
        **measured, **memory, "load_ms": load_ms, "threads": runtime.threads,
        "filtered_failures": _filtered_failures(job, runtime),
    }  # fmt: skip


def _load(job: Job) -> tuple[Runtime, list[float]]:
    """The loaded artifact, and what a few loads took; the file is in the system's cache.

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
    return runtime, [*earlier, last]


def _measure(job: Job, runtime: Runtime, histories: Histories) -> dict[str, Any]:
    """First calls, then each method on the sample's states in turn."""
    kept = [histories[n][-runtime.config.max_length :] for n in range(len(histories))]
    append = _append_call(runtime, kept)
    first = {"append": _took_us(append)}
    recommend = _recommend_call(runtime, [append(number) for number in range(len(kept))])
    first["recommend"] = _took_us(recommend)
    calls = {"append": append, "recommend": recommend}
    measured: dict[str, Any] = {
        "first_call_us": first, "samples_ns": {}, "cpu_ns": {}, "calibration_ns": {},
        "warnings": [],
    }  # fmt: skip
    if not job.timed:
        return measured
    for name, call in {**calls, **_cold_starts(runtime, kept, job.cold_starts)}.items():
        _add(measured, name, sample(call, job.plan))
    if job.window is not None and job.cycle:
        cycle = _Cycle(runtime, kept, job.window, job.cycle)
        _add(measured, TAP_BEYOND, sample_cycles(cycle, job.cycle, job.plan))
        measured["samples_ns"][TAP_ANEW] = cycle.anew_ns
        measured["calibration_ns"][TAP_ANEW] = measured["calibration_ns"][TAP_BEYOND]
    return measured


def _add(measured: dict[str, Any], name: str, samples: Samples) -> None:
    measured["samples_ns"][name] = samples.calls_ns.tolist()
    measured["cpu_ns"][name] = samples.cpu_ns
    measured["calibration_ns"][name] = samples.calibration_ns.tolist()
    if not samples.steady:
        measured["warnings"].append(f"{name}: the times were not steady after the warm-up")


def _took_us(call: Call) -> float:
    start = time.perf_counter()
    call(0)
    return (time.perf_counter() - start) * 1e6


def _append_call(runtime: Runtime, histories: list[list[int]]) -> Call:
    befores = [_at_once(runtime, history[:-1]) for history in histories]
    lasts, count = [history[-1] for history in histories], len(histories)
    return lambda number: runtime.append(befores[number % count], lasts[number % count])


def _recommend_call(runtime: Runtime, states: list[Any]) -> Call:
    return lambda number: runtime.recommend(states[number % len(states)])


def _cold_starts(
    runtime: Runtime, histories: list[list[int]], lengths: Sequence[int]
) -> dict[str, Call]:
    """From no history to the first top-k, on the sample's items repeated to each length."""

    def cold_start(inputs: list[list[int]], number: int) -> object:
        return runtime.recommend(_at_once(runtime, inputs[number % len(inputs)]))

    return {
        f"cold_start_{length}": partial(
            cold_start, [(items * length)[:length] for items in histories]
        )
        for length in lengths
    }


class _Cycle:
    """Taps of a session longer than its window N, up to the one that encodes its last N anew."""

    def __init__(
        self, runtime: Runtime, histories: list[list[int]], window: int, taps: int
    ) -> None:
        self._runtime, self._taps = runtime, taps
        self._histories = [(items * window)[:window] for items in histories]
        self._state = _at_once(runtime, self._histories[0])
        self.anew_ns: list[int] = []  # what the last tap of each cycle took

    def __call__(self, number: int) -> None:
        items = self._histories[number % len(self._histories)]
        for tap in range(self._taps - 1):
            self._state = self._runtime.append(self._state, items[tap])
            self._runtime.recommend(self._state)
        start = time.perf_counter_ns()
        self._state = _at_once(self._runtime, items)
        self._runtime.recommend(self._state)
        self.anew_ns.append(time.perf_counter_ns() - start)


def _at_once(runtime: Runtime, items: list[int]) -> Any:  # noqa: ANN401  # the runtime's own kind
    return runtime.append_many(runtime.empty_state(), items)


def _states(
    runtime: Runtime, histories: Histories, way: Callable[[Runtime, list[int]], Any]
) -> npt.NDArray[np.float32]:
    """float32 [G, S]."""
    states = [runtime.to_numpy(way(runtime, histories[n])) for n in range(len(histories))]
    empty = runtime.to_numpy(runtime.empty_state())[:0]
    return np.concatenate([empty, *states])


def _lists(
    runtime: Runtime, histories: Histories, window: int | None, prefix: str
) -> dict[str, Any]:
    items = np.empty((len(histories), runtime.top_k), dtype=np.int64)
    scores = np.empty((len(histories), runtime.top_k), dtype=np.float32)
    state, seen = runtime.empty_state(), list[int]()
    for number in range(len(histories)):
        kept = histories[number] if window is None else histories[number][-window:]
        # Prefixes of one history follow one another: each goes on where the one before ended.
        if kept[: len(seen)] != seen:
            state, seen = runtime.empty_state(), []
        if more := kept[len(seen) :]:
            state, seen = runtime.append_many(state, more), kept
        best = runtime.recommend(state)
        items[number], scores[number] = map(runtime.to_numpy, best)
    return {f"{prefix}items": items, f"{prefix}scores": scores}


def _filtered_failures(job: Job, runtime: Runtime) -> list[str]:
    """What is wrong with the golden lists that have filters, which an app's own words replay."""
    if not Path(FILTERED).is_file():
        return []
    from glint_edge.runtime.app_bundle import AppBundle
    from glint_edge.runtime.recommender import Recommender
    from glint_edge.runtime.replay import filtered_failures

    asked = Filtered.from_dict(json.loads(Path(FILTERED).read_bytes()))
    bundle = AppBundle(
        "", ModelConfig.from_dict(job.config), job.top_k, asked.rows, job.window, job.target,
        Path(job.path), asked.catalogue, neighbours=asked.neighbours,
    )  # fmt: skip
    recommender = Recommender(bundle, cast(StreamRuntime, runtime), "refuse")
    try:
        return list(filtered_failures(recommender, asked.golden))
    except BundleError as error:  # the runtime failed, or listed what it must not
        return [f"with filters, {str(error).replace(job.path, 'it')}"]


if __name__ == "__main__":
    sys.exit(main())
