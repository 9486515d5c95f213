"""A command's streams: what they cannot hold is escaped, and a reader that leaves is no error."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console

from glint_edge.processes.native_output import command_line

BROKEN_PIPE = 128 + 13  # the exit code of a program that SIGPIPE ends
PLAINER = "glint_edge.plainer"  # how a stream writes what its encoding lacks
# What tables and messages are drawn with, as any encoding has it.
PLAIN = str.maketrans({
    "…": "...", "–": "-", "−": "-", "·": "-", "±": "+-", "×": "x", "µ": "u", "✓": "+", "✗": "x",
    "★": "*", "→": "->", "“": '"', "”": '"', "’": "'",
})  # fmt: skip


def _plainer(error: UnicodeError) -> tuple[str | bytes, int]:
    """Letters of ours by their likes; all others escaped, as Python escapes them."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end].translate(PLAIN)
    return letters.encode("ascii", "backslashreplace").decode("ascii"), error.end


codecs.register_error(PLAINER, _plainer)


def reader_left(console: Console) -> NoReturn:
    """End the program without a word: whoever reads it has enough, as `head` has."""
    # What Python itself still has to write at its end must not fail either.
    os.dup2(os.open(os.devnull, os.O_WRONLY), console.file.fileno())
    raise SystemExit(BROKEN_PIPE)


@contextmanager
def command_streams() -> Iterator[None]:
    """While a command runs: its streams take any text, and native libraries are held back."""
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # as cp1252 has no check mark, and none a lone surrogate
            stream.reconfigure(errors=PLAINER)
    before = Console.on_broken_pipe
    Console.on_broken_pipe = reader_left  # type: ignore[method-assign, assignment]  # typer's console, too
    try:
        with command_line():
            yield
    finally:
        Console.on_broken_pipe = before  # type: ignore[method-assign]  # as it was


def _open_what_is_closed() -> None:
    """A file that is opened next would take a closed stream's number, and what is printed there."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
