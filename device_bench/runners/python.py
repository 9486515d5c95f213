"""The runtime's Python bindings on this machine, in a process of their own.

    stdin          the job as JSON
    inputs.npz     the histories
    filtered.json  golden lists with filters, if they are to be replayed
    outputs.npz    top-k lists of the histories; states and lists of the golden histories
    result.json    samples and sizes, or {"error": one line}

Results come in files: runtimes print to stdout and stderr as they like.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device_bench.measure.job import (
    FILTERED,
    INPUTS,
    OUTPUTS,
    RESULT,
    Inputs,
    Job,
    Outcome,
    TopK,
    by_method,
)
from device_bench.measure.runtimes import require_runtime
from glint_edge.errors import ConfigError, RunnerError
from glint_edge.files import scratch
from glint_edge.processes.child import environment, read_result, wait_for

WORKER = (sys.executable, "-m", "device_bench.measure.worker")
TIMEOUT = 1800  # seconds; a run takes seconds, over very many histories minutes


@dataclass(frozen=True)
class PythonRunner:
    """See the module."""

    name: str = "python"
    device: str = ""
    timed: bool = True
    most_histories: int | None = None

    def prepare(self, target: str, on_step: Callable[[str], None]) -> None:
        """Nothing but the runtime's package is needed."""
        require_runtime(target)

    def run(self, job: Job, inputs: Inputs) -> Outcome:
        """Run a job in a new process and wait for it."""
        with scratch() as folder:
            np.savez(
                folder / INPUTS,
                **{
                    f"{group}_{part}": getattr(getattr(inputs, group), part)
                    for group in ("sample", "golden", "histories")
                    for part in ("ids", "offsets")
                },
            )  # fmt: skip
            if inputs.filtered is not None:
                (folder / FILTERED).write_text(json.dumps(inputs.filtered.to_dict()), "utf-8")
            return _outcome(folder, _result(job, folder))


def open_runner(device: str) -> PythonRunner:
    """What the entry point names."""
    if device:
        raise ConfigError(f"the python runner takes no device, {device!r} was given")
    return PythonRunner()


def _result(job: Job, folder: Path) -> dict[str, Any]:
    what = f"the {job.target} process"
    done = wait_for(
        WORKER, what=what, folder=folder, seconds=TIMEOUT, error=RunnerError,
        stdin=json.dumps(asdict(job)), variables=environment(),
    )  # fmt: skip
    result = read_result(done, folder / RESULT, what=what, error=RunnerError)
    if "error" in result:
        raise RunnerError(result["error"])
    return result


def _outcome(folder: Path, result: dict[str, Any]) -> Outcome:
    with np.load(folder / OUTPUTS) as arrays:
        return Outcome(
            lists=TopK(arrays["items"], arrays["scores"]),
            golden_states=arrays["golden_states"],
            golden_cold_states=arrays["golden_cold_states"],
            golden=TopK(arrays["golden_items"], arrays["golden_scores"]),
            samples_ns=by_method(result.pop("samples_ns")),
            calibration_ns=by_method(result.pop("calibration_ns")),
            load_ms=tuple(result.pop("load_ms")),
            warnings=tuple(result.pop("warnings")),
            filtered_failures=tuple(result.pop("filtered_failures")),
            **result,
        )
