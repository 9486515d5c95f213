"""The native program on this machine: the runtime without Python, as an app has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from device_bench.measure.job import Histories, Inputs, Job
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
from glint_edge.errors import ConfigError, RunnerError
from glint_edge.files import scratch
from glint_edge.model.state import state_size
from glint_edge.processes.child import how_it_ended, wait_for

# Histories whose states are timed, in turn. Fewer than in the Python worker: their states are
# memory of the process that is measured, and at d 128 each takes 18 kB.
SAMPLE = 8
TIMEOUT = 1800.0  # seconds; a run takes seconds, over very many histories minutes


@dataclass(frozen=True)
class NativeRunner:
    """See the module.

    Attributes:
        timeout: seconds until a run is killed.
    """

    name: str = "native"
    device: str = ""
    timed: bool = True
    most_histories: int | None = None
    timeout: float = TIMEOUT

    def prepare(self, target: str, on_step: Callable[[str], None]) -> None:
        """Build the program, once for each version of the runtime."""
        build(target, on_step=on_step)

    def run(self, job: Job, inputs: Inputs) -> NativeResult:
        """Run a job in a new process and wait for it.

        Raises:
            MissingExtraError: what the program is built with is not installed.
            RunnerError: it cannot be built, the artifact was refused, or the process died; one
                sentence.
        """
        program = build(job.target) / PROGRAM
        with exchange_of(job, inputs) as exchange:
            command = [str(program), *arguments(job, Path(job.path).resolve())]
            run_program(f"native {job.target}", command, exchange.folder, self.timeout)
            return exchange.result()


def open_runner(device: str) -> NativeRunner:
    """What the entry point names."""
    if device:
        raise ConfigError(f"the native runner takes no device, {device!r} was given")
    return NativeRunner()


def run_program(
    name: str,
    command: Sequence[str],
    folder: Path,
    timeout: float,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Start the native program, or what starts it, and wait until it has left its results.

    Args:
        name: of the process, such as "native executorch".
        command: the program and its arguments.
        folder: with its inputs; the results go there.
        timeout: seconds until it is killed.
        environment: its variables; None: this process's.

    Raises:
        RunnerError: it died or was stopped; one sentence.
    """
    what = f"the {name} process"
    done = wait_for(
        command, what=what, folder=folder, seconds=timeout, error=RunnerError,
        variables=environment,
    )  # fmt: skip
    if done.returncode not in (0, 2):
        raise RunnerError(how_it_ended(what, done.returncode, done.stderr))


@dataclass(frozen=True)
class Exchange:
    """A folder in which the program finds what it is run on, and leaves what comes of it.

    Attributes:
        folder: the program is started in it.
        job: what is run.
        sample: the few histories that are timed: their last items, no more than the model was
            trained on.
        inputs: what else it is run on.
    """

    folder: Path
    job: Job
    sample: Histories
    inputs: Inputs

    def result(self) -> NativeResult:
        """What the program left, once it has ended.

        Raises:
            RunnerError: it refused the artifact, which may be of another model.
        """
        result = read_result(self.folder, len(self.inputs.golden), len(self.inputs.histories))
        sizes = [result.golden_states.shape[1], result.lists.items.shape[1]]
        expected = [state_size(ModelConfig.from_dict(self.job.config)), self.job.top_k]
        if sizes != expected:
            raise RunnerError(
                f"{self.job.path} is of another model (its state and top-k are {sizes}, not "
                f"{expected}); export it again"
            )
        return result


@contextmanager
def exchange_of(job: Job, inputs: Inputs) -> Iterator[Exchange]:
    """A temporary folder with what the program reads."""
    longest, histories = job.config["max_length"], inputs.sample
    sample = Histories.of([histories[n][-longest:] for n in histories.spread(SAMPLE)])
    with scratch() as folder:
        write_inputs(folder / INPUTS, sample, inputs.golden, inputs.histories)
        yield Exchange(folder, job, sample, inputs)


def arguments(job: Job, artifact: Path | str) -> list[str]:
    """What follows the program's name; its files lie in the folder it is started in."""
    values = {
        "artifact": artifact,
        "inputs": INPUTS,
        "outputs": OUTPUTS,
        "result": RESULT,
        "window": job.window or 0,
        "cycle": job.cycle,
        "threads": job.threads,
        "timed": int(job.timed),
        "warmup": job.plan.warmup,
        "runs": job.plan.runs,
        "budget-ms": round(job.plan.budget_ms),
    }
    return [text for name, value in values.items() for text in (f"--{name}", str(value))]
