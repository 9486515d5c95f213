"""The runtime's Python bindings on this machine, in a process of their own.

    stdin          the job as JSON
    inputs.npz     the histories
    outputs.npz    top-k lists of the histories; states and lists of the golden histories
    result.json    samples and sizes, or {"error": one line}

Results come in files: runtimes print to stdout and stderr as they like.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device_bench.job import Inputs, Job, Outcome, TopK
from device_bench.runtimes import require_runtime
from glint_edge.errors import ConfigError, RunnerError

INPUTS, OUTPUTS, RESULT = "inputs.npz", "outputs.npz", "result.json"
WORKER = (sys.executable, "-m", "device_bench.worker")
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
        with tempfile.TemporaryDirectory(prefix="glint-edge-") as name:
            folder = Path(name)
            np.savez(
                folder / INPUTS,
                **{
                    f"{group}_{part}": getattr(getattr(inputs, group), part)
                    for group in ("sample", "golden", "histories")
                    for part in ("ids", "offsets")
                },
            )  # fmt: skip
            done = _worker(job, folder)
            return _outcome(folder, _result(job, folder, done))


def open_runner(device: str) -> PythonRunner:
    """What the entry point names."""
    if device:
        raise ConfigError(f"the python runner takes no device, {device!r} was given")
    return PythonRunner()


def _worker(job: Job, folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            WORKER,
            input=json.dumps(asdict(job)),
            cwd=folder,
            env=_environment(),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired as error:
        raise RunnerError(
            f"the {job.target} process did not end within {TIMEOUT // 60} minutes; it was stopped"
        ) from error


def _environment() -> dict[str, str]:
    """The worker finds the modules that this process finds, as multiprocessing's spawn has it."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(str(Path(p).resolve()) for p in sys.path)}


def _result(job: Job, folder: Path, done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    if done.returncode < 0:
        raise RunnerError(
            f"the {job.target} process died with signal {signal_name(-done.returncode)}"
        )
    try:
        result: dict[str, Any] = json.loads((folder / RESULT).read_bytes())
    except (FileNotFoundError, ValueError) as error:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise RunnerError(
            f"the {job.target} process ended with exit code {done.returncode} and no result: {last}"
        ) from error
    if "error" in result:
        raise RunnerError(result["error"])
    return result


def signal_name(number: int) -> str:
    """A signal as in "9 (SIGKILL)"."""
    try:
        return f"{number} ({signal.Signals(number).name})"
    except ValueError:
        return str(number)  # a real-time signal has no name


def _outcome(folder: Path, result: dict[str, Any]) -> Outcome:
    times = {name: np.array(calls, np.float64) for name, calls in result.pop("samples_ns").items()}
    calibration = np.array(result.pop("calibration_ns"), np.float64)
    with np.load(folder / OUTPUTS) as arrays:
        return Outcome(
            lists=TopK(arrays["items"], arrays["scores"]),
            golden_states=arrays["golden_states"],
            golden_cold_states=arrays["golden_cold_states"],
            golden=TopK(arrays["golden_items"], arrays["golden_scores"]),
            samples_ns=times,
            calibration_ns=calibration,
            load_ms=tuple(result.pop("load_ms")),
            warnings=tuple(result.pop("warnings")),
            **result,
        )
