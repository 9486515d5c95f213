"""Artifacts run in turn, round after round (A B C A B C), each time in a process of its own.

A change of the machine then does not fall on one of them alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

from device_bench.measure.job import Inputs, Job, Outcome
from device_bench.runners.runner import Runner
from glint_edge.durations import WORTH_TELLING, Durations, spoken
from glint_edge.errors import GlintEdgeError, RunnerError
from glint_edge.tables import counted

log = logging.getLogger("glint_edge.bench")


@dataclass(kw_only=True)
class Entry:
    """An artifact on a runner, and what came of it.

    Attributes:
        name: for people.
        runner: where it is run.
        job: what is done there, in each round.
        inputs: of the first round; the later ones take the sample of them alone.
        failure: why it is not run, or not again; empty: nothing failed.
        outcomes: one a round; none of one that failed.
    """

    name: str
    runner: Runner
    job: Job
    inputs: Callable[[], Inputs]
    failure: str = ""
    outcomes: list[Outcome] = field(default_factory=list)

    def fail(self, error: GlintEdgeError) -> None:
        """It is run no more, and what it gave before does not count."""
        self.failure = str(error)
        self.outcomes.clear()

    def piece(self, *, first: bool) -> str:
        """Of work, by which it is remembered how long a run of it takes."""
        job = self.job
        name = f"{self.name} {self.runner.device}"
        return piece_of(name, job.config, job.plan.runs, job.threads, first=first)


def piece_of(name: str, config: Mapping[str, Any], calls: int, threads: int, *, first: bool) -> str:
    """What a run is remembered by: an artifact and its device, a model's shape, what is asked."""
    shape = "×".join(f"{config[side]}" for side in ("items", "d", "max_length"))
    which = "first" if first else "later"
    return f"{name}, {shape}, {calls} calls, {threads} threads, {which} round"


@dataclass(frozen=True)
class Beside:
    """What is run in one command before and after some rounds.

    Attributes:
        before: runs.
        after: pieces of work, should none fail.
    """

    before: int = 0
    after: Sequence[str] = ()


ALONE = Beside()
E = TypeVar("E", bound=Entry)


def run_in_turn(
    entries: Sequence[E],
    rounds: int,
    on_step: Callable[[str], None],
    durations: Durations | None = None,
    beside: Beside = ALONE,
) -> Iterator[E]:
    """Run each once a round; one that failed, or whose times mean nothing, in no later round.

    Args:
        entries: to be run; one with a failure is not.
        rounds: at least 1 is run.
        on_step: told what is being done, and how long it will take.
        durations: of the last time; None: they are not asked, and not remembered.
        beside: what else is counted, and stands in the forecast.

    Yields:
        Each when it has an outcome more or has failed; in the first round every one.
    """
    turns = [
        (entry, round == 0)
        for round in range(max(rounds, 1))
        for entry in entries
        if round == 0 or (entry.runner.timed and not entry.failure)
    ]
    total = beside.before + len(turns) + len(beside.after)
    if durations is not None and turns and not beside.before:
        seconds = durations.forecast([*_pieces(turns), *beside.after])
        log.info("%s", _beforehand(total, seconds))
    for entry in entries:
        if not entry.failure:
            _prepare(entry, on_step)
    for number, (entry, first) in enumerate(turns):
        if not entry.failure:
            pieces = [*_pieces(turns[number:]), *beside.after]
            left = _left(durations.forecast(pieces) if durations else None)
            on_step(f"running {entry.name} ({beside.before + number + 1} of {total}{left})")
            with durations.timed(entry.piece(first=first)) if durations else nullcontext():
                _run(entry, first=first)
        elif not first:
            continue
        yield entry


def _beforehand(total: int, seconds: float | None) -> str:
    runs = counted(total, "runs")
    if seconds is None:
        return f"{runs}; how long they take on this machine is known the next time"
    return f"{runs}, {spoken(seconds)}, by the last time on this machine"


def _left(seconds: float | None) -> str:
    return f", {spoken(seconds)} left" if seconds and seconds >= WORTH_TELLING else ""


def _pieces(turns: Sequence[tuple[Entry, bool]]) -> list[str]:
    return [entry.piece(first=first) for entry, first in turns if not entry.failure]


def _prepare(entry: Entry, on_step: Callable[[str], None]) -> None:
    try:
        entry.runner.prepare(entry.job.target, on_step)
    except GlintEdgeError as error:
        entry.fail(error)


def _run(entry: Entry, *, first: bool) -> None:
    inputs = entry.inputs()
    try:
        outcome = entry.runner.run(entry.job, inputs if first else inputs.timing_only())
    except RunnerError as error:
        entry.fail(error)
    else:
        entry.outcomes.append(outcome)
