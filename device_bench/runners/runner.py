"""Runners: where an artifact runs, and how the installed ones are found.

A runner is made by a function behind an entry point of the group `glint_edge.runners`, so any
package can bring one. It is given what stands after the colon of `--runner NAME:DEVICE`.

    [project.entry-points."glint_edge.runners"]
    my-board = "my_package.my_module:open_runner"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Protocol

from device_bench.measure.job import Inputs, Job, Outcome
from glint_edge.errors import ConfigError
from glint_edge.extras import brought, usable
from glint_edge.suggestions import one_of

GROUP = "glint_edge.runners"


class Runner(Protocol):
    """Somewhere an artifact can be run. Each run is a process of its own: it may crash or leak."""

    @property
    def name(self) -> str:
        """Of the entry point, such as "python" or "native"."""

    @property
    def device(self) -> str:
        """Which one, as the user named it; empty where there is only one."""

    @property
    def timed(self) -> bool:
        """Its times mean something; an emulator's do not."""

    @property
    def most_histories(self) -> int | None:
        """How many it can run in reasonable time; None: any number."""

    def prepare(self, target: str, on_step: Callable[[str], None]) -> None:
        """Make what running such artifacts takes, before anything is timed.

        Raises:
            GlintEdgeError: it cannot, and what to do about it, in one line.
        """

    def run(self, job: Job, inputs: Inputs) -> Outcome:
        """Run a job and wait for it.

        Raises:
            RunnerError: the artifact was refused, or the process died; one sentence.
        """


@cache
def runners() -> Mapping[str, Callable[[str], Runner]]:
    """What makes each installed runner, by name; nothing heavy is imported."""
    return usable(GROUP)


def find_runner(named: str) -> Runner:
    """The runner of `NAME` or `NAME:DEVICE`.

    Raises:
        ConfigError: it is unknown, or there can be no such device.
    """
    name, _, device = named.partition(":")
    if name not in runners():
        why = brought(GROUP).broken.get(name)
        what = f"cannot be used ({why})" if why else "is unknown"
        raise ConfigError(f"runner {name!r} {what}; {one_of(name, runners())}")
    return runners()[name](device)
