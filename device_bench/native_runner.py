"""Runs an artifact in the native program, on this machine."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from device_bench.job import Histories, Job
from device_bench.native.build import PROGRAM, build
from device_bench.native.exchange import (
    INPUTS,
    OUTPUTS,
    RESULT,
    NativeResult,
    read_result,
    write_inputs,
)
from glint_edge.config import ModelConfig
from glint_edge.errors import RunnerError
from glint_edge.stream import state_size

# Histories whose states are timed, in turn. Fewer than in the Python worker: their states are
# memory of the process that is measured, and at d 128 each takes 18 kB.
SAMPLE = 8
BUDGET_MS = 10_000  # of a series of timed calls
TIMEOUT = 1800.0  # seconds


def run(
    job: Job,
    histories: Histories,
    golden: Histories,
    *,
    timeout: float = TIMEOUT,
    on_step: Callable[[str], None] = lambda step: None,
) -> NativeResult:
    """Run a job in a new process of the native program and wait for it.

    Args:
        job: what to run.
        histories: each gets its top-k list; may be none.
        golden: each gets its states and list too.
        timeout: seconds until the process is killed.
        on_step: told what is being done, if it takes time.

    Raises:
        MissingExtraError: what the runner is built with is not installed.
        RunnerError: it cannot be built, the artifact was refused, or the process died; one
            sentence.
    """
    program = build(job.target, on_step=on_step) / PROGRAM
    with tempfile.TemporaryDirectory(prefix="glint-edge-") as name:
        folder = Path(name)
        write_inputs(folder / INPUTS, sample_of(job, histories, golden), golden, histories)
        try:
            done = subprocess.run(
                [str(program), *arguments(job, Path(job.path).resolve())],
                cwd=folder,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise RunnerError(
                f"the native {job.target} process did not end within {timeout:g} s and was killed"
            ) from error
        if done.returncode not in (0, 2):
            raise ended(f"native {job.target}", done.returncode, done.stderr)
        return checked(job, read_result(folder, len(golden), len(histories)))


def sample_of(job: Job, histories: Histories, golden: Histories) -> Histories:
    """The few that are timed: their last items, no more than the model was trained on."""
    source = histories if len(histories) else golden
    longest = job.config["max_length"]
    some = [history[-longest:] for n in source.spread(SAMPLE) if (history := source[n])]
    return Histories.of(some or [[1]])


def arguments(job: Job, artifact: Path | str) -> list[str]:
    """What follows the program's name; its files lie in the folder it is started in."""
    values = {
        "artifact": artifact,
        "inputs": INPUTS,
        "outputs": OUTPUTS,
        "result": RESULT,
        "window": job.window or 0,
        "threads": job.threads,
        "timed": int(job.timed),
        "warmup": job.warmup,
        "runs": job.runs,
        "budget-ms": BUDGET_MS,
    }
    return [text for name, value in values.items() for text in (f"--{name}", str(value))]


def checked(job: Job, result: NativeResult) -> NativeResult:
    """The same, if it is of the model that was asked for.

    Raises:
        RunnerError: its state or its lists have another size.
    """
    found = [result.golden_states.shape[1], result.lists.items.shape[1]]
    expected = [state_size(ModelConfig.from_dict(job.config)), job.top_k]
    if found != expected:
        raise RunnerError(
            f"{job.path} is of another model (its state and top-k are {found}, not {expected}); "
            "export it again"
        )
    return result


def ended(name: str, code: int, stderr: str) -> RunnerError:
    """Why a process ended that left no result.

    Args:
        name: of the process, such as "native executorch".
        code: as `subprocess` has it, negative for a signal.
        stderr: what it printed.
    """
    if code < 0:
        return RunnerError(f"the {name} process died with signal {_signal(-code)}")
    last = (stderr.strip().splitlines() or ["it printed nothing"])[-1]
    return RunnerError(f"the {name} process ended with exit code {code} and no result: {last}")


def _signal(number: int) -> str:
    try:
        return f"{number} ({signal.Signals(number).name})"
    except ValueError:
        return str(number)  # a real-time signal has no name
