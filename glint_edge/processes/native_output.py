"""What native libraries print on their own, held back and kept."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

DESCRIPTORS = (1, 2)  # standard output and error

log = logging.getLogger("glint_edge.bench")


class Printed:
    """What was printed since a `held_back` block began."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def text(self) -> str:
        """All of it."""
        self._file.seek(0)
        return self._file.read().decode(errors="replace")

    def last_line(self) -> str:
        """The last line, without the `[file.cpp:123] ` that native logs begin with."""
        lines = self.text().strip().splitlines() or [""]
        return lines[-1].partition("] ")[2] if lines[-1].startswith("[") else lines[-1]


@contextmanager
def held_back(*, streams: bool) -> Iterator[Printed]:
    """Catch file descriptors 1 and 2: C++ knows nothing of `sys.stdout`.

    For short blocks, while no other thread prints. `--verbose` shows what was caught.

    Args:
        streams: catch `sys.stdout` and `sys.stderr` too, which some bindings print to. Not around
            imports: a log handler that a module makes there would keep the stream for good.
    """
    with tempfile.TemporaryFile(buffering=0) as file:
        printed = Printed(file)
        with _descriptors_on(file), contextlib.ExitStack() as stack:
            if streams:
                text = io.TextIOWrapper(file, "utf-8", errors="replace", write_through=True)
                stack.callback(text.detach)  # or it would close the file
                stack.enter_context(contextlib.redirect_stdout(text))
                stack.enter_context(contextlib.redirect_stderr(text))
            yield printed
        log.debug("%s", printed.text())


@contextmanager
def _descriptors_on(file: BinaryIO) -> Iterator[None]:
    _flush()
    saved = [os.dup(descriptor) for descriptor in DESCRIPTORS]
    try:
        for descriptor in DESCRIPTORS:
            os.dup2(file.fileno(), descriptor)
        yield
    finally:
        _flush()
        for descriptor, original in zip(DESCRIPTORS, saved, strict=True):
            os.dup2(original, descriptor)
            os.close(original)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
