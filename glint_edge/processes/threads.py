"""How many threads a runtime may be told to start."""

from __future__ import annotations

import operator
import os

from glint_edge.errors import ConfigError


def most_threads() -> int:
    """Twice this machine's CPUs, or 16: runtimes wait for each of their threads in every call."""
    return max(16, 2 * (os.cpu_count() or 1))


def check_threads(threads: int) -> int:
    """A number of threads that a runtime can start and use here.

    Raises:
        ConfigError: it is no whole number from 1 to `most_threads`.
    """
    whole = hasattr(threads, "__index__") and not isinstance(threads, bool)
    if not whole or not 1 <= operator.index(threads) <= most_threads():
        raise ConfigError(
            f"threads must be between 1 and {most_threads()} on this machine, not {threads!r}"
        )
    return operator.index(threads)
