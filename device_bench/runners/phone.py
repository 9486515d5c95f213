"""What an Android phone tells of itself beside what any Linux does: battery, heat, power saving.

`SCRIPT` runs in a phone's shell as the user "shell", without root.
Sources: `dumpsys battery`: frameworks/base, BatteryService.java and BatteryManager; `dumpsys
thermalservice` (Android 10 and later): ThermalManagerService.java and PowerManager; by
https://source.android.com/docs/core/power/thermal-mitigation
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from device_bench.runners import board
from device_bench.runners.board import Board

_ASKED = {
    "model": "getprop ro.product.model",
    "android": "getprop ro.build.version.release",
    "abi": "getprop ro.product.cpu.abi",
    "saver": "settings get global low_power",
    "battery": "dumpsys battery",
    "thermal": "dumpsys thermalservice",
}
_MARK = "glint-edge-asks "
SCRIPT = "\n".join(
    [
        board.SCRIPT,
        *(
            f"echo {_MARK}{name}; {command} </dev/null 2>/dev/null"
            for name, command in _ASKED.items()
        ),
    ]
)

THERMAL = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
CHARGING = 2  # BatteryManager.BATTERY_STATUS_CHARGING
CPU = 0  # a temperature's type
HOT = 40.0  # °C of a battery; phones slow down and stop charging from about 45


@dataclass(frozen=True)
class Battery:
    """None for what it does not tell.

    Attributes:
        percent: of its charge.
        celsius: its temperature.
        charging: it takes in charge.
    """

    percent: int | None = None
    celsius: float | None = None
    charging: bool | None = None


@dataclass(frozen=True)
class Phone:
    """The state of a phone at one moment.

    Attributes:
        board: what any Linux tells, the model's name being the one it is sold by.
        android: its version.
        abi: the processor's, as in "arm64-v8a".
        battery: its battery.
        thermal_status: how much it slows itself down for heat, an index into THERMAL; None before
            Android 10.
        battery_saver: the user asked it to save power; None if it does not tell.
    """

    board: Board
    android: str
    abi: str
    battery: Battery
    thermal_status: int | None
    battery_saver: bool | None

    def facts(self) -> dict[str, Any]:
        """All but the board, as JSON values."""
        return {
            "android": self.android, "abi": self.abi, "battery": asdict(self.battery),
            "thermal_status": self.thermal_status, "battery_saver": self.battery_saver,
        }  # fmt: skip

    def warnings(self) -> tuple[str, ...]:
        """What makes figures taken just now less trustworthy, a sentence each."""
        return (*_heat_warnings(self.thermal_status), *_power_warnings(self))


def read_phone(printed: str) -> Phone:
    """From what `SCRIPT` printed."""
    general, *parts = re.split(rf"^{_MARK}", printed, flags=re.MULTILINE)
    said = {name: text for name, _, text in (part.partition("\n") for part in parts)}
    thermal, saver = said.get("thermal", ""), said.get("saver", "").strip()
    status = re.search(r"^Thermal Status: (\d+)", thermal, re.MULTILINE)
    return Phone(
        board=_named(board.read_board(general), said.get("model", "").strip(), thermal),
        android=said.get("android", "").strip(),
        abi=said.get("abi", "").strip(),
        battery=_battery(said.get("battery", "")),
        thermal_status=int(status[1]) if status else None,
        # "null" where it was never switched.
        battery_saver=saver == "1" if saver else None,
    )


def _named(linux: Board, model: str, thermal: str) -> Board:
    """With the model's name, and the processor's temperature where Linux' own is not shown."""
    conditions = linux.conditions
    if conditions.celsius is None:
        conditions = replace(conditions, celsius=_cpu_celsius(thermal))
    return replace(linux, model=model or linux.model, conditions=conditions)


def _cpu_celsius(thermal: str) -> float | None:
    """Of the hottest core."""
    now = thermal.partition("Current temperatures from HAL:")[2].partition("Current cooling")[0]
    entries = re.findall(r"mValue=(-?[\d.]+), mType=(-?\d+)", now)
    return max((float(value) for value, kind in entries if int(kind) == CPU), default=None)


def _battery(said: str) -> Battery:
    # Makers add lines of their own below; the first of a name is Android's.
    facts: dict[str, str] = {}
    for name, _, value in (line.partition(":") for line in said.splitlines()):
        facts.setdefault(name.strip(), value.strip())

    def number(name: str) -> int | None:
        value = facts.get(name, "")
        return int(value) if re.fullmatch(r"-?\d+", value) else None

    tenths, status = number("temperature"), number("status")
    return Battery(
        percent=number("level"),
        celsius=None if tenths is None else tenths / 10,
        charging=None if status is None else status == CHARGING,
    )


def _heat_warnings(status: int | None) -> Sequence[str]:
    if not status:
        return ()
    name = THERMAL[min(status, len(THERMAL) - 1)]
    return (f"it slows itself down for heat (thermal status {status}, {name}): let it cool",)


def _power_warnings(phone: Phone) -> list[str]:
    battery = phone.battery
    warnings = []
    if phone.battery_saver:
        warnings.append("its battery saver is on: switch it off")
    if battery.charging:
        warnings.append("its battery is charging, which heats it: charge it first, or use Wi-Fi")
    if (battery.celsius or 0.0) >= HOT:
        warnings.append(f"its battery is {battery.celsius:.0f} °C hot: let it cool")
    return warnings
