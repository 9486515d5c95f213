"""Statistics of samples: percentiles, intervals, warnings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_bench.measure.statistics import (
    latency,
    median_interval,
    quantiles,
    speed_warnings,
    student_quantile,
    warnings_of,
)  # fmt: skip


def test_percentiles_are_over_all_rounds():
    figures = latency([np.arange(1000.0, 251_000, 1000), np.arange(251_000.0, 501_000, 1000)])
    assert (figures.p50, figures.p90, figures.p99) == (250.5, 450.1, 495.01)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.floats(1, 1e9), min_size=2, max_size=30), min_size=2, max_size=4))
def test_an_interval_holds_the_median_beside_it(rounds):
    rounds = [np.array(calls) for calls in rounds]
    low, high = median_interval(rounds)
    assert low <= latency(rounds).p50 <= high
    shape = quantiles(rounds)
    assert shape == sorted(shape)


def test_one_process_knows_nothing_of_the_next():
    assert median_interval([np.arange(100.0)]) is None


def test_the_interval_covers_the_true_median_as_often_as_it_says():
    """At 95 %, whatever processes differ by and however few they are."""
    random, draws = np.random.default_rng(0), 2000
    for spread in (0.0, 0.03, 0.1):
        for count in (3, 5, 10):
            process = np.exp(random.normal(0, spread, (draws, count, 1)))
            calls = 1e4 * process * random.lognormal(0, 0.1, (draws, count, 15))
            ends = np.array([median_interval(list(rounds)) for rounds in calls])
            covered = ((ends[:, 0] <= 10) & (ends[:, 1] >= 10)).mean()
            assert 0.93 <= covered <= 0.97, (spread, count)


@pytest.mark.parametrize(
    ("freedom", "reach"), [(1, 12.706), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622)]
)
def test_the_quantile_is_students(freedom, reach):
    assert student_quantile(0.95, freedom) == pytest.approx(reach, rel=2e-3)


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
