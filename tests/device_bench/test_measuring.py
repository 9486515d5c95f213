"""Timing, statistics and conditions: figures from clocks and counters made up here."""

import gc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_bench.measure import machine, sampling
from device_bench.measure.machine import Conditions, condition_warnings, conditions
from device_bench.measure.sampling import (
    BLOCK,
    CALIBRATE_EVERY,
    LEAST_RUNS,
    MOST_BLOCKS,
    Plan,
    sample,
)
from device_bench.measure.statistics import (
    busy_warnings,
    latency,
    median_interval,
    quantiles,
    speed_warnings,
    warnings_of,
)  # fmt: skip

# ---- sampling -------------------------------------------------------------------------------


class Clock:
    """A clock that stands still but while a call takes its time."""

    def __init__(self, monkeypatch):
        self.now, self.calls = 10**9, []
        monkeypatch.setattr(sampling.time, "perf_counter_ns", lambda: self.now)
        monkeypatch.setattr(sampling.time, "process_time_ns", lambda: self.now // 2)
        monkeypatch.setattr(sampling, "calibrate", lambda _: self.spend(7_000))

    def spend(self, nanoseconds):
        self.now += nanoseconds

    def taking(self, microseconds):
        """A call that takes so long, given how many calls there were before."""

        def call(number):
            self.calls.append(number)
            self.spend(int(1000 * microseconds(len(self.calls) - 1)))

        return call


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_samples_are_of_the_timed_calls(clock):
    warmup, again = 2 * BLOCK, CALIBRATE_EVERY + 1
    found = sample(clock.taking(lambda n: 50 if n < warmup else n), Plan(runs=300))
    # After each calibration one untimed call fills the caches again.
    timed = [(n, position) for position, n in enumerate(clock.calls[warmup:]) if position % again]
    assert [n for n, _ in timed] == list(range(300))
    assert len(clock.calls) == warmup + 300 + 300 // CALIBRATE_EVERY
    assert found.calls_ns.tolist() == [1000.0 * (warmup + position) for _, position in timed]
    assert found.cpu_ns == found.calls_ns.mean() / 2, "what the calibration takes is not in it"
    assert found.calibration_ns.tolist() == [7_000.0] * (300 // CALIBRATE_EVERY)
    assert found.steady


def test_warming_up_ends_when_the_times_are_steady(clock):
    slow = 6 * BLOCK  # a clock that rises, a cache that fills
    found = sample(clock.taking(lambda n: 100 - n / 3 if n < slow else 40), Plan(runs=200))
    assert found.steady
    assert set(found.calls_ns) == {40_000.0}
    assert len(clock.calls) >= slow + 2 * BLOCK + 200 - BLOCK


@pytest.mark.parametrize("microseconds", [1, 100_000])
def test_times_that_never_settle_are_told_and_bounded(clock, microseconds):
    swinging = clock.taking(lambda n: microseconds * (1 + n // BLOCK % 2))
    found = sample(swinging, Plan(runs=200))
    assert not found.steady
    assert len(clock.calls) <= MOST_BLOCKS * BLOCK + 200 + 200 // CALIBRATE_EVERY
    assert microseconds == 1 or len(clock.calls) < 5 * BLOCK, "slow calls are not warmed up long"


def test_a_slow_method_ends_with_its_budget(clock):
    assert len(sample(clock.taking(lambda n: 900_000), Plan()).calls_ns) == LEAST_RUNS
    assert len(sample(clock.taking(lambda n: 10_000), Plan()).calls_ns) == 100
    assert len(sample(clock.taking(lambda n: 10), Plan()).calls_ns) == 200


def test_the_garbage_collector_is_off_meanwhile_and_on_again():
    def call(number):
        assert not gc.isenabled()
        if number == 60:
            raise KeyError

    with pytest.raises(KeyError):
        sample(call, Plan())
    assert gc.isenabled()


@pytest.mark.alone
def test_the_real_clock_tells_twice_the_work():
    def work(factor):
        return np.median(sample(lambda _: sum(range(2000 * factor)), Plan(runs=50)).calls_ns)

    # In turn: a machine that changes its speed spoils some pairs, not most.
    assert 1.5 < np.median([work(2) / work(1) for _ in range(15)]) < 2.6


# ---- statistics -----------------------------------------------------------------------------


def test_percentiles_are_over_all_rounds():
    found = latency([np.arange(1000.0, 251_000, 1000), np.arange(251_000.0, 501_000, 1000)])
    assert (found.p50, found.p90, found.p99) == (250.5, 450.1, 495.01)


@settings(max_examples=20, deadline=None)  # a bootstrap each
@given(st.lists(st.lists(st.floats(1, 1e9), min_size=2, max_size=30), min_size=1, max_size=4))
def test_an_interval_holds_together(rounds):
    rounds = [np.array(calls) for calls in rounds]
    low, high = median_interval(rounds)
    assert min(map(np.min, rounds)) / 1e3 <= low <= high <= max(map(np.max, rounds)) / 1e3
    assert median_interval(rounds) == (low, high), "the same samples, the same interval"
    shape = quantiles(rounds)
    assert shape == sorted(shape)


def test_the_interval_covers_the_true_median_as_often_as_it_says():
    random, hits = np.random.default_rng(0), 0
    for _ in range(100):
        low, high = median_interval([random.lognormal(3, 0.2, 100)])
        hits += low * 1e3 <= np.exp(3) <= high * 1e3
    assert 88 <= hits <= 99


def test_processes_that_differ_widen_the_interval():
    random = np.random.default_rng(0)
    alike = [random.normal(1000, 10, 200) for _ in range(3)]
    apart = [calls * factor for calls, factor in zip(alike, (0.8, 1.0, 1.2), strict=True)]
    narrow, wide = (np.ptp(median_interval(rounds)) for rounds in (alike, apart))
    assert wide > 20 * narrow
    low, high = median_interval(apart)
    assert low < 0.85
    assert high > 1.15


def test_what_makes_times_less_trustworthy_is_told():
    good = np.full(200, 10_000.0)
    assert warnings_of("append", [good, good * 1.1], 200) == []
    outliers = good.copy()
    outliers[:10] *= 5
    assert warnings_of("append", [outliers], 200) == [
        "append: 5% of the calls took more than 3 times the median"
    ]
    assert warnings_of("append", [good, good * 1.4], 200) == [
        "append: the rounds' medians lie between 10 and 14 µs"
    ]
    assert warnings_of("cold_start_200", [good[:40]], 200) == [
        "cold_start_200: 40 timed calls only, the time budget was used up"
    ]


def test_a_machine_that_changed_its_speed_is_told():
    speed = np.full(20, 30_000.0)
    assert speed_warnings([speed, speed * 1.1]) == []
    assert speed_warnings([np.empty(0)]) == []
    (warning,) = speed_warnings([speed, speed * 1.5, speed])
    assert "changed by 50%" in warning


# ---- the machine ----------------------------------------------------------------------------


def test_the_machine_says_what_results_depend_on():
    found = machine.machine()
    assert found["packages"]["torch"].startswith("2.")
    assert found["cpus"] >= 1
    assert found["memory_bytes"] > 10**8
    assert isinstance(found["flags"], list)


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
    found = conditions()
    assert (found.megahertz, found.celsius, found.throttled) == (2500.0, 41.0, 6)


def test_what_happened_to_the_machine_is_told():
    calm = Conditions(load=0.2, megahertz=2500.0, celsius=50.0, throttled=6)
    unknown = Conditions(None, None, None, None)
    assert condition_warnings(calm, calm) == condition_warnings(unknown, unknown) == []
    told = condition_warnings(Conditions(4.0, 2500.0, 50.0, 6), Conditions(1.0, 1800.0, 93.0, 8))
    assert [
        "busy" in told[0],
        "1,800 MHz" in told[1],
        "by heat" in told[2],
        "93 °C" in told[3],
    ] == ([True] * 4)


def test_a_cpu_shared_with_other_work_is_told():
    calls = np.full(100, 4e6)
    assert busy_warnings([]) == busy_warnings([(calls, 3.9e6), (calls, 3.5e6)]) == []
    (warning,) = busy_warnings([(calls, 2e6)])
    assert "50% of the time" in warning
