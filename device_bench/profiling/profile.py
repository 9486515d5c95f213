"""Where an artifact's time goes: its runtime's own profiler, operator by operator.

    profile.py           what a profile is; `profile()` makes one in a new process
    worker.py            that process
    executorch_trace.py  ETDump
    onnx_trace.py        ONNX Runtime's session profiling
    tflite_trace.py      LiteRT's profiler, by its C API
    table.py             a profile as a table
    flame.py             a profile as a picture

A profiler costs time itself. So each method is timed without it too, and what an operator took is
held against that: `Method.rest_us` is what no operator accounts for.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from device_bench.profiling.fine_clock import fine_clock, preloading
from glint_edge.errors import BundleError, RunnerError
from glint_edge.files import scratch
from glint_edge.processes.child import environment, read_result, wait_for

RESULT = "profile.json"
WORKER = (sys.executable, "-m", "device_bench.profiling.worker")
RUNS = 100  # recorded calls of each method; an operator's time is the mean of their middle half
TIMEOUT = 600  # seconds


@dataclass(frozen=True)
class Operator:
    """One operator of a method, as its runtime calls it.

    Attributes:
        name: of this one operator.
        kind: what it does, such as "Fully Connected int8"; operators of a kind are alike.
        provider: who runs it: "XNNPACK", ONNX Runtime's "CPUExecutionProvider"; a runtime's own
            name stands for its own kernels.
        calls: in one call of the method.
        us: microseconds in one call of the method, all its calls together.
        share: of the method's `whole_us`.
    """

    name: str
    kind: str
    provider: str
    calls: int
    us: float
    share: float


@dataclass(frozen=True)
class Kind:
    """Operators of one kind and provider.

    Attributes:
        name: of the kind.
        provider: who runs them.
        operators: the one that takes longest first.
        calls: in one call of the method.
        us: microseconds in one call of the method.
        share: of the method's `whole_us`.
    """

    name: str
    provider: str
    operators: tuple[Operator, ...]
    calls: int
    us: float
    share: float


@dataclass(frozen=True)
class Method:
    """The operators of one method, in the order in which they run.

    Attributes:
        name: "append", "append_many" or "recommend".
        items: taken in by one call.
        operators: none if the runtime could not be profiled.
        method_us: one call from Python with the profiler off, the median.
        profiled_us: the same with the profiler on; None if the runtime could not be profiled.
        record_us: what it costs to record an operator; it is taken off each.
    """

    name: str
    items: int
    operators: tuple[Operator, ...]
    method_us: float
    profiled_us: float | None
    record_us: float | None

    @cached_property
    def operators_us(self) -> float:
        """All operators together."""
        return sum(operator.us for operator in self.operators)

    @property
    def whole_us(self) -> float:
        """`method_us`, or `operators_us` where that is more.

        It may be: a record costs time, and times differ from run to run.
        """
        return max(self.method_us, self.operators_us)

    @property
    def rest_us(self) -> float:
        """Of the whole, what no operator accounts for: bindings, dispatch, copies."""
        return self.whole_us - self.operators_us

    def kinds(self) -> list[Kind]:
        """The operators by provider and kind, the kind that takes longest first."""
        groups: dict[tuple[str, str], list[Operator]] = {}
        for operator in self.operators:
            groups.setdefault((operator.kind, operator.provider), []).append(operator)
        kinds = [
            Kind(
                *key,
                operators=tuple(sorted(same, key=lambda one: -one.us)),
                calls=sum(one.calls for one in same),
                us=sum(one.us for one in same),
                share=sum(one.share for one in same),
            )
            for key, same in groups.items()
        ]
        return sorted(kinds, key=lambda kind: -kind.us)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, with what can be derived."""
        derived = {"operators_us": self.operators_us, "rest_us": self.rest_us}
        return {**asdict(self), "operators": [asdict(one) for one in self.operators], **derived}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Method:
        """What `to_dict` gave."""
        return cls(
            name=value["name"],
            items=value["items"],
            operators=tuple(Operator(**operator) for operator in value["operators"]),
            method_us=value["method_us"],
            profiled_us=value["profiled_us"],
            record_us=value["record_us"],
        )


@dataclass(frozen=True)
class Profile:
    """Where an artifact's time goes.

    Attributes:
        target: "executorch", "onnx" or "tflite".
        runtime: its name and version.
        resolution_ns: the least time that an operator's record can show.
        methods: append, append_many, recommend.
        note: what the figures do and do not hold, in sentences.
    """

    target: str
    runtime: str
    resolution_ns: int
    methods: tuple[Method, ...]
    note: str

    def to_dict(self) -> dict[str, Any]:
        """As `glint-edge bench --json` prints it under `profile`."""
        return {**asdict(self), "methods": [method.to_dict() for method in self.methods]}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Profile:
        """What `to_dict` gave."""
        return cls(
            target=value["target"],
            runtime=value["runtime"],
            resolution_ns=value["resolution_ns"],
            methods=tuple(map(Method.from_dict, value["methods"])),
            note=value["note"],
        )


@dataclass(frozen=True)
class ProfileJob:
    """What the worker is asked.

    Attributes:
        target: an installed target's name.
        path: the artifact.
        config: the model's, as a dict.
        top_k: items that `recommend` must return.
        histories: item ids, oldest first; calls take them in turn.
        runs: recorded calls of each method.
        threads: CPU threads of the runtime, and CPUs of the process.
    """

    target: str
    path: str
    config: Mapping[str, Any]
    top_k: int
    histories: Sequence[Sequence[int]]
    runs: int
    threads: int


def profile(
    target: str,
    path: Path,
    config: Mapping[str, Any],
    top_k: int,
    histories: Sequence[Sequence[int]],
    *,
    runs: int = RUNS,
    threads: int = 1,
) -> Profile:
    """Profile an artifact in a new process, and wait for it (some ten seconds).

    A runtime that cannot be profiled is no error: the profile's `note` says why, and its methods
    have their time and no operators.

    Args:
        target: an installed target's name.
        path: the artifact.
        config: the model's, as a dict.
        top_k: items that `recommend` must return.
        histories: item ids, oldest first; a few of them are enough. Empty ones are left out.
        runs: recorded calls of each method.
        threads: CPU threads of the runtime.

    Raises:
        BundleError: there is no such file.
        RunnerError: the artifact was refused, or the process died; one sentence.
    """
    if not path.exists():
        raise BundleError(f"{path} does not exist; export it again")
    some = [list(map(int, history)) for history in histories if len(history)] or [[1]]
    job = ProfileJob(target, str(path.resolve()), config, top_k, some, runs, threads)
    with scratch() as folder:
        return Profile.from_dict(_run(job, folder))


def _run(job: ProfileJob, folder: Path) -> dict[str, Any]:
    what = f"the process that profiles {job.target}"
    done = wait_for(
        WORKER, what=what, folder=folder, seconds=TIMEOUT, error=RunnerError,
        stdin=json.dumps(asdict(job)), variables={**environment(), **preloading(fine_clock())},
    )  # fmt: skip
    result = read_result(done, folder / RESULT, what=what, error=RunnerError)
    if "error" in result:
        raise RunnerError(result["error"])
    return result
