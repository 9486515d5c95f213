"""Artifacts run in turn, round after round (A B C A B C), each time in a process of its own.

A change of the machine then does not fall on one of them alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TypeVar

from device_bench.measure.job import Inputs, Job, Outcome
from device_bench.runners.runner import Runner
from glint_edge.durations import WORTH_TELLING, Durations, spoken
from glint_edge.errors import GlintEdgeError, RunnerError

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
        shape = "×".join(f"{self.job.config[side]}" for side in ("items", "d", "max_length"))
        calls = f"{self.job.plan.runs} calls, {self.job.threads} threads"
        which = "first" if first else "later"
        return f"{self.name} {self.runner.device}, {shape}, {calls}, {which} round"


E = TypeVar("E", bound=Entry)


def run_in_turn(
    entries: Sequence[E],
    rounds: int,
    on_step: Callable[[str], None],
    durations: Durations | None = None,
) -> Iterator[E]:
    """Run each once a round; one that failed, or whose times mean nothing, in no later round.

    Args:
        entries: to be run; one with a failure is not.
        rounds: at least 1 is run.
        on_step: told what is being done, and how long it will take.
        durations: of the last time; None: they are not asked, and not remembered.

    Yields:
        Each when it has an outcome more or has failed; in the first round every one.
    """
    turns = [
        (entry, round == 0)
        for round in range(max(rounds, 1))
        for entry in entries
        if round == 0 or (entry.runner.timed and not entry.failure)
    ]
    if durations is not None and turns:
        log.info("%s", _beforehand(turns, durations))
    for entry in entries:
        if not entry.failure:
            _prepare(entry, on_step)
    for number, (entry, first) in enumerate(turns):
        if not entry.failure:
            left = _left(turns[number:], durations)
            on_step(f"running {entry.name} ({number + 1} of {len(turns)}{left})")
            with durations.timed(entry.piece(first=first)) if durations else nullcontext():
                _run(entry, first=first)
        elif not first:
            continue
        yield entry


def _beforehand(turns: Sequence[tuple[Entry, bool]], durations: Durations) -> str:
    runs = f"{len(turns)} run{'' if len(turns) == 1 else 's'}"
    seconds = _seconds(turns, durations)
    if seconds is None:
        return f"{runs}; how long they take on this machine is known the next time"
    return f"{runs}, {spoken(seconds)}, by the last time on this machine"


def _left(turns: Sequence[tuple[Entry, bool]], durations: Durations | None) -> str:
    seconds = _seconds(turns, durations) if durations else None
    return f", {spoken(seconds)} left" if seconds and seconds >= WORTH_TELLING else ""


def _seconds(turns: Sequence[tuple[Entry, bool]], durations: Durations) -> float | None:
    return durations.forecast(
        [entry.piece(first=first) for entry, first in turns if not entry.failure]
    )


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
