"""Timing: figures from a clock made up here, and from the real one."""

import gc

import numpy as np
import pytest

from device_bench.measure import sampling
from device_bench.measure.sampling import (
    BLOCK,
    CALIBRATE_EVERY,
    CYCLES,
    LEAST_CYCLES,
    LEAST_RUNS,
    MOST_BLOCKS,
    Plan,
    sample,
    sample_cycles,
)


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
    sampled = sample(clock.taking(lambda n: 50 if n < warmup else n), Plan(runs=300))
    # After each calibration one untimed call fills the caches again.
    timed = [(n, position) for position, n in enumerate(clock.calls[warmup:]) if position % again]
    assert [n for n, _ in timed] == list(range(300))
    assert len(clock.calls) == warmup + 300 + 300 // CALIBRATE_EVERY
    assert sampled.calls_ns.tolist() == [1000.0 * (warmup + position) for _, position in timed]
    assert sampled.cpu_ns == sampled.calls_ns.mean() / 2, "what the calibration takes is not in it"
    assert sampled.calibration_ns.tolist() == [7_000.0] * (300 // CALIBRATE_EVERY)
    assert sampled.steady


def test_warming_up_ends_when_the_times_are_steady(clock):
    slow = 6 * BLOCK  # a clock that rises, a cache that fills
    sampled = sample(clock.taking(lambda n: 100 - n / 3 if n < slow else 40), Plan(runs=200))
    assert sampled.steady
    assert set(sampled.calls_ns) == {40_000.0}
    assert len(clock.calls) >= slow + 2 * BLOCK + 200 - BLOCK


@pytest.mark.parametrize("microseconds", [1, 100_000])
def test_times_that_never_settle_are_told_and_bounded(clock, microseconds):
    swinging = clock.taking(lambda n: microseconds * (1 + n // BLOCK % 2))
    sampled = sample(swinging, Plan(runs=200))
    assert not sampled.steady
    assert len(clock.calls) <= MOST_BLOCKS * BLOCK + 200 + 200 // CALIBRATE_EVERY
    assert microseconds == 1 or len(clock.calls) < 5 * BLOCK, "slow calls are not warmed up long"


def test_a_slow_method_ends_with_its_budget(clock):
    assert len(sample(clock.taking(lambda n: 900_000), Plan()).calls_ns) == LEAST_RUNS
    assert len(sample(clock.taking(lambda n: 10_000), Plan()).calls_ns) == 100
    assert len(sample(clock.taking(lambda n: 10), Plan()).calls_ns) == 200


def test_a_cycle_is_timed_whole_and_told_a_call(clock):
    cycles = sample_cycles(clock.taking(lambda n: 1300), 13, Plan())
    assert set(cycles.calls_ns) == {100_000.0}
    assert cycles.cpu_ns == 50_000.0
    assert len(cycles.calls_ns) == CYCLES  # of 13 calls each: more than the plan's 200
    assert len(sample_cycles(clock.taking(lambda n: 3), 3, Plan()).calls_ns) == 67
    slow = sample_cycles(clock.taking(lambda n: 900_000), 13, Plan())
    assert len(slow.calls_ns) == LEAST_CYCLES


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
        plan = Plan(runs=50, budget_ms=5)  # nor is a machine that never settles waited for
        return np.median(sample(lambda _: sum(range(2000 * factor)), plan).calls_ns)

    # In turn: a machine that changes its speed spoils some pairs, not most.
    assert 1.5 < np.median([work(2) / work(1) for _ in range(61)]) < 2.6
