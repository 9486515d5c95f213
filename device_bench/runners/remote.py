"""The native program on another machine: copied there, run there, its results brought back.

What is the same for every machine with a POSIX shell is here; how to reach one is its `Host`.
"""

from __future__ import annotations

import platform
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from device_bench.measure.job import Inputs, Job, Outcome
from device_bench.measure.machine import condition_warnings
from device_bench.native.build import PROGRAM, build
from device_bench.native.cross import build_aarch64
from device_bench.native.exchange import INPUTS, OUTPUTS, RESULT, NativeResult
from device_bench.runners.board import Board, biggest, board_warnings, mask
from device_bench.runners.host import Host, State, place_of, whole
from device_bench.runners.native import arguments, exchange_of
from glint_edge.errors import RunnerError
from glint_edge.processes.child import how_it_ended

MACHINES = ("x86_64", "aarch64")
TIMEOUT = 1800.0  # seconds of a run
MOST_HISTORIES = 2000  # a board takes milliseconds for each

# The folder of the program for a target and a machine; told what is being done.
Build: TypeAlias = Callable[[str, str, Callable[[str], None]], Path]


@dataclass(frozen=True)
class RemoteRunner:
    """A `Runner` on a host.

    Attributes:
        host: where.
        build: makes the program.
    """

    name: str
    device: str
    host: Host
    build: Build
    timed: bool = True
    most_histories: int | None = MOST_HISTORIES

    def prepare(self, target: str, on_step: Callable[[str], None]) -> None:
        """See that the host answers, and build the program for its machine."""
        on_step(f"asking {self.host.name}")
        self.build(target, supported(self.host, self.host.state().board), on_step)

    def run(self, job: Job, inputs: Inputs) -> Outcome:
        """Copy, run, bring back, remove."""
        before = self.host.state()
        program = self.build(job.target, supported(self.host, before.board), lambda step: None)
        cpus = biggest(before.board.cpus, job.threads)
        with exchange_of(job, inputs) as exchange:
            self._run(job, program, exchange.folder, cpus)
            result = exchange.result()
        return self._outcome(result, before, self.host.state(), cpus)

    def _run(self, job: Job, program: Path, folder: Path, cpus: Sequence[int]) -> None:
        """Leaves the results in the local folder."""
        artifact = Path(job.path)
        name = f"artifact{artifact.suffix}"
        files = {name: artifact, INPUTS: folder / INPUTS}
        with place_of(self.host, program) as place:
            place.fill(files if place.kept else {**files, **whole(program)})
            command = [*start(program, place.kept or "."), *arguments(job, name)]
            done = self.host.execute(watched(command, place.folder, cpus), TIMEOUT)
            if done.code not in (0, 2):
                # A shell gives 128 + n for signal n.
                code = 128 - done.code if 128 < done.code < 193 else done.code
                what = f"the {job.target} ({self.host.name}) process"
                raise RunnerError(how_it_ended(what, code, done.text))
            names = [RESULT, OUTPUTS] if done.code == 0 else [RESULT]
            self.host.get(names, place.folder, folder)

    def _outcome(
        self, result: NativeResult, before: State, after: State, cpus: Sequence[int]
    ) -> Outcome:
        states = {"before": before.to_dict(), "after": after.to_dict(), "pinned_cpus": list(cpus)}
        warnings = [
            *result.warnings,
            *condition_warnings(before.board.conditions, after.board.conditions),
            *(w for state in (before, after) for w in board_warnings(state.board)),
            *before.warnings, *after.warnings,
        ]  # fmt: skip
        return replace(
            result,
            device=states,
            warnings=tuple(dict.fromkeys(warnings)),
        )


def build_for(target: str, machine: str, on_step: Callable[[str], None]) -> Path:
    """The folder of the program for a machine, built unless it is in the cache.

    Raises:
        GlintEdgeError: it cannot be built here.
    """
    if machine == "aarch64":
        return build_aarch64(target, on_step)
    if machine != platform.machine():
        raise RunnerError(f"the native program for {machine} is built on such a machine alone")
    return build(target, on_step=on_step)


def supported(host: Host, board: Board) -> str:
    """The host's kind of processor.

    Raises:
        RunnerError: there is no native program for it.
    """
    if board.system.startswith("Linux") and board.machine in MACHINES:
        return board.machine
    system = board.system.split(" ")[0] or "an unknown system"
    raise RunnerError(
        f"{host.name} is {board.machine or 'of an unknown kind'} with {system}; the native program "
        f"is for Linux on {' or '.join(MACHINES)}, so a board may need a 64-bit system"
    )


def start(program: Path, folder: str) -> list[str]:
    """The command that starts a built program where it has been copied to.

    One that brings its own loader is started by it: a phone has none, a board maybe an older one.
    """
    loaders = [f"{folder}/lib/{file.name}" for file in program.glob("lib/ld-linux*.so.*")]
    own = [loaders[0], "--library-path", f"{folder}/lib"] if loaders else []
    return [*own, f"{folder}/{PROGRAM}"]


def watched(command: Sequence[str], folder: str, cpus: Sequence[int]) -> str:
    """A script that runs a command in a folder, on some CPUs if any are named.

    When nobody waits for it any more, its stdin ends; then the command is killed, and the folder
    removed. Nothing is left on a board that was unplugged from the network.
    """
    quoted, pin = shlex.quote(folder), f"taskset {mask(cpus)}" if cpus else ""
    return f"""
cd {quoted} && exec 3<&0 || exit 125
chmod 755 {PROGRAM} lib/ld-linux* 2>/dev/null
pin={shlex.quote(pin)}; $pin true 2>/dev/null || pin=
$pin {shlex.join(command)} >printed 2>&1 </dev/null 3<&- & run=$!
(
  trap 'kill $!; exit' TERM
  cat <&3 >/dev/null & wait $!
  kill -9 $run; cd /; rm -rf {quoted}
) >/dev/null 2>&1 & watch=$!
wait $run; code=$?
kill $watch; wait $watch
tail -n 1 printed
exit $code"""
