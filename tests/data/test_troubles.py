"""Logs with one trouble each: what is read from them, or the sentence that refuses them.

Each is read into memory and into shards, which must agree.
"""

import logging
import os
from datetime import datetime

import polars as pl
import pytest

from glint_edge.data.log import load_log
from glint_edge.data.options import load_options
from glint_edge.data.sharded.sharding import make_shards
from glint_edge.errors import DataError, GlintEdgeError
from tests.data.exports import EXPORTS
from tests.data.logs import read_both
from tests.data.troubles import TROUBLES, XYZ

LOGS = {**TROUBLES, **EXPORTS}


@pytest.mark.parametrize("trouble", LOGS.values(), ids=LOGS)
def test_it_is_read_as_the_table_says_or_refused_in_one_line(tmp_path, trouble):
    path = tmp_path / trouble.file
    path.write_bytes(trouble.bytes)
    if isinstance(trouble.result, dict):
        log = read_both(path, **trouble.options)
        assert log.sequences() == trouble.result
        said = "\n".join((*log.warnings, *log.notes))
        assert trouble.said in said
        assert log.source.notes == (*log.warnings, *log.notes)
        return
    for read in (load_log, lambda log, **options: in_shards(log, tmp_path, **options)):
        with pytest.raises(GlintEdgeError, match=trouble.result) as caught:
            read(path, **trouble.options)
        assert "\n" not in str(caught.value)
    assert [found.name for found in tmp_path.iterdir()] == [trouble.file]


def in_shards(log, folder, **options):
    return make_shards(log, folder / "shards", options=load_options(**options))


def test_there_are_many():
    assert len(LOGS) == len(TROUBLES) + len(EXPORTS) >= 120


def test_a_list_of_json_that_is_too_long_is_not_taken_into_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("glint_edge.data.reading.objects.MOST_LISTED", 10)
    (tmp_path / "log.json").write_text('[{"user": "u", "item": "x"}]')
    with pytest.raises(DataError, match=r"too long .*an object a line, as jq -c '.\[\]' does"):
        load_log(tmp_path / "log.json")


def test_a_parquet_with_bytes_or_nan_for_keys(tmp_path):
    path = tmp_path / "bytes.parquet"
    pl.DataFrame({"user": [b"u"] * 3, "item": [b"x", b"y", b"z"]}).write_parquet(path)
    assert read_both(path).sequences() == XYZ
    path = tmp_path / "floats.parquet"
    pl.DataFrame({"user": ["u"] * 4, "item": [1.0, float("nan"), 2, 3]}).write_parquet(path)
    log = read_both(path)
    assert log.sequences() == {"u": ["1", "2", "3"]}
    assert "left out: 1 row without an item" in log.notes
    pl.DataFrame({"user": ["u"] * 3, "item": [b"x", b"\xff\x00", b"z"]}).write_parquet(path)
    message = r"row 2: the item is b'\\xff\\x00', which is not UTF-8"
    for read in (load_log, lambda log: make_shards(log, tmp_path / "shards")):
        with pytest.raises(DataError, match=message):
            read(path)


def test_all_of_a_column_says_which_events_are_not_used(tmp_path):
    kinds = ["view"] * 298 + ["cart", "cart", "buy", None, None]
    frame = pl.DataFrame({"user": ["u"] * 303, "item": map(str, range(303)), "event_type": kinds})
    frame.write_csv(tmp_path / "log.csv")
    frame.write_parquet(tmp_path / "log.parquet")
    frame.write_ndjson(tmp_path / "log.jsonl")
    inter = frame.rename({name: f"{name}:token" for name in ("user", "item", "event_type")})
    inter = inter.rename({"user:token": "user_id:token", "item:token": "item_id:token"})
    inter.write_csv(tmp_path / "log.inter", separator="\t")
    pandas = pytest.importorskip("pandas").DataFrame(frame.to_dict(as_series=False))
    for source in (*tmp_path.iterdir(), frame, pandas):
        warning = "column event_type is not used (view, cart, buy): all its events count alike"
        assert warning in "".join(load_log(source).warnings)


@pytest.mark.parametrize(
    "times",
    [
        [datetime(2020, 1, 3), None, datetime(2020, 1, 1), datetime(2020, 1, 2)],
        [3.5, float("nan"), 1, 2],
        [3, None, 1, 2],
        ["2020-01-03", "0000-00-00", "2020-01-01", "2020-01-02"],
    ],
)
def test_a_row_without_a_time_is_left_out_of_tables_with_types(tmp_path, times):
    frame = pl.DataFrame({"user": ["u"] * 4, "item": list("zqxy"), "time": times}, strict=False)
    frame.write_parquet(tmp_path / "log.parquet")
    log = read_both(tmp_path / "log.parquet")
    pandas = pytest.importorskip("pandas").DataFrame(frame.to_dict(as_series=False))
    for each in (log, load_log(frame), load_log(pandas)):
        assert each.sequences() == XYZ
        assert "left out: 1 row without a time" in each.notes


@pytest.mark.parametrize(
    ("header", "value", "looks"),
    [
        ("viewed_on", "2020-01-0{}", True),
        ("Augenblick", "2020-01-0{} 12:00", True),
        ("moment", "157783680{}", True),
        ("happenedAt", "{}", True),
        ("price", "{}.5", False),
        ("note", "x{}", False),
    ],
)
def test_a_column_that_looks_like_a_time_and_is_not_taken_is_warned_of(
    tmp_path, caplog, header, value, looks
):
    caplog.set_level(logging.WARNING, "glint_edge")
    for name, separator in (("log.csv", ","), ("log.inter", "\t")):
        rows = ["user_id,item_id," + header, *(f"u,{i},{value.format(i)}" for i in (3, 1, 2))]
        (tmp_path / name).write_text("\n".join(rows).replace(",", separator))
        caplog.clear()
        log = load_log(tmp_path / name)
        assert log.sequences() == {"u": ["3", "1", "2"]}
        warning = f"{header} looks like a time and is not used"
        assert (warning in caplog.text) == (warning in "".join(log.warnings)) == looks
        assert ("there is no time" in caplog.text) == (not looks)
        caplog.clear()
        make_shards(tmp_path / name, tmp_path / f"{name}.shards", parts=1)
        assert (warning in caplog.text) == looks
    typed = pl.read_csv(tmp_path / "log.csv", try_parse_dates=True)
    typed.write_parquet(tmp_path / "log.parquet")
    pandas = pytest.importorskip("pandas").DataFrame(typed.to_dict(as_series=False))
    for source in (typed, pandas, tmp_path / "log.parquet"):
        assert (warning in "".join(load_log(source).warnings)) == looks


def test_what_is_no_plain_file_is_refused_and_not_waited_for(tmp_path):
    pipe = tmp_path / "log.csv"
    os.mkfifo(pipe)
    folder = tmp_path / "folder"
    folder.mkdir()
    os.mkfifo(folder / "part.parquet")
    for read in (load_log, lambda log: make_shards(log, tmp_path / "shards")):
        with pytest.raises(DataError, match=r"log\.csv is a folder or a pipe; pass the path"):
            read(pipe)
    with pytest.raises(DataError, match=r"part\.parquet is a folder or a pipe"):
        make_shards(folder, tmp_path / "shards")
