"""How long work took the last time, as a forecast."""

import json

import pytest

from glint_edge.durations import MOST, Durations, spoken


@pytest.fixture
def clock(monkeypatch, tmp_path):
    """A cache of its own, and a clock that a test moves."""
    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path / "cache"))
    now = [0.0]
    monkeypatch.setattr("glint_edge.durations.time.monotonic", lambda: now[0])
    return now


def work(durations, clock, piece, seconds):
    with durations.timed(piece):
        clock[0] += seconds


def test_what_took_long_will_take_long_again(clock):
    first = Durations("bench")
    assert first.forecast(["a", "b"]) is None
    work(first, clock, "a", 60)
    work(first, clock, "b", 2)
    work(first, clock, "b", 20)
    again = Durations("bench")
    assert again.forecast(["a", "b"]) == 80
    assert again.forecast(["a", "b", "new"]) == 120
    assert again.forecast(["new"]) is None
    assert Durations("other").forecast(["a"]) is None


def test_a_failure_is_not_remembered_and_the_oldest_are_forgotten(clock, monkeypatch):
    durations = Durations("bench")
    with pytest.raises(ZeroDivisionError), durations.timed("a"):
        raise ZeroDivisionError
    assert durations.forecast(["a"]) is None
    monkeypatch.setattr("glint_edge.durations.MOST", 2)
    for piece in "abc":
        work(durations, clock, piece, 1)
    assert [Durations("bench").forecast([piece]) for piece in "abc"] == [None, 1, 1]
    assert MOST > 100


@pytest.mark.parametrize("text", ["", "[1]", '{"a": "long"}', '{"a": NaN}', "\xff"])
def test_what_is_no_such_file_is_no_memory(clock, tmp_path, text):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "bench-seconds.json").write_text(text, "latin-1")
    durations = Durations("bench")
    assert durations.forecast(["a"]) is None
    work(durations, clock, "a", 3)
    assert json.loads((tmp_path / "cache" / "bench-seconds.json").read_bytes()) == {"a": 3}


def test_a_cache_that_cannot_be_written_stops_nothing(clock, tmp_path):
    (tmp_path / "cache").write_text("a file")
    durations = Durations("bench")
    work(durations, clock, "a", 3)
    assert durations.forecast(["a"]) == 3


def test_seconds_are_spoken():
    assert [spoken(seconds) for seconds in (0.4, 40, 150)] == [
        "about 0 s", "about 40 s", "about 2 min",
    ]  # fmt: skip
