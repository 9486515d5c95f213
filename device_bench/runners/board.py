"""What a Linux board or a phone tells of itself: model, cores, clocks, temperatures, throttling.

`SCRIPT` runs in any POSIX shell with nothing but grep and tr, on a board as on Android. What a
kernel does not show, or does not let us read, is left out.
Source: https://docs.kernel.org/admin-guide/abi-testing.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from device_bench.measure.machine import Conditions

_FILES = (
    "/sys/devices/system/cpu/cpu[0-9]*/cpu_capacity",
    "/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor",
    "/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq",
    "/sys/devices/system/cpu/cpu[0-9]*/cpufreq/cpuinfo_max_freq",
    "/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count",
    "/sys/class/thermal/thermal_zone*/temp",
    "/sys/devices/platform/soc/soc:firmware/get_throttled",  # Raspberry Pi
    "/proc/loadavg",
)
SCRIPT = f"""
grep -H '' {" ".join(_FILES)} 2>/dev/null
echo "machine:$(uname -m)"
echo "system:$(uname -sr)"
echo "model:$({{ tr -d '\\0' </proc/device-tree/model; }} 2>/dev/null)"
"""

# https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
PI_THROTTLED = {
    0x1: "its voltage is too low: use a stronger power supply",
    0x2: "its clock is capped",
    0x4: "it is throttled",
    0x8: "it is at its temperature limit",
}


@dataclass(frozen=True)
class Cpu:
    """One core; None for what is not told.

    Attributes:
        number: as the system counts it.
        capacity: its speed relative to the largest core's 1024.
        governor: what chooses its clock.
        megahertz: its clock now.
        most_megahertz: the highest it has.
    """

    number: int
    capacity: int | None = None
    governor: str | None = None
    megahertz: float | None = None
    most_megahertz: float | None = None


@dataclass(frozen=True)
class Board:
    """The state of a machine at one moment.

    Attributes:
        machine: as in "aarch64".
        system: kernel and its version.
        model: of the board; empty if it does not tell.
        cpus: the cores, by number.
        conditions: load, clock, temperature and throttling.
        throttled: why the board says that it is slowed down just now, a sentence each.
    """

    machine: str
    system: str
    model: str
    cpus: tuple[Cpu, ...]
    conditions: Conditions
    throttled: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "machine": self.machine, "system": self.system, "model": self.model,
            "cpus": [asdict(cpu) for cpu in self.cpus], **self.conditions.to_dict(),
        }  # fmt: skip


def read_board(printed: str) -> Board:
    """From what `SCRIPT` printed."""
    facts = dict(line.split(":", 1) for line in _unambiguous(printed) if ":" in line)
    cpus = _cpus(facts)
    clocks = [cpu.megahertz for cpu in cpus if cpu.megahertz]
    celsius = [float(t) / 1000 for t in _of(facts, r"thermal_zone\d+/temp").values() if _number(t)]
    counts = [int(c) for c in _of(facts, r"core_throttle_count").values() if _number(c)]
    load = facts.get("/proc/loadavg", "").split()
    return Board(
        machine=facts.get("machine", "").strip(),
        system=facts.get("system", "").strip(),
        model=facts.get("model", "").strip(),
        cpus=cpus,
        conditions=Conditions(
            load=float(load[0]) if load else None,
            megahertz=sum(clocks) / len(clocks) if clocks else None,
            celsius=max(celsius, default=None),
            throttled=sum(counts) if counts else None,
        ),
        throttled=_pi_throttled(facts),
    )


def _unambiguous(printed: str) -> list[str]:
    """Lines NAME:VALUE; one path has a colon of its own."""
    return printed.replace("soc:firmware", "soc-firmware").splitlines()


def _of(facts: Mapping[str, str], pattern: str) -> dict[str, str]:
    return {path: value.strip() for path, value in facts.items() if re.search(pattern, path)}


def _number(text: str) -> bool:
    return re.fullmatch(r"-?\d+", text) is not None


def _cpus(facts: Mapping[str, str]) -> tuple[Cpu, ...]:
    cpus: dict[int, dict[str, str]] = {}
    for path, value in facts.items():
        if match := re.search(r"/cpu(\d+)/(?:cpufreq/)?(\w+)$", path):
            cpus.setdefault(int(match[1]), {})[match[2]] = value.strip()
    return tuple(_cpu(number, cpus[number]) for number in sorted(cpus))


def _cpu(number: int, facts: Mapping[str, str]) -> Cpu:
    def figure(name: str) -> float | None:
        return float(facts[name]) if _number(facts.get(name, "")) else None

    capacity, clock, most = map(
        figure, ("cpu_capacity", "scaling_cur_freq", "cpuinfo_max_freq")
    )  # the clocks in kHz
    return Cpu(
        number,
        capacity=None if capacity is None else int(capacity),
        governor=facts.get("scaling_governor"),
        megahertz=None if clock is None else clock / 1e3,
        most_megahertz=None if most is None else most / 1e3,
    )


def _pi_throttled(facts: Mapping[str, str]) -> tuple[str, ...]:
    shown = next(iter(_of(facts, "get_throttled").values()), "")
    bits = int(shown, 16) if re.fullmatch(r"(0x)?[0-9a-f]+", shown) else 0
    return tuple(sentence for bit, sentence in PI_THROTTLED.items() if bits & bit)


def biggest(cpus: Sequence[Cpu], threads: int) -> tuple[int, ...]:
    """Numbers of the largest cores, at least as many as threads; empty where all are alike."""
    sizes = {cpu.number: cpu.capacity or cpu.most_megahertz or 0.0 for cpu in cpus}
    chosen: list[int] = []
    for size in sorted(set(sizes.values()), reverse=True):
        if len(chosen) >= threads:
            break
        chosen += [number for number, own in sizes.items() if own == size]
    return tuple(sorted(chosen)) if len(chosen) < len(sizes) else ()


def mask(cpus: Sequence[int]) -> str:
    """What `taskset` takes: a bit a core, in hexadecimal."""
    return f"{sum(1 << number for number in cpus):x}"


def board_warnings(board: Board) -> list[str]:
    """What about its state makes figures less trustworthy, a sentence each."""
    # On x86 the driver's own dynamic governor goes by the same name.
    slow = board.machine != "x86_64" and "powersave" in {cpu.governor for cpu in board.cpus}
    governor = ["its CPU governor is powersave: clocks stay low"] if slow else []
    return [*governor, *board.throttled]
