"""Artifacts in turn: how far a run is, and how long it still takes."""

import logging
from types import SimpleNamespace

import pytest

from device_bench.measure.job import Histories, Inputs, Job
from device_bench.rounds import Beside, Entry, run_in_turn
from glint_edge.durations import Durations
from glint_edge.errors import RunnerError

NONE = Histories.of([])
CONFIG = {"items": 50, "d": 16, "max_length": 12}


@pytest.fixture
def clock(monkeypatch, empty_cache):
    now = [0.0]
    monkeypatch.setattr("glint_edge.durations.time.monotonic", lambda: now[0])
    return now


def entry_of(name, clock, *, seconds=60, timed=True, failing=False):
    def run(job, inputs):
        clock[0] += seconds
        if failing:
            raise RunnerError("it died")
        return SimpleNamespace()

    runner = SimpleNamespace(
        name="python", device="", timed=timed, prepare=lambda target, on_step: None, run=run
    )
    job = Job(name, f"{name}.bin", CONFIG, 10, None)
    return Entry(name=name, runner=runner, job=job, inputs=lambda: Inputs(NONE, NONE, NONE))


def run(rounds, *entries, durations=None, **more):
    steps = []
    assert list(run_in_turn(entries, rounds, steps.append, durations, **more))
    return steps


def test_it_says_beforehand_how_long_it_takes_and_counts_on(clock, caplog):
    caplog.set_level(logging.INFO, "glint_edge.bench")
    first = run(3, *(entry_of(name, clock) for name in "ab"), durations=Durations("bench"))
    assert first[0] == "running a (1 of 6)", "nothing is known yet"
    again = run(3, *(entry_of(name, clock) for name in "ab"), durations=Durations("bench"))
    assert again[0] == "running a (1 of 6, about 6 min left)"
    assert again[-1] == "running b (6 of 6, about 60 s left)"
    assert [record.getMessage() for record in caplog.records] == [
        "6 runs; how long they take on this machine is known the next time",
        "6 runs, about 6 min, by the last time on this machine",
    ]


def test_the_runs_of_other_bundles_are_counted_and_stand_in_the_forecast(clock, caplog):
    caplog.set_level(logging.INFO, "glint_edge.bench")
    durations = Durations("bench")
    a, b = entry_of("a", clock), entry_of("b", clock, seconds=120)
    steps = run(1, a, durations=durations, beside=Beside(0, [b.piece(first=True)]))
    steps += run(1, b, durations=durations, beside=Beside(1))
    assert steps == ["running a (1 of 2)", "running b (2 of 2)"]
    steps = run(1, a, durations=durations, beside=Beside(0, [b.piece(first=True)]))
    steps += run(1, b, durations=durations, beside=Beside(1))
    assert steps == ["running a (1 of 2, about 3 min left)", "running b (2 of 2, about 2 min left)"]
    assert [record.getMessage() for record in caplog.records] == [
        "2 runs; how long they take on this machine is known the next time",
        "2 runs, about 3 min, by the last time on this machine",
    ]


def test_what_failed_and_what_is_not_timed_is_run_once(clock):
    entries = [entry_of("a", clock, failing=True), entry_of("b", clock, timed=False)]
    assert run(2, *entries) == ["running a (1 of 3)", "running b (2 of 3)"]
    assert entries[0].failure == "it died"


def test_without_durations_none_are_kept(clock, empty_cache):
    run(1, entry_of("a", clock))
    assert not empty_cache.exists()
