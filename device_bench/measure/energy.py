"""Energy of calls, where the host counts it: Intel's and AMD's RAPL through Linux' powercap.

The counter is the whole processor's, in microjoules: an idle machine's own use is in it. Most
virtual machines do not show it, and Linux lets only root read it.
Source: https://docs.kernel.org/power/powercap/powercap.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
SECONDS = 0.3  # of calls a method: the counter moves about once a millisecond


def energy_of(
    calls: Mapping[str, Callable[[int], object]], root: Path = POWERCAP
) -> dict[str, float]:
    """Microjoules a call, by method; empty where nothing counts them.

    Args:
        calls: by name, each given the number of the call.
        root: where the counters are.
    """
    if _read(root) is None:
        return {}
    found = {}
    for name, call in calls.items():
        before, number, end = _read(root), 0, time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            call(number)
            number += 1
        after = _read(root)
        # A counter that began again at 0 in between is left out.
        if before is not None and after is not None and after >= before:
            found[name] = (after - before) / number
    return found


def _read(root: Path) -> float | None:
    """The sum over the packages, in microjoules; None where none can be read."""
    packages = [zone for zone in root.glob("*-rapl:*") if zone.name.count(":") == 1]
    try:
        return sum(float((zone / "energy_uj").read_text()) for zone in packages) or None
    except (OSError, ValueError):
        return None
