"""This machine: what it is, for whoever compares results, and what state it is in, for warnings."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

PACKAGES = (
    "glint-edge", "torch", "numpy", "executorch", "torchao", "onnx", "onnxruntime",
    "litert-torch", "ai-edge-litert",
)  # fmt: skip
CPUS = Path("/sys/devices/system/cpu")
ZONES = Path("/sys/class/thermal")
CPUINFO = Path("/proc/cpuinfo")
SLOWER = 0.9  # of the clock before
HOT = 85.0  # °C; most processors slow down from 90 to 100


def machine() -> dict[str, Any]:
    """What results depend on: system, processor, memory, governor and package versions."""
    cpu = _cpuinfo()
    return {
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "cpu": cpu.get("model name") or platform.processor() or "unknown",
        "flags": (cpu.get("flags") or cpu.get("Features") or "").split(),
        "cpus": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "governor": _governor(),
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def _cpuinfo() -> dict[str, str]:
    """Linux' fields of the first CPU."""
    if not CPUINFO.is_file():
        return {}
    first = CPUINFO.read_text(encoding="utf-8").split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _governor() -> str | None:
    try:
        return (CPUS / "cpu0/cpufreq/scaling_governor").read_text().strip()
    except OSError:
        return None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@dataclass(frozen=True)
class Conditions:
    """The state of this machine at one moment; None for what it does not tell.

    Attributes:
        load: processes that ran or waited, averaged over the last minute.
        megahertz: the clock, averaged over the CPUs.
        celsius: of the hottest thermal zone.
        throttled: how often a core was slowed down by heat since the start.
    """

    load: float | None
    megahertz: float | None
    celsius: float | None
    throttled: int | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def conditions() -> Conditions:
    """As they are now."""
    return Conditions(
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        megahertz=_megahertz(),
        celsius=max((t / 1000 for t in _numbers(ZONES, "thermal_zone*/temp")), default=None),
        throttled=_sum(_numbers(CPUS, "cpu*/thermal_throttle/core_throttle_count")),
    )


def _megahertz() -> float | None:
    if (clocks := _numbers(CPUS, "cpu*/cpufreq/scaling_cur_freq")) and min(clocks) > 0:
        return sum(clocks) / len(clocks) / 1e3  # kHz
    clock = _cpuinfo().get("cpu MHz")
    return None if clock is None else float(clock)


def _numbers(root: Path, pattern: str) -> list[float]:
    """Those of the files that can be read."""
    numbers = []
    for file in root.glob(pattern):
        try:
            numbers.append(float(file.read_text()))
        except (OSError, ValueError):
            continue
    return numbers


def _sum(counts: list[float]) -> int | None:
    return int(sum(counts)) if counts else None


def condition_warnings(before: Conditions, after: Conditions) -> list[str]:
    """What happened to the machine while it measured, a sentence each.

    Args:
        before: before the first run.
        after: after the last one.
    """
    warnings = []
    busy = (before.load or 0.0) - 0.5
    if busy > 1:
        warnings.append(
            f"the machine was busy with other work (load {before.load:.1f}) at the start"
        )
    if before.megahertz and after.megahertz and after.megahertz < SLOWER * before.megahertz:
        warnings.append(
            f"the clock fell from {before.megahertz:,.0f} to {after.megahertz:,.0f} MHz meanwhile"
        )
    if (after.throttled or 0) > (before.throttled or 0):
        warnings.append("the processor was slowed down by heat meanwhile")
    if (after.celsius or 0.0) >= HOT:
        warnings.append(f"the machine is {after.celsius:.0f} °C hot")
    return warnings


def conditions_of(before: Conditions, after: Conditions) -> Mapping[str, Any]:
    """Both as one entry of a row."""
    return {"before": before.to_dict(), "after": after.to_dict()}
