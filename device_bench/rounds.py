"""Artifacts run in turn, round after round (A B C A B C), each time in a process of its own.

A change of the machine then does not fall on one of them alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from device_bench.measure.job import Inputs, Job, Outcome
from device_bench.runners.runner import Runner
from glint_edge.errors import GlintEdgeError, RunnerError


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


E = TypeVar("E", bound=Entry)


def run_in_turn(entries: Sequence[E], rounds: int, on_step: Callable[[str], None]) -> Iterator[E]:
    """Run each once a round; one that failed, or whose times mean nothing, in no later round.

    Args:
        entries: to be run; one with a failure is not.
        rounds: at least 1 is run.
        on_step: told what is being done.

    Yields:
        Each when it has an outcome more or has failed; in the first round every one.
    """
    for entry in entries:
        if not entry.failure:
            _prepare(entry, on_step)
    for round in range(max(rounds, 1)):
        again = f", round {round + 1} of {rounds}" if rounds > 1 else ""
        for number, entry in enumerate(entries, 1):
            if not entry.failure and (round == 0 or entry.runner.timed):
                on_step(f"running {entry.name} ({number} of {len(entries)}{again})")
                _run(entry, first=round == 0)
            elif round > 0:
                continue
            yield entry


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
