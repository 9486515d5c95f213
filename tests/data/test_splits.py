"""Splits by time and by files, beside a plain-Python form of the rules; in shards the same."""

import tempfile
from collections import Counter
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from glint_edge.data.log import load_log
from glint_edge.data.options import LoadOptions, load_options
from glint_edge.data.sequences import HeldOut, repeat_share, repeats
from glint_edge.data.sharded.sharding import make_shards
from glint_edge.errors import ConfigError, DataError
from tests.data.logs import ROWS, delimited

CUTS = st.one_of(
    st.integers(0, 5).map(lambda cut: f"time:{cut}"),
    st.tuples(st.integers(0, 4), st.integers(0, 5)).map(lambda cuts: f"time:{cuts[0]},{cuts[1]}"),
    st.sampled_from(["0.8,0.1,0.1", "0.4,0.3,0.3", "0.1,0.1,0.8"]),
)


class Refused(Exception):
    """The rules leave nothing to train, validate or test on."""


# The rules in plain Python: rows are (user, item, time, row), of the log and of files beside it.


def cuts_of(split, times):
    """Where validation and the test begin."""
    times = sorted(times)
    if split.startswith("time:"):
        *first, test = (int(cut) for cut in split[5:].split(","))
        if not all(times[0] < cut <= times[-1] for cut in (*first, test)):
            raise Refused
        earlier = [time for time in times if time < test]
        validation = first[0] if first else earlier[len(earlier) * 9 // 10]
    else:
        shares = [Fraction(share) for share in split.split(",")]
        validation = times[int(shares[0] * len(times))]
        test = times[int((shares[0] + shares[1]) * len(times))]
    if validation <= times[0] or validation >= test:
        raise Refused
    return validation, test


def naive(rows, part_of, *, files=False, validated=True):
    """What is trained on by user, both held-out parts as (history, target), and the items' order.

    Args:
        rows: (user, item, time, number), in the log's order.
        part_of: of a row: 0, 1 or 2.
        files: parts are files, in which a user may stand alone.
        validated: there is a part 1.
    """
    latest = {}
    for row in rows:
        latest[row[:3]] = max(latest.get(row[:3], 0), part_of(row))
    kept = {}
    for row in rows:
        if part_of(row) == latest[row[:3]]:
            kept.setdefault(row[:3], row)  # exact duplicates, those to test on first
    rows = [row for row in rows if row in kept.values()]
    users = Counter(row[0] for row in rows)
    rows = [row for row in rows if users[row[0]] >= 2]
    training, held = {}, ([], [])
    for user in dict.fromkeys(row[0] for row in rows):
        own = sorted((r for r in rows if r[0] == user), key=lambda r: (part_of(r), r[2], r[3]))
        before, between, after = ([r[1] for r in own if part_of(r) == part] for part in range(3))
        if not validated and len(before) > 1:
            between = before[-1:]
            before = before[:-1]
        training[user] = before
        for past, new, targets in ((before, between, held[0]), (before + between, after, held[1])):
            if past and new:
                targets.append((tuple(past), new[0]))
            elif files and len(new) > 1:
                targets.append((tuple(new[:-1]), new[-1]))
    if not all(held):
        raise Refused
    learnt = Counter(item for items in training.values() for item in items)
    return training, held, sorted(dict.fromkeys(r[1] for r in rows), key=lambda i: -learnt[i])


def listed(keys, held):
    """Held-out items as (history, target), in keys."""
    return [
        (tuple(keys[item] for item in held.ids[a:b]), keys[target])
        for (a, b), target in zip(pairwise(held.offsets), held.targets, strict=True)
    ]


def check(options, path, expected):
    """A log in memory and in shards is split as the rules say."""
    training, held, ranked = expected
    log = load_log(path, **options)
    parts, keys = log.split(), log.whole.keys
    own = [[keys[i] for i in parts.train_ids[a:b]] for a, b in pairwise(parts.train_offsets)]
    assert dict(zip(log.whole.users, own, strict=True)) == training
    assert [listed(keys, parts.validation()), listed(keys, parts.test())] == list(held)
    assert keys == ("", *ranked)
    assert parts.predictions == sum(max(len(items) - 1, 0) for items in training.values())

    out = path.parent / "shards"
    shards = make_shards(path, out, options=load_options(**options), parts=2, held_out=100)
    assert shards.keys == keys
    ids, offsets = shards.training()
    in_shards = Counter(tuple(keys[i] for i in ids[a:b]) for a, b in pairwise(offsets))
    assert in_shards == Counter(map(tuple, training.values()))
    for ours, theirs in ((shards.validation(), held[0]), (shards.test(), held[1])):
        assert Counter(listed(keys, ours)) == Counter(theirs)
    assert shards.predictions == parts.predictions
    assert shards.counts().tolist() == parts.counts().tolist()
    assert shards.popularity().tolist() == parts.popularity().tolist()
    assert load_log(out).source.options == log.source.options


@settings(max_examples=25, deadline=None)
@given(rows=ROWS, split=CUTS)
def test_a_split_by_time_is_that_of_the_rules(rows, split):
    rows = [(*row, number) for number, row in enumerate(rows)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.csv"
        delimited(path, ["user", "item", "time"], [row[:3] for row in rows])
        try:
            cuts = cuts_of(split, [row[2] for row in rows])
            expected = naive(rows, lambda row: sum(row[2] >= cut for cut in cuts))
        except Refused:
            with pytest.raises(DataError):
                load_log(path, split=split)
            with pytest.raises(DataError):
                make_shards(path, path.parent / "shards", options=load_options(split=split))
            return
        check({"split": split}, path, expected)


@settings(max_examples=20, deadline=None)
@given(rows=ROWS, own=st.lists(st.integers(0, 2), min_size=40, max_size=40), timed=st.booleans())
def test_files_of_ones_own_are_split_as_the_rules_say(rows, own, timed):
    validated = 1 in own[: len(rows)]
    own = own if validated else [2 * (part == 2) for part in own]
    order = sorted(range(len(rows)), key=lambda number: own[number])
    rows = [(*rows[n][: 2 + timed], *([] if timed else [n]), n) for n in order]
    assume({0, 2} <= {own[row[-1]] for row in rows})
    rows = [(*row[:3], place) for place, row in enumerate(rows)]
    part = {place: own[number] for place, number in enumerate(order)}
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{name}.csv" for name in ("log", "validation", "test")]
        for number, file in enumerate(files):
            inside = [row[: 2 + timed] for row in rows if part[row[3]] == number]
            if inside:
                delimited(file, ["user", "item", *["time"] * timed], inside)
        options = {"test": files[2], **({"validation": files[1]} if validated else {})}
        try:
            expected = naive(rows, lambda row: part[row[3]], files=True, validated=validated)
        except Refused:
            with pytest.raises(DataError):
                load_log(files[0], **options)
            return
        check(options, files[0], expected)


DAYS = [("a", "x", 1), ("a", "y", 2), ("b", "x", 2), ("b", "z", 4), ("a", "z", 4), ("b", "y", 5),
        ("c", "q", 5), ("c", "r", 6), ("a", "x", 6)]  # fmt: skip


def of_days(form):
    return [(user, item, form(day)) for user, item, day in DAYS]


FORMS = {
    "date": lambda day: f"2024-06-0{day}",
    "zone": lambda day: f"2024-06-0{day}T01:00:00+01:00",
    "seconds": lambda day: 1_717_200_000 + (day - 1) * 86_400,
    "milliseconds": lambda day: 1000 * (1_717_200_000 + (day - 1) * 86_400),
    "fractions": lambda day: f"{1_717_200_000 + (day - 1) * 86_400}.5",
    "nanoseconds": lambda day: f"2024-06-0{day}T00:00:00.000000001",
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "split", ["time:2024-06-04,2024-06-05", "time:2024-06-05",
              "time:2024-06-04T02:00:00+02:00,2024/06/05",
              "time:1717459200,1717545600", "time:1717459200000,1717545600000"],
)  # fmt: skip
def test_a_date_cuts_logs_of_every_form_of_time(tmp_path, form, split):
    path = tmp_path / "log.csv"
    delimited(path, ["user", "item", "time"], of_days(FORMS[form]))
    log = load_log(path, split=split)
    parts, keys = log.split(), log.whole.keys
    assert listed(keys, parts.validation()) == [(("x", "y"), "z"), (("x",), "z")]
    assert listed(keys, parts.test()) == [(("x", "y", "z"), "x"), (("x", "z"), "y")]
    assert "validated from 2024-06-04 on, tested from 2024-06-05 on; 2 users to validate on" in (
        log.notes[1].replace(" 00:00:01", "")
    )
    assert log.notes[2:4] == (
        "after the cut only: 1 user, with nothing to be predicted from",
        "first seen after the cut: 3 items, which no model can know",
    )


@pytest.mark.parametrize("dtype", [pl.Date, pl.Datetime("ms"), pl.Datetime("ns", "Europe/Paris")])
def test_a_date_cuts_typed_times(dtype):
    days = pl.DataFrame(of_days(FORMS["date"]), schema=["user", "item", "time"], orient="row")
    frame = days.with_columns(pl.col("time").str.to_date().cast(dtype))
    parts = load_log(frame, split="time:2024-06-04,2024-06-05").split()
    assert (len(parts.validation().targets), len(parts.test().targets)) == (2, 2)


@pytest.mark.parametrize(
    ("split", "says"),
    [
        ("0.8,0.1", "2 shares; write three"),
        ("0.8,0.1,0.2", "add up to 1.1"),
        ("80,10,10", "add up to 100"),
        ("1.0,0.0,0.0", "above 0"),
        ("0.9,-0.1,0.2", "above 0"),
        ("time:june", "'june' is no time"),
        ("time:", "'' is no time"),
        ("time:2024-06-31", "no time"),
        ("time:2024-01-01,2024-01-02,2024-01-03", "3 cuts"),
        ("last", "'last' is unknown; write leave-one-out, time:"),
    ],
)
def test_an_impossible_split_is_refused_before_the_log_is_read(tmp_path, split, says):
    with pytest.raises(ConfigError, match=says):
        load_log(tmp_path / "there is no log", split=split)


@pytest.mark.parametrize(
    ("split", "says"),
    [
        ("time:2030-01-01", "outside of the log, which goes from 2024-06-01 to 2024-06-06"),
        ("time:2024-06-01", "outside of the log"),
        ("time:2024-06-05,2024-06-04", "nothing lies between the cuts 2024-06-05 and 2024-06-04"),
        ("time:2024-06-03,2024-06-04", "nothing is left to validate on"),
        ("time:2024-06-04,2024-06-06", None),
        ("0.01,0.01,0.98", "too many interactions are of the same time, 2024-06-01"),
    ],
)
def test_a_cut_that_leaves_nothing_is_refused(tmp_path, split, says):
    path = tmp_path / "log.csv"
    delimited(path, ["user", "item", "time"], of_days(FORMS["date"]))
    if says is None:
        assert load_log(path, split=split).split()
        return
    with pytest.raises(DataError, match=says):
        load_log(path, split=split)


def test_a_log_without_times_cannot_be_split_by_time(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("a x y z\nb x z y\n")
    for split in ("time:2024-06-01", "0.8,0.1,0.1"):
        with pytest.raises(DataError, match="has no times to split by"):
            load_log(path, split=split)
        with pytest.raises(DataError, match="has no times to split by"):
            make_shards(path, tmp_path / "shards", options=load_options(split=split))


def test_files_that_do_not_fit_are_refused(tmp_path):
    log, test, untimed = (tmp_path / name for name in ("log.csv", "test.csv", "untimed.csv"))
    delimited(log, ["user", "item", "time"], DAYS)
    delimited(test, ["user", "item", "time"], [("a", "z", 9), ("b", "z", 9)])
    delimited(untimed, ["user", "item"], [("a", "z")])
    for options, says in (
        ({"test": tmp_path / "none.csv"}, "no such file"),
        ({"validation": test}, "--validation needs --test"),
        ({"test": test, "split": "0.8,0.1,0.1"}, "leave out --split"),
        ({"test": untimed}, "have times in part"),
        ({"test": pl.DataFrame(DAYS, orient="row")}, "test must be the path of a file, not a Dat"),
    ):
        with pytest.raises((ConfigError, DataError), match=says):
            load_log(log, **options)
    read_log = load_log(log, test=test)
    assert "validated on each user's last item of the log, tested on test.csv" in read_log.notes[1]


def test_what_is_split_otherwise_is_another_log(tmp_path):
    path = tmp_path / "log.csv"
    delimited(path, ["user", "item", "time"], DAYS)
    splits = (None, "time:4,5", "time:4,6", "leave-one-out")
    digests = [load_log(path, split=split, min_length=3).source.digest for split in splits]
    assert digests[0] == digests[3] and len(set(digests)) == 3
    options = [load_log(path, split=split).source.options for split in splits]
    assert [o.get("split") for o in options] == [None, "time:4,5", "time:4,6", None]
    assert LoadOptions.from_dict(options[1]).over(LoadOptions()).split == "time:4,5"
    assert (
        load_options(split="leave-one-out").over(LoadOptions(split="0.8,0.1,0.1")).splitting == {}
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.lists(st.integers(0, 3), max_size=5), st.integers(0, 3)), min_size=1))
def test_repeats_are_counted_as_by_hand(users):
    ids = np.array([item for history, _ in users for item in history], dtype=np.int64)
    offsets = np.cumsum([0, *(len(history) for history, _ in users)])
    held = HeldOut(ids, offsets, np.array([target for _, target in users]))
    expected = [target > 0 and target in history for history, target in users]
    assert repeats(held).tolist() == expected
    assert repeat_share(held) == pytest.approx(sum(expected) / len(users))
