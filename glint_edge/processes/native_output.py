"""What native libraries print on their own, held back and kept, in a command line alone.

A file descriptor is the whole process': to catch what C++ prints is to swallow what every other
thread prints meanwhile. A command line has no other threads that print; an application may have.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

DESCRIPTORS = (1, 2)  # standard output and error

log = logging.getLogger("glint_edge.bench")

_commands = 0  # command lines that run in this process


class Printed:
    """What was printed since a `held_back` block began; nothing, where nothing is held back."""

    def __init__(self, file: BinaryIO | None) -> None:
        self._file = file

    def text(self) -> str:
        """All of it."""
        if self._file is None:
            return ""
        self._file.seek(0)
        return self._file.read().decode(errors="replace")

    def last_line(self) -> str:
        """The last line, without the `[file.cpp:123] ` that native logs begin with."""
        lines = self.text().strip().splitlines() or [""]
        return lines[-1].partition("] ")[2] if lines[-1].startswith("[") else lines[-1]


@contextmanager
def command_line() -> Iterator[None]:
    """This process is a command's: `held_back` holds back, in this block alone."""
    global _commands  # the descriptors are the process', too
    _commands += 1
    try:
        yield
    finally:
        _commands -= 1


@contextmanager
def held_back(*, streams: bool) -> Iterator[Printed]:
    """In a command line, catch file descriptors 1 and 2: C++ knows nothing of `sys.stdout`.

    For short blocks. `--verbose` shows what was caught. Where there is no place for it to be kept,
    nothing is caught.

    Args:
        streams: catch `sys.stdout` and `sys.stderr` too, which some bindings print to. Not around
            imports: a log handler that a module makes there would keep the stream for good.
    """
    file = _place() if _commands else None
    if file is None:
        yield Printed(None)
        return
    with file:
        printed = Printed(file)
        with _descriptors_on(file), contextlib.ExitStack() as stack:
            if streams:
                text = io.TextIOWrapper(file, "utf-8", errors="replace", write_through=True)
                stack.callback(text.detach)  # or it would close the file
                stack.enter_context(contextlib.redirect_stdout(text))
                stack.enter_context(contextlib.redirect_stderr(text))
            yield printed
        log.debug("%s", printed.text())


def _place() -> BinaryIO | None:
    """A file that nobody sees; None where no temporary folder can be written to."""
    try:
        return tempfile.TemporaryFile(buffering=0)
    except OSError:
        return None


@contextmanager
def _descriptors_on(file: BinaryIO) -> Iterator[None]:
    _flush()
    saved = {descriptor: os.dup(descriptor) for descriptor in DESCRIPTORS if _is_open(descriptor)}
    try:
        for descriptor in saved:
            os.dup2(file.fileno(), descriptor)
        yield
    finally:
        _flush()
        for descriptor, original in saved.items():
            os.dup2(original, descriptor)
            os.close(original)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # None where the process was started without; closed, or its reader gone: not ours to tell.
        with suppress(OSError, ValueError):
            if stream is not None:
                stream.flush()
