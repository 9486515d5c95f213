"""A machine with a POSIX shell, its state, and folders on it.

How one is reached is in `device_bench.runners.ssh` and `device_bench.runners.adb`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from device_bench.native.build import PROGRAM
from device_bench.runners.board import Board
from device_bench.runners.shell import Ended
from glint_edge.errors import RunnerError

SHORT = 60.0  # seconds of anything but runs and copying
SPARE = 1 << 20  # bytes for what the run writes


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
class Place:
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
def place_of(host: Host, program: Path) -> Iterator[Place]:
    """A temporary folder there, for a run of a program."""
    place = _made(host, f"mktemp -d {host.scratch}/glint-edge-XXXXXX", program)
    try:
        yield place
    finally:
        # Where the connection is gone the folder removes itself, see `watched`.
        with suppress(RunnerError):
            host.execute(f"rm -rf {shlex.quote(place.folder)}")


def _made(host: Host, make: str, program: Path) -> Place:
    """The folder that a command makes and prints."""
    kept = f"{host.kept}/{shlex.quote(program.name)}"
    reply = host.execute(f"""
d=$({make}) || exit 1
echo "$d"
df -Pk "$d" | tail -n 1
[ ! -x {kept}/{PROGRAM} ] || echo {kept}""")
    if reply.code == 1 or not reply.text:
        raise RunnerError(f"{host.name} has no place to work in: {reply.last_line}")
    folder, space, *rest = [*reply.text.splitlines(), ""]
    free = re.search(r"(\d+)\s+\d+%", space)
    return Place(host, folder, int(free[1]) * 1024 if free else None, rest[0] if rest else "")


def install(host: Host, program: Path) -> str:
    """Leave a program on a host, so that runs need not copy it; returns its folder there.

    An older one of the same target is removed.
    """
    target, name = shlex.quote(program.name.split("-")[0]), shlex.quote(program.name)
    make = f"cd && mkdir -p {host.kept} && cd {host.kept} && rm -rf {target}-* new && mkdir new"
    place = _made(host, f"{make} && pwd", program)
    replace(place, folder=f"{place.folder}/new").fill(whole(program))
    # Renamed when it is whole: a run takes what it finds.
    moved = host.execute(f"cd {shlex.quote(place.folder)} && mv new {name}")
    if moved.code:
        raise RunnerError(f"{host.name} cannot keep programs: {moved.last_line}")
    return f"{place.folder}/{program.name}"


def whole(program: Path) -> dict[str, Path]:
    """The files of a built program, by their names there."""
    return {PROGRAM: program / PROGRAM, "lib": program / "lib"}


def _all(path: Path) -> list[Path]:
    """The file itself, or those in a folder."""
    return [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
