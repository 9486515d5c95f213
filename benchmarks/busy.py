"""Whether other work ran beside what is timed, so that its figures are not taken for good ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

BUSY = 15.0  # per cent of all CPUs


@contextmanager
def noting_other_work(result: dict[str, Any]) -> Iterator[None]:
    """Look at the CPUs for a second before and after; sets `busy` in the result."""
    before = psutil.cpu_percent(1.0)
    yield
    result["busy"] = max(before, psutil.cpu_percent(1.0)) > BUSY
