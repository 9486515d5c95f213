"""Nanoseconds from profilers that count whole microseconds, by a faster clock in their process.

XNNPACK times its operators in whole microseconds, rounded down, and most of a stream's take less
than one: each would read 0. A library of a few lines, preloaded into the profiled process alone,
lets the clock run a thousand times faster there, so a microsecond of the profiler is a nanosecond.
It takes Linux and a C compiler; without them the profile is coarser and says so.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

from glint_edge.errors import InUseError
from glint_edge.files import cache_folder
from glint_edge.staging import staging

SOURCE = Path(__file__).with_name("fine_clock.c")
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-O2", "-shared", "-fPIC")
FAST = 100  # times real time; a clock of a thousandfold speed is beyond, a plain one below
LOOK_NS = 2_000_000


def fine_clock() -> Path | None:
    """The library, built once and kept in the cache; None where that cannot be."""
    compiler = os.environ.get("CC") or next(filter(shutil.which, COMPILERS), None)
    if sys.platform != "linux" or compiler is None:
        return None
    built_from = SOURCE.read_bytes() + platform.machine().encode()
    digest = hashlib.sha256(built_from).hexdigest()[:16]
    library = cache_folder() / "native" / f"fine-clock-{digest}.so"
    return library if library.is_file() or _build(compiler, library) else None


def _build(compiler: str, library: Path) -> bool:
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with staging(library) as folder:
            built = folder / library.name
            command = [*compiler.split(), *FLAGS, "-o", str(built), str(SOURCE), "-ldl"]
            subprocess.run(command, capture_output=True, check=True, timeout=60)
            built.replace(library)
    except (InUseError, OSError, subprocess.SubprocessError):
        return False
    return True


def preloading(library: Path | None) -> dict[str, str]:
    """Environment variables of a process that is to run by it."""
    if library is None:
        return {}
    others = os.environ.get("LD_PRELOAD", "")
    return {"LD_PRELOAD": f"{library}:{others}" if others else str(library)}


def clock_speed() -> int:
    """How many times faster than real this process' clock runs: 1000, or 1.

    Measured, not believed: a system that does not preload a library says nothing.
    """
    if not hasattr(time, "CLOCK_MONOTONIC_RAW"):
        return 1
    real = shown = 0
    start_real = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
    start_shown = time.perf_counter_ns()
    while real < LOOK_NS:
        real = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) - start_real
        shown = time.perf_counter_ns() - start_shown
    return 1000 if shown > FAST * real else 1
