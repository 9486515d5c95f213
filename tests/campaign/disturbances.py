"""A process of its own that is disturbed at its n-th step: killed, signalled, or out of space.

A step is a call that changes the disk: a file opened for writing or flushed to the disk, a folder
made, a name changed or deleted, two folders exchanged.
"""

import errno
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
SIGNALS = {name: getattr(signal, name) for name in ("SIGKILL", "SIGTERM", "SIGHUP", "SIGINT")}
REFUSALS = ("ENOSPC", "EIO", "EROFS")
SECONDS = 60  # that a run may take; another's processes share the machine


@dataclass
class Disturbance:
    """What happens at a step; `at` None: nothing, and steps are counted.

    Attributes:
        kind: a signal of `SIGNALS`, or an error of `REFUSALS`, of this step and all after it.
        at: the step, from 0.
        below: only what happens below this folder is a step.
    """

    kind: str = ""
    at: int | None = None
    below: str = "/"
    steps: int = 0

    def begin(self):
        """From here on, in this process."""
        sys.addaudithook(self._audit)
        self._fsync, os.fsync = os.fsync, self._flush

    def _audit(self, event, arguments):
        if event == "ctypes.dlsym" and arguments[1] in ("renameat2", "renamex_np"):
            self._step("exchange", None)
        elif event in CHANGES or (event == "open" and (arguments[2] or 0) & WRITING):
            name = arguments[0]
            if isinstance(name, str | bytes | os.PathLike) and self._counts(os.fsdecode(name)):
                self._step(event, os.fsdecode(name))

    def _counts(self, name):
        return str(Path(name).absolute()).startswith(self.below)

    def _flush(self, file):
        self._step("fsync", None)
        self._fsync(file)

    def _step(self, event, name):
        number, self.steps = self.steps, self.steps + 1
        if self.at is None or number < self.at:
            return
        if self.kind in SIGNALS and number == self.at:
            os.kill(os.getpid(), SIGNALS[self.kind])
        elif self.kind in REFUSALS and event not in ("os.remove", "os.rmdir"):
            code = getattr(errno, self.kind)
            raise OSError(code, os.strerror(code), name)


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        code: its exit code; negative for a signal; None: it was too late.
        said: what it wrote to stdout and stderr.
        steps: it came to.
    """

    code: int | None
    said: str
    steps: int


def forked(function, folder, disturbance=None):
    """Run a function in a process forked off this one, its streams into a file, and wait."""
    said, steps = folder / "said.txt", folder / "steps.txt"
    steps.unlink(missing_ok=True)
    child = os.fork()
    if not child:
        os._exit(in_child(function, said, steps, disturbance))
    code = _wait(child)
    return Ended(
        code, said.read_text("utf-8", errors="replace"),
        int(steps.read_text()) if steps.exists() else 0,
    )  # fmt: skip


def in_child(function, said, steps=None, disturbance=None):
    """A function's exit code, as if it were a program; `said`: where its streams go."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(file, number)
        setattr(sys, name, open(number, "w", closefd=False))  # noqa: SIM115  # a descriptor
    sys.stdin = open(os.devnull)  # noqa: SIM115, PTH123  # the same
    code = 1
    try:
        if disturbance is not None:
            disturbance.begin()
        function()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # whatever it is, the parent is to see it
        traceback.print_exc()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError, ValueError):  # full, or closed
            stream.flush()
    if disturbance is not None:
        disturbance.at = None
        Path(steps).write_text(str(disturbance.steps))
    return code


def _wait(child):
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None
