"""Where figures are measured, and whether other work ran: on a busy machine they are worth less."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from device_bench.measure.machine import machine
from glint_edge.files import write_json

BUSY = 15.0  # per cent of all CPUs


@contextmanager
def noting_other_work(result: dict[str, Any]) -> Iterator[None]:
    """Look at the CPUs for a second before and after; sets `busy` in the result."""
    before = psutil.cpu_percent(1.0)
    yield
    result["busy"] = max(before, psutil.cpu_percent(1.0)) > BUSY


def write_measured(path: Path | None, result: dict[str, Any]) -> None:
    """Write figures, where a path is said, with the machine that they are of."""
    if path is not None:
        write_json(path, {"machine": machine(), **result})
