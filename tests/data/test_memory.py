"""Logs in memory: DataFrames and lists of keys, read as the file of the same would be."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glint_edge.data.log import load_log
from glint_edge.errors import ConfigError, DataError
from tests.data.logs import KEYS, ROWS, delimited, expected

THREE = {"user": [7, 7, 7], "item": [50, 181, 9], "time": [3, 1, 2]}


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(KEYS, st.lists(KEYS, min_size=1, max_size=5), min_size=1, max_size=5))
def test_lists_give_what_the_csv_of_them_gives(histories):
    rows = [(user, item) for user, items in histories.items() for item in items]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.csv"
        delimited(path, ["user", "item"], rows)
        from_file = load_log(path, min_length=1)
    from_lists = load_log(histories, min_length=1)
    assert from_lists.sequences() == from_file.sequences() == histories
    assert from_lists.whole.keys == from_file.whole.keys
    assert np.array_equal(from_lists.whole.ids, from_file.whole.ids)


@settings(max_examples=30, deadline=None)
@given(ROWS)
def test_a_frame_of_polars_or_pandas_gives_what_the_rules_say(rows):
    pandas = pytest.importorskip("pandas")
    histories, ranked = expected(rows, min_length=1)
    columns = dict(zip(("who", "sku", "at"), map(list, zip(*rows, strict=True)), strict=True))
    for frame in (pl.DataFrame(columns), pl.LazyFrame(columns), pandas.DataFrame(columns)):
        log = load_log(frame, user="who", item="sku", time="at", min_length=1)
        assert log.sequences() == histories
        assert log.whole.keys == ("", *ranked)
        assert log.columns == {"user": "who", "item": "sku", "time": "at"}
        assert (log.name, log.source.source) == ("dataframe", "")


def test_whole_numbers_are_taken_as_their_text():
    pandas = pytest.importorskip("pandas")
    for kind in (int, float):
        columns = {**THREE, "item": [kind(item) for item in THREE["item"]]}
        for frame in (pl.DataFrame(columns), pandas.DataFrame(columns)):
            assert load_log(frame).sequences() == {"7": ["181", "9", "50"]}
    mixed = {7: [50, 181.0, np.int32(9), np.float32(4), "x"]}
    assert load_log(mixed).sequences() == {"7": ["50", "181", "9", "4", "x"]}
    odd = pl.DataFrame({"user": [1.0] * 3, "item": [0.5, 2.0, 3.0]})
    assert load_log(odd).sequences() == {"1": ["0.5", "2", "3"]}


def test_columns_of_pandas_of_every_kind():
    pandas = pytest.importorskip("pandas")
    start = datetime(2024, 5, 1, tzinfo=UTC)
    moments = [start + timedelta(microseconds=n) for n in (3, 1, 2)]
    frame = pandas.DataFrame(
        {
            "user": pandas.Categorical(["a", "a", "a"]),
            "item": pandas.array([1, 2, 3], dtype="Int64"),
            "time": pandas.to_datetime(moments, utc=True).tz_convert("Asia/Tokyo"),
            "mixed": ["x", 2, 3.0],
            "seconds": np.array([3, 1, 2], dtype="datetime64[s]"),
            4: ["x", "y", "z"],
        }
    )
    assert load_log(frame).sequences() == {"a": ["2", "3", "1"]}
    assert load_log(frame, item="mixed", time="seconds").sequences() == {"a": ["2", "3", "x"]}
    assert load_log(frame, item="4").sequences() == {"a": ["y", "z", "x"]}
    assert load_log(frame).notes[1] == "columns not used: mixed, seconds, 4"


def test_a_list_of_lists_numbers_the_users():
    log = load_log([["x", "y", "z"], np.array([1, 2, 3]), [], ("x", "y")])
    assert log.sequences() == {"0": ["x", "y", "z"], "1": ["1", "2", "3"]}
    assert log.columns == {}
    assert log.notes == (
        "there is no time: items are taken in the order in which they stand",
        "left out: 1 user without items",
        "left out: 1 user with fewer than 3 items",
        "repeats: no target repeats an earlier item of its own history",
    )


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"u": "50,181"}, r"user 'u': '50,181' is one text, not a list of keys; write \['50', "),
        (["50,181", "7"], r"user 0: '50,181' is one text"),
        ({"u": [["x"], ["y"]]}, r"a text or a whole number, not \['x'\]"),
        ({"u": ["x", None, "z"]}, "user 'u': an item's key is a text or a whole number, not None"),
        ({"u": ["x", 1.5, True]}, "not 1.5"),
        ({"u": [True]}, "not True"),
        ({"u": [float("nan")]}, "not nan"),
        ({"u": 5}, "5 is not a list of keys"),
        ({None: ["x"]}, "user None: "),
        ({"u": ["x", " ", "z"]}, "no user is left .*left out: 1 row without an item"),
        ({1: ["x"], "1": ["y"]}, "user '1' is there twice"),
        ({"user_id": [1, 2], "item_id": [3, 4]}, "has columns.*; pass a DataFrame of it"),
        ({"u": ["\ud800", "y", "z"]}, r"'\\ud800' is no text of Unicode"),
        ({}, "no rows; pass a log with interactions"),
        (5, "5 is no log; pass a path, a DataFrame or lists"),
        (None, "None is no log"),
    ],
)
def test_lists_that_make_no_sense_are_refused(source, message):
    with pytest.raises(DataError, match=message):
        load_log(source)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user": ["u"], "item": ["x"], "time": ["soon"]}, "row 1: 'soon' is not a time"),
        ({"who": ["u"], "item": ["x"]}, "no user column found; choose user= from who"),
    ],
)
def test_frames_that_make_no_sense_are_refused(columns, message):
    frames = [pl.DataFrame(columns)]
    frames.append(pytest.importorskip("pandas").DataFrame(columns))
    for frame in frames:
        with pytest.raises(DataError, match=f"the DataFrame.*{message}"):
            load_log(frame)


def test_a_column_of_lists_of_lists_or_there_twice_is_refused():
    pandas = pytest.importorskip("pandas")
    columns = {"user": ["u"], "item": [[["x"], ["y"]]]}
    for frame in (pl.DataFrame(columns), pandas.DataFrame(columns)):
        with pytest.raises(DataError, match="'item', the item, holds lists or objects; flatten it"):
            load_log(frame)
    for column in ("user", "time"):
        columns = {"user": "u", "item": "x", "time": 1, column: [[1, 2]]}
        for frame in (pl.DataFrame(columns), pandas.DataFrame(columns)):
            with pytest.raises(
                DataError, match=f"column '{column}' holds lists|the {column}, holds"
            ):
                load_log(frame)
    twice = pandas.DataFrame([["u", "x", "y"]], columns=["user", "item", "item"])
    with pytest.raises(DataError, match="two columns 'item'; rename one"):
        load_log(twice)


def test_what_is_no_column_of_keys_is_refused():
    pandas = pytest.importorskip("pandas")
    half = pandas.DataFrame({"user": ["u"], "item": ["\ud800"]})
    with pytest.raises(DataError, match="is no text of Unicode"):
        load_log(half)
    objects = pl.DataFrame({"user": ["u"], "item": pl.Series([object()], dtype=pl.Object)})
    with pytest.raises(DataError, match="column 'item' holds Python objects"):
        load_log(objects)


def test_options_of_files_are_refused():
    with pytest.raises(ConfigError, match="format 'csv' is of files"):
        load_log(pl.DataFrame(THREE), format="csv")
    with pytest.raises(ConfigError, match="lists of keys have no columns"):
        load_log([["x", "y", "z"]], user="user")
