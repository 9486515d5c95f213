"""The machine and its conditions, read off files made up here."""

import numpy as np

from device_bench.measure import machine
from device_bench.measure.machine import Conditions, condition_warnings, conditions
from device_bench.measure.statistics import (
    busy_warnings,
)  # fmt: skip


def test_the_machine_says_what_results_depend_on():
    described = machine.machine()
    assert described["packages"]["torch"].startswith("2.")
    assert described["cpus"] >= 1
    assert described["memory_bytes"] > 10**8
    assert isinstance(described["flags"], list)


def zone(folder, **files):
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def test_conditions_are_read_where_linux_tells_them(tmp_path, monkeypatch):
    for name in ("CPUS", "ZONES", "CPUINFO"):
        monkeypatch.setattr(machine, name, tmp_path / name)
    nothing = conditions()
    assert (nothing.megahertz, nothing.celsius, nothing.throttled) == (None, None, None)
    for cpu, kilohertz in (("cpu0", 2_000_000), ("cpu1", 3_000_000)):
        zone(tmp_path / "CPUS" / cpu / "cpufreq", scaling_cur_freq=f"{kilohertz}\n")
        zone(tmp_path / "CPUS" / cpu / "thermal_throttle", core_throttle_count="3\n")
    zone(tmp_path / "ZONES" / "thermal_zone0", temp="41000\n")
    zone(tmp_path / "ZONES" / "thermal_zone1", temp="nonsense")
    measured = conditions()
    assert (measured.megahertz, measured.celsius, measured.throttled) == (2500.0, 41.0, 6)


def test_what_happened_to_the_machine_is_told():
    calm = Conditions(load=0.2, megahertz=2500.0, celsius=50.0, throttled=6)
    unknown = Conditions(None, None, None, None)
    assert condition_warnings(calm, calm) == condition_warnings(unknown, unknown) == []
    warnings = condition_warnings(
        Conditions(4.0, 2500.0, 50.0, 6), Conditions(1.0, 1800.0, 93.0, 8)
    )
    assert [
        "busy" in warnings[0],
        "1,800 MHz" in warnings[1],
        "by heat" in warnings[2],
        "93 °C" in warnings[3],
    ] == ([True] * 4)


def test_a_cpu_shared_with_other_work_is_told():
    calls = np.full(100, 4e6)
    assert busy_warnings([]) == busy_warnings([(calls, 3.9e6), (calls, 3.5e6)]) == []
    (warning,) = busy_warnings([(calls, 2e6)])
    assert "50% of the time" in warning
