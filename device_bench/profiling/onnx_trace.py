"""ONNX Runtime's own records: one an operator that runs, those inside the graph's branches too.

`If` holds the branch it ran, so its time is that of its operators and is left out. ONNX Runtime
collects the shapes of a record within the time it holds, some 2 µs: more than most operators take.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnxruntime

from device_bench.profiling.records import METHODS, Arguments, Calls, Record, Recorded, Recording
from glint_edge.bundles.wire import ONNX_METHODS

Array: TypeAlias = npt.NDArray[Any]

NO_ITEM, ONE = np.zeros((1, 1), dtype=np.int64), np.array([1])
NO_BIAS = np.zeros((1, 1), dtype=np.float32)
CONTROL_FLOW = ("If", "Loop", "Scan")
CALL, RECORDED = "model_run", "_kernel_time"
NOTE = (
    "ONNX Runtime records every operator of its optimised graph. It collects their shapes within "
    "the time that it records, unevenly, so they may add up to more than the method takes"
)


def record(path: Path, calls: Calls, threads: int, runs: int) -> Recorded:
    """Run each method in a session of its own, with its profiler on.

    Args:
        path: a `.onnx` or `.ort` that loads.
        calls: arguments by method, used in turn.
        threads: of the session.
        runs: recorded calls of each method.
    """
    methods = {method: _record(path, method, calls[method], threads, runs) for method in METHODS}
    return Recorded(methods, NOTE)


def _record(
    path: Path, method: str, arguments: Sequence[Arguments], threads: int, runs: int
) -> Recording:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_profiling = True
    options.profile_file_prefix = method
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    outputs = ("top_items", "top_scores") if method == "recommend" else ("new_state",)
    feeds = [_feed(method, *each) for each in arguments]
    took = []
    for number in range(runs):
        start = time.perf_counter_ns()
        session.run(outputs, feeds[number % len(feeds)])
        took.append(float(time.perf_counter_ns() - start))
    events = json.loads(Path(session.end_profiling()).read_bytes())
    return Recording(records_of(events), took)


def _feed(
    method: str, state: Array, items: Array = NO_ITEM, count: Array = ONE
) -> dict[str, Array]:
    """`append`'s one item is a row here, as `append_many`'s are."""
    return {
        "method": np.array([ONNX_METHODS[method]]), "state": state,
        "items": np.reshape(items, (1, -1)), "count": count, "bias": NO_BIAS,
    }  # fmt: skip


def records_of(events: Sequence[Mapping[str, Any]]) -> list[list[Record]]:
    """The records of each call.

    Args:
        events: the trace that `end_profiling` names, parsed.
    """
    calls: list[list[tuple[int, Record]]] = [[]]
    for event in events:
        if event.get("name") == CALL:  # written when the call is done
            calls.append([])
        elif event.get("cat") == "Node" and event["args"]["op_name"] not in CONTROL_FLOW:
            kind, name = event["args"]["op_name"], event["name"].removesuffix(RECORDED)
            provider = event["args"]["provider"]
            # The trace is in microseconds.
            calls[-1].append((event["ts"], Record(name, kind, provider, event["dur"] * 1e3)))
    return [[one for _, one in sorted(call, key=lambda pair: pair[0])] for call in calls[:-1]]
