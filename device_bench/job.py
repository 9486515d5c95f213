"""One artifact's run in a process of its own, seen from the process that asks for it.

    stdin          the job as JSON
    inputs.npz     histories, golden histories and the sample that is timed
    outputs.npz    top-k lists of the histories; states and lists of the golden histories
    result.json    times and sizes, or {"error": one line}

Results come in files: runtimes print to stdout and stderr as they like.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from device_bench.latency import RUNS, WARMUP, Latency
from glint_edge.errors import RunnerError

INPUTS, OUTPUTS, RESULT = "inputs.npz", "outputs.npz", "result.json"
WORKER = (sys.executable, "-m", "device_bench.worker")
SAMPLE = 32  # histories whose states are timed, in turn

Ids: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Job:
    """What a worker is asked to run.

    Attributes:
        target: an installed target's name, or "torch".
        path: the artifact.
        config: the model's, as a dict.
        top_k: items that `recommend` must return.
        window: items of a history that are replayed, its last; None: all.
        threads: CPU threads of the runtime, and CPUs of the process.
        timed: False runs the histories only.
        warmup: untimed calls of each method.
        runs: timed calls of each method.
    """

    target: str
    path: str
    config: Mapping[str, Any]
    top_k: int
    window: int | None
    threads: int = 1
    timed: bool = True
    warmup: int = WARMUP
    runs: int = RUNS


@dataclass(frozen=True, eq=False)
class Histories:
    """Many histories as one array: history u is `ids[offsets[u]:offsets[u + 1]]`."""

    ids: Ids
    offsets: Ids

    @classmethod
    def of(cls, histories: Sequence[Sequence[int]]) -> Histories:
        """From lists of item ids."""
        ids = [item for history in histories for item in history]
        ends = np.cumsum([0, *map(len, histories)], dtype=np.int64)
        return cls(np.array(ids, dtype=np.int64), ends)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, number: int) -> list[int]:
        ids: list[int] = self.ids[self.offsets[number] : self.offsets[number + 1]].tolist()
        return ids

    def spread(self, count: int) -> Ids:
        """Numbers of at most `count` histories, evenly spread."""
        return np.unique(np.linspace(0, len(self) - 1, min(count, len(self))).astype(np.int64))


@dataclass(frozen=True, eq=False)
class TopK:
    """Lists that `recommend` gave: items int64 [U, k], best first, and scores float32 [U, k]."""

    items: Ids
    scores: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a worker brought back.

    Attributes:
        lists: of the histories.
        golden_states: float32 [G, S], after the golden histories, item by item.
        golden_cold_states: the same by `append_many`.
        golden: their lists.
        append: None if it was not timed.
        recommend: as `append`.
        cold_start: by the history's length; empty if it was not timed.
        load_ms: from the file to callable methods, imports not included; the median of a few.
        peak_memory_bytes: of the whole process until it had loaded the artifact and run it;
            None where the system does not tell.
        memory_added_bytes: how much of it came after the runtime was imported.
        threads: as the runtime itself counts them.
    """

    lists: TopK
    golden_states: npt.NDArray[np.float32]
    golden_cold_states: npt.NDArray[np.float32]
    golden: TopK
    append: Latency | None
    recommend: Latency | None
    cold_start: Mapping[str, Latency]
    load_ms: float
    peak_memory_bytes: int | None
    memory_added_bytes: int | None
    threads: int


def run_job(job: Job, histories: Histories, golden: Histories) -> Outcome:
    """Run a job in a new process and wait for it.

    Args:
        job: what to run.
        histories: each gets its top-k list; may be none.
        golden: each gets its state and list too.

    Raises:
        RunnerError: the artifact was refused, or the process died; one sentence.
    """
    with tempfile.TemporaryDirectory(prefix="glint-edge-") as name:
        folder = Path(name)
        sample = _sample(histories if len(histories) else golden)
        np.savez(
            folder / INPUTS,
            ids=histories.ids, offsets=histories.offsets,
            golden_ids=golden.ids, golden_offsets=golden.offsets,
            sample_ids=sample.ids, sample_offsets=sample.offsets,
        )  # fmt: skip
        done = subprocess.run(
            WORKER,
            input=json.dumps(asdict(job)),
            cwd=folder,
            env=_environment(),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        return _outcome(folder, _result(job, folder, done))


def _sample(histories: Histories) -> Histories:
    """A few that hold an item; one of one item if there is none."""
    some = [history for n in histories.spread(SAMPLE) if (history := histories[n])]
    return Histories.of(some or [[1]])


def _environment() -> dict[str, str]:
    """The worker finds the modules that this process finds, as multiprocessing's spawn has it."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(str(Path(p).resolve()) for p in sys.path)}


def _result(job: Job, folder: Path, done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    if done.returncode < 0:
        raise RunnerError(f"the {job.target} process died with signal {_signal(-done.returncode)}")
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


def _signal(number: int) -> str:
    try:
        return f"{number} ({signal.Signals(number).name})"
    except ValueError:
        return str(number)  # a real-time signal has no name


def _outcome(folder: Path, result: dict[str, Any]) -> Outcome:
    latencies = {
        name: None if result[name] is None else Latency(**result[name])
        for name in ("append", "recommend")
    }
    cold_start = {n: Latency(**times) for n, times in result["cold_start"].items()}
    with np.load(folder / OUTPUTS) as arrays:
        return Outcome(
            lists=TopK(arrays["items"], arrays["scores"]),
            golden_states=arrays["golden_states"],
            golden_cold_states=arrays["golden_cold_states"],
            golden=TopK(arrays["golden_items"], arrays["golden_scores"]),
            **{**result, **latencies, "cold_start": cold_start},
        )
