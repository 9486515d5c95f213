"""How many threads a runtime may be told to start."""

from __future__ import annotations

import operator

from glint_edge.config import MOST_THREADS
from glint_edge.errors import ConfigError


def check_threads(threads: int) -> int:
    """A number of threads that a runtime can start.

    Raises:
        ConfigError: it is no whole number from 1 to `MOST_THREADS`.
    """
    whole = hasattr(threads, "__index__") and not isinstance(threads, bool)
    if not whole or not 1 <= operator.index(threads) <= MOST_THREADS:
        raise ConfigError(f"threads must be between 1 and {MOST_THREADS}, not {threads!r}")
    return operator.index(threads)
