"""Statistics of samples: percentiles, intervals, warnings."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from device_bench.measure.statistics import (
    latency,
    median_interval,
    quantiles,
    speed_warnings,
    warnings_of,
)  # fmt: skip


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
