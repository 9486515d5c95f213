"""LiteRT's own records, down to the operators inside the XNNPACK delegate.

They are had through LiteRT's compiled models: the interpreter's Python bindings, which the bench
times, have no profiler. Both run the same kernels of the same delegate.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from device_bench.profiling.litert_api import Event, ProfiledModel, Signature, has_profiler
from device_bench.profiling.records import METHODS, Arguments, Calls, Record, Recorded, Recording
from device_bench.profiling.xnnpack_names import kind_of
from glint_edge.bundles.wire import TFLITE_INPUTS
from glint_edge.processes.native_output import held_back

BEGIN = "Invoke"  # a telemetry event at a call's end has the same tag
PHASE, KERNEL, DELEGATED = 1, 2, (4, 8)  # of LiteRtProfilerEventType
OWN, XNNPACK = "LiteRT", "XNNPACK"
NO_PROFILER = "This LiteRT has no profiler in its C API; ai-edge-litert 2.3 has"
NOTE = (
    "LiteRT records its own kernels and XNNPACK's operators; what XNNPACK does before its first "
    "operator is in no record"
)


def record(path: Path, calls: Calls, threads: int, runs: int) -> Recorded:
    """Run each method with LiteRT's profiler on.

    Args:
        path: a `.tflite` that loads.
        calls: arguments by method, used in turn.
        threads: of the model.
        runs: recorded calls of each method.
    """
    if not has_profiler():
        return Recorded({}, NO_PROFILER)
    with held_back(streams=False):
        model = ProfiledModel(path, threads)
        signatures = model.signatures()
    methods = {m: _record(model, signatures[m], TFLITE_INPUTS[m], calls[m], runs) for m in METHODS}
    return Recorded(methods, NOTE)


def _record(
    model: ProfiledModel,
    signature: Signature,
    names: Sequence[str],
    arguments: Sequence[Arguments],
    runs: int,
) -> Recording:
    took, count = [], len(arguments[0])
    for name in names[count:]:  # a bias: no filter
        signature.inputs[name].write(np.zeros(signature.inputs[name].shape, np.float32))
    model.start()
    for number in range(runs):
        # New arguments seldom: copying them in from Python leaves the caches cold.
        if number * len(arguments) % runs < len(arguments):
            signature.write(names[:count], arguments[number * len(arguments) // runs])
        start = time.perf_counter_ns()
        signature.run()
        took.append(float(time.perf_counter_ns() - start))
    return Recording(records_of(model.stop()), took)


def records_of(events: Sequence[Event]) -> list[list[Record]]:
    """The operators of each call, numbered within their name.

    Args:
        events: of several calls; the phase `BEGIN` comes before its operators.
    """
    calls: list[list[Record]] = []
    for event in events:
        if event.tag == BEGIN and event.kind == PHASE:
            calls.append([])
            seen: Counter[str] = Counter()
        elif event.kind == KERNEL or event.kind in DELEGATED:
            seen[event.tag] += 1
            own = event.kind == KERNEL and "Delegate" not in event.tag
            name, provider = f"{event.tag} #{seen[event.tag]}", OWN if own else XNNPACK
            calls[-1].append(Record(name, kind_of(event.tag), provider, event.elapsed_us * 1e3))
    return calls
