"""Memory of this process, as the operating system counts it.

It is the whole process: Python, the runtime, the libraries that its bindings import, the model.
What the runtime and the model add is the peak after `forget_peak` beside what was resident then.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")  # "5" sets the peak to what is resident; see man 5 proc


def peak_memory() -> int | None:
    """The largest resident size so far, in bytes; None where the system does not tell."""
    if (peak := _status("VmHWM")) is not None:
        return peak
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    # Second choice: on Linux a child inherits its parent's `ru_maxrss`. In KiB, on macOS in bytes.
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def forget_peak() -> None:
    """Count the peak anew from what is resident now; nothing where the system cannot."""
    with contextlib.suppress(OSError):
        CLEAR.write_text("5", encoding="utf-8")


def resident_memory() -> int | None:
    """The resident size now, in bytes; None where the system does not tell."""
    return _status("VmRSS")


def _status(name: str) -> int | None:
    """A size of Linux' /proc/self/status, such as `VmHWM:   12345 kB`, in bytes."""
    if not STATUS.is_file():
        return None
    for line in STATUS.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024
    return None
