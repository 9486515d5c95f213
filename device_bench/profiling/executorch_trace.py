"""ExecuTorch's own records (ETDump), down to the operators inside the XNNPACK delegate.

Of a delegate's call ETDump knows when it began and, from XNNPACK, when each of its operators ran.
What lies before the first is XNNPACK's set-up: it shapes and sets up all its operators anew on
every call. What lies after the last is the writing of these very records, and is left out.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from device_bench.profiling.records import METHODS, Arguments, Calls, Record, Recorded, Recording
from device_bench.profiling.xnnpack_names import kind_of
from glint_edge.processes.native_output import held_back
from glint_edge.runtime.engines.executorch import bindings

DUMP, BUFFER = "profile.etdp", "profile.bin"
KERNEL = "native_call_"  # then the operator and its overload: native_call_topk.values
DELEGATE = "DELEGATE_CALL"
OWN, XNNPACK = "ExecuTorch", "XNNPACK"
UNTRACED = (
    "This ExecuTorch was built without event tracing, so it records nothing; the executorch wheels "
    "of PyPI are built with it"
)
NOTE = (
    "ETDump records ExecuTorch's own kernels and XNNPACK's operators. Set-up is what XNNPACK does "
    "on every call before its first operator"
)


def record(path: Path, calls: Calls, threads: int, runs: int) -> Recorded:
    """Run each method with event tracing on.

    Args:
        path: a `.pte` that loads.
        calls: arguments by method, used in turn.
        threads: as the thread pool already has them.
        runs: recorded calls of each method.
    """
    methods = {}
    for method in METHODS:
        took = _run(path, method, calls[method], runs)
        operators = _parse(Path(DUMP).read_bytes()) if took else []
        if not any(operators):
            return Recorded({}, UNTRACED)
        methods[method] = Recording(operators, took)
    return Recorded(methods, NOTE)


def _run(path: Path, method: str, arguments: Sequence[Arguments], runs: int) -> list[float]:
    """Nanoseconds a call; empty if no records can be had."""
    with held_back(streams=True):
        program = bindings._load_program(str(path), enable_etdump=True)
        execute = program.load_method(method)
        meta = execute.method_meta()
        no_filter = [
            torch.zeros(meta.input_tensor_meta(place).sizes())
            for place in range(len(arguments[0]), meta.num_inputs())
        ]
        tensors = [
            (*(torch.from_numpy(np.array(one)) for one in each), *no_filter) for each in arguments
        ]
        took = []
        for number in range(runs):
            start = time.perf_counter_ns()
            execute(tensors[number % len(tensors)])
            took.append(float(time.perf_counter_ns() - start))
        try:
            program.write_etdump_result_to_file(DUMP, BUFFER)
        except RuntimeError:  # it has none
            return []
    return took


def _parse(dump: bytes) -> list[list[Record]]:
    with held_back(streams=False), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the toolchain's own deprecations
        from executorch.devtools.etdump.serialize import deserialize_from_etdump_flatcc
    return records_of(deserialize_from_etdump_flatcc(dump).run_data)


def records_of(blocks: Sequence[Any]) -> list[list[Record]]:
    """The records of each call.

    Args:
        blocks: `RunData` of an ETDump; those not named "Execute" are of loading.
    """
    executed = (block for block in blocks if block.name == "Execute")
    return [
        list(_call([event.profile_event for event in block.events if event.profile_event]))
        for block in executed
    ]


def _call(events: Sequence[Any]) -> Iterator[Record]:
    delegates = {e.instruction_id: e for e in events if e.name == DELEGATE}
    seen: set[int] = set()
    for event in events:
        took = float(event.end_time - event.start_time)
        if (event.name or "").startswith(KERNEL):
            name = event.name.removeprefix(KERNEL)
            yield Record(name, name.partition(".")[0], OWN, took)
        elif event.delegate_debug_id_str:
            if event.instruction_id not in seen:
                seen.add(event.instruction_id)
                before = event.start_time - delegates[event.instruction_id].start_time
                yield Record(f"set-up #{len(seen)}", "set-up", XNNPACK, float(before))
            name = event.delegate_debug_id_str
            yield Record(name, kind_of(name), XNNPACK, took)
    for number, event in delegates.items():
        if number not in seen:  # the delegate was built without a profiler
            took = float(event.end_time - event.start_time)
            yield Record(f"{DELEGATE} #{number}", DELEGATE, "delegate", took)
