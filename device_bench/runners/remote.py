"""The native program on another machine: copied there, run there, its results brought back.

What is the same for every machine with a POSIX shell is here; how to reach one is its `Host`, see
`device_bench.runners.ssh` and `device_bench.runners.adb`.
"""

from __future__ import annotations

import platform
import re
import shlex
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from device_bench.measure.job import Inputs, Job, Outcome
from device_bench.measure.machine import condition_warnings
from device_bench.native.build import PROGRAM, build
from device_bench.native.cross import build_aarch64
from device_bench.native.exchange import (
    INPUTS,
    OUTPUTS,
    RESULT,
    NativeResult,
    read_result,
    write_inputs,
)
from device_bench.runners.board import Board, biggest, board_warnings, mask
from device_bench.runners.native import arguments, checked, sample_of
from device_bench.runners.shell import Ended
from glint_edge.errors import RunnerError
from glint_edge.processes.child import how_it_ended

MACHINES = ("x86_64", "aarch64")
TIMEOUT = 1800.0  # seconds of a run
SHORT = 60.0  # seconds of anything else but copying
MOST_HISTORIES = 2000  # a board takes milliseconds for each
SPARE = 1 << 20  # bytes for what the run writes

# The folder of the program for a target and a machine; told what is being done.
Build: TypeAlias = Callable[[str, str, Callable[[str], None]], Path]


@dataclass(frozen=True)
class State:
    """A host at one moment.

    Attributes:
        board: what any Linux tells.
        more: what only this kind of host does; JSON values.
        warnings: what makes figures taken just now less trustworthy, a sentence each.
    """

    board: Board
    more: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {**self.board.to_dict(), **self.more}


class Host(Protocol):
    """A machine with a POSIX shell. Every method raises RunnerError, one sentence that names it.

    Attributes:
        name: as sentences call it.
        scratch: where its temporary folders go, as a word of its shell.
        kept: where `glint-edge device setup` leaves programs, as a word of its shell.
    """

    @property
    def name(self) -> str:
        """See above."""

    @property
    def scratch(self) -> str:
        """See above."""

    @property
    def kept(self) -> str:
        """See above."""

    def execute(self, script: str, timeout: float = SHORT) -> Ended:
        """Run a script in its shell. Its stdin stays open as long as the connection."""

    def put(self, files: Mapping[str, Path], folder: str) -> None:
        """Copy files and folders, by their new names, into a folder."""

    def get(self, names: Sequence[str], folder: str, to: Path) -> None:
        """Bring files of a folder back."""

    def state(self) -> State:
        """How it is now."""


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
        sample = sample_of(job, inputs)
        with tempfile.TemporaryDirectory(prefix="glint-edge-") as name:
            folder = Path(name)
            write_inputs(folder / INPUTS, sample, inputs.golden, inputs.histories)
            self._run(job, program, folder, cpus)
            found = read_result(folder, len(inputs.golden), len(inputs.histories))
        return self._outcome(checked(job, found), before, self.host.state(), cpus)

    def _run(self, job: Job, program: Path, folder: Path, cpus: Sequence[int]) -> None:
        """Leaves the results in the local folder."""
        artifact = Path(job.path)
        name = f"artifact{artifact.suffix}"
        files = {name: artifact, INPUTS: folder / INPUTS}
        with _place(self.host, program) as place:
            place.fill(files if place.kept else {**files, **_whole(program)})
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
        self, found: NativeResult, before: State, after: State, cpus: Sequence[int]
    ) -> Outcome:
        states = {"before": before.to_dict(), "after": after.to_dict(), "pinned_cpus": list(cpus)}
        warnings = [
            *found.warnings,
            *condition_warnings(before.board.conditions, after.board.conditions),
            *(w for state in (before, after) for w in board_warnings(state.board)),
            *before.warnings, *after.warnings,
        ]  # fmt: skip
        return replace(
            found,
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


@dataclass(frozen=True)
class _Place:
    """A folder on a host.

    Attributes:
        folder: its path there.
        free: bytes that it can take; None if the host does not say.
        kept: where `install` left the program; empty if it did not.
    """

    host: Host
    folder: str
    free: int | None
    kept: str

    def fill(self, files: Mapping[str, Path]) -> None:
        """Copy files and folders into it, if there is room."""
        needed = SPARE + sum(file.stat().st_size for path in files.values() for file in _all(path))
        if self.free is not None and needed > self.free:
            parent = self.folder.rpartition("/")[0]
            raise RunnerError(
                f"{self.host.name} has {self.free / 1e6:,.1f} MB free in {parent}, "
                f"{needed / 1e6:,.1f} MB are needed; free some"
            )
        self.host.put(files, self.folder)


@contextmanager
def _place(host: Host, program: Path) -> Iterator[_Place]:
    """A temporary folder there."""
    place = _made(host, f"mktemp -d {host.scratch}/glint-edge-XXXXXX", program)
    try:
        yield place
    finally:
        # Where the connection is gone the folder removes itself, see `watched`.
        with suppress(RunnerError):
            host.execute(f"rm -rf {shlex.quote(place.folder)}")


def _made(host: Host, make: str, program: Path) -> _Place:
    """The folder that a command makes and prints."""
    kept = f"{host.kept}/{shlex.quote(program.name)}"
    made = host.execute(f"""
d=$({make}) || exit 1
echo "$d"
df -Pk "$d" | tail -n 1
[ ! -x {kept}/{PROGRAM} ] || echo {kept}""")
    if made.code == 1 or not made.text:
        raise RunnerError(f"{host.name} has no place to work in: {made.last_line}")
    folder, space, *rest = [*made.text.splitlines(), ""]
    free = re.search(r"(\d+)\s+\d+%", space)
    return _Place(host, folder, int(free[1]) * 1024 if free else None, rest[0] if rest else "")


def install(host: Host, program: Path) -> str:
    """Leave a program on a host, so that runs need not copy it; returns its folder there.

    An older one of the same target is removed.
    """
    target, name = shlex.quote(program.name.split("-")[0]), shlex.quote(program.name)
    make = f"cd && mkdir -p {host.kept} && cd {host.kept} && rm -rf {target}-* new && mkdir new"
    place = _made(host, f"{make} && pwd", program)
    replace(place, folder=f"{place.folder}/new").fill(_whole(program))
    # Renamed when it is whole: a run takes what it finds.
    moved = host.execute(f"cd {shlex.quote(place.folder)} && mv new {name}")
    if moved.code:
        raise RunnerError(f"{host.name} cannot keep programs: {moved.last_line}")
    return f"{place.folder}/{program.name}"


def _whole(program: Path) -> dict[str, Path]:
    return {PROGRAM: program / PROGRAM, "lib": program / "lib"}


def _all(path: Path) -> list[Path]:
    """The file itself, or those in a folder."""
    return [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
