"""Standard output, kept for the result: toolchains write to the process's, below Python."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_stdout() -> Iterator[None]:
    """What is written in the block goes to standard error."""
    stdout = os.dup(1)
    os.dup2(2, 1)
    yield
    os.dup2(stdout, 1)
