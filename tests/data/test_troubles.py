"""Logs with one trouble each: what is read from them, or the sentence that refuses them.

Each is read into memory and into shards, which must agree.
"""

import logging
import os

import polars as pl
import pytest

from glint_edge.data.log import load_log
from glint_edge.data.record import LoadOptions
from glint_edge.data.sharded.sharding import make_shards
from glint_edge.errors import DataError

START = 1_577_836_800_000_000_000  # 2020 in nanoseconds


def sequences_of(path, format=None):
    """Item keys by user from memory, and all users' from one shard that holds nobody out."""
    log = load_log(path, format=format)
    folder = path.with_name(path.name + ".shards")
    made = make_shards(path, folder, options=LoadOptions(format=format), parts=1, held_out=1)
    held = {tuple(items) for items in pl.read_parquet(folder / "held_out.parquet")["items"]}
    whole = [
        next((h for h in held if h[:-2] == tuple(items)), items)
        for items in pl.read_parquet(made.parts[0])["items"]
    ]
    in_shards = sorted([made.keys[item] for item in items] for items in whole)
    assert in_shards == sorted(log.sequences().values())
    assert made.summary == log.source.summary
    return log.sequences()


def csv_of(*rows, header="user,item,time"):
    return "\n".join([header, *rows]) + "\n"


XYZ = {"u": ["x", "y", "z"]}

READ = {
    "a time by another name": (
        "log.csv",
        csv_of(
            "u,z,2020-01-03", "u,x,2020-01-01", "u,y,2020-01-02",
            header="user_id,product_id,event_time",
        ),
        XYZ,
    ),
    "nanoseconds": (
        "log.csv",
        csv_of(*(f"u,{i},{START + n}" for i, n in [("z", 3), ("x", 1), ("y", 2), ("w", 0)])),
        {"u": ["w", "x", "y", "z"]},
    ),
    "nanoseconds of seconds": (
        "log.csv",
        csv_of(*(f"u,{i},1577836800.00000000{n}" for i, n in [("z", 3), ("x", 1), ("y", 2)])),
        XYZ,
    ),
    "nanoseconds of dates": (
        "log.csv",
        csv_of(
            *(f"u,{i},2020-01-01T00:00:00.00000000{n}Z" for i, n in [("z", 3), ("x", 1), ("y", 2)])
        ),
        XYZ,
    ),
    "days": (
        "log.tsv",
        "user\titem\ttime\nu\tz\t2020-01-02\nu\tx\t2020/01/01\nu\ty\t2020-01-01\n",
        XYZ,
    ),
    "blanks around keys": ("log.csv", csv_of(" u,x ,1", "u, y,2", "u ,z,3"), XYZ),
    "blank lines and old Macs' line ends": ("LOG.CSV", "user,item\r\ru,x\ru,y\r\ru,z\r", XYZ),
    "a byte order mark": (
        "log.inter",
        "\ufeffuser_id:token\titem_id:token\nu\tx\nu\ty\nu\tz\n",
        XYZ,
    ),
    "the same row twice": ("log.csv", csv_of("u,x,1", "u,y,2", "u,x,1", "u,z,3"), XYZ),
    "RecBole's types": (
        "log.inter",
        "user_id:token\titem_id:token\ttimestamp:float\nu\tz\t3.0\nu\tx\t1.5\nu\ty\t2\n",
        XYZ,
    ),
    "RecBole's histories": (
        "log.inter",
        "session_id:token\titem_id_list:token_seq\titem_id:token\n"
        "1\tx y\tz\n2\tx\tw\n3\ta b c\td\n",
        {"1": ["x", "y", "z"], "3": ["a", "b", "c", "d"]},
    ),
    "whole numbers as pandas writes them": (
        "log.csv",
        csv_of("1.0,242.0,1", "1.0,7.0,2", "1.0,10.0,3"),
        {"1": ["242", "7", "10"]},
    ),
    "versions, which are no numbers": (
        "log.csv",
        csv_of("1.0,1.0,1", "1.0,1.10,2", "1.0,2.0,3"),
        {"1": ["1.0", "1.10", "2.0"]},
    ),
    "a counter, which passes through all magnitudes": (
        "log.csv",
        csv_of(*(f"u,{n:02},{10**n}" for n in range(15))),
        {"u": [f"{n:02}" for n in range(15)]},
    ),
    "lines": (
        "log.txt",
        "a x y z\nb z y\nc x y z x\n",
        {"a": ["x", "y", "z"], "c": ["x", "y", "z", "x"]},
    ),
    "MovieLens": ("ratings.dat", "u::x::3::1\nu::z::3::3\nu::y::3::2\n", XYZ),
    "a name twice that is not used": (
        "log.csv",
        csv_of("u,x,,", "u,y,,", "u,z,,", header="user,item,note,note"),
        XYZ,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "expected"), READ.values(), ids=READ)
def test_it_is_read(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content.encode())
    assert sequences_of(tmp_path / name) == expected


REFUSED = {
    "no user": ("log.csv", csv_of("u,x,1", ",x,2"), "line 3: the user is missing; fill"),
    "no item": ("log.csv", csv_of("u,x,1", "u,,2"), "line 3: the item is missing; fill"),
    "NULL": ("log.csv", csv_of("u,x,1", "NULL,x,2"), r"line 3: the user is missing \('NULL' is no"),
    "nan": ("log.csv", csv_of("u,x,1", "u,nan,2"), r"line 3: the item is missing \('nan' is no"),
    "NA": ("log.tsv", "user\titem\nu\tx\nu\tNA\n", r"line 3: the item is missing \('NA' is no"),
    "None in lines": ("log.txt", "u x y None\nv x\n", r"line 1: .* missing \('None' is no key\)"),
    "no time": ("log.csv", csv_of("u,x,1", "u,y,"), "line 3: the time is missing"),
    "a time that is nan": ("log.csv", csv_of("u,x,1", "u,y,nan"), "line 3: 'nan' is not a time"),
    "two units of time": (
        "log.csv",
        csv_of("u,x,1577836800", "u,y,1577836801000", "u,z,1577836802"),
        "line 3: the time 1577836801000 is in milliseconds, that of line 2, 1577836800, in seconds",
    ),
    "two units with fractions": (
        "log.csv",
        csv_of("u,x,1577836800000.5", "u,y,1577836801.5"),
        "line 2: the time 1577836800000.5 is in milliseconds, that of line 3",
    ),
    "a column twice": ("log.csv", csv_of("u,v,x", header="user,user,item"), "two columns 'user'"),
    "a column twice in RecBole's": (
        "log.inter",
        "user_id:token\titem_id:token\titem_id:token\nu\tx\ty\n",
        "two columns 'item_id'; rename one",
    ),
    "JSON lines": ("log.jsonl", '{"user": "u", "item": "x"}\n' * 3, "is JSON; write it as"),
    "JSON lines in a CSV": ("log.csv", '{"user": "u", "item": "x"}\n', "is JSON; write it as"),
    "a JSON list": ("log.json", '[\n {"user": "u", "item": "x"}]\n', "is JSON; write it as"),
    "a session in several rows": (
        "log.inter",
        "session_id:token\titem_id_list:token_seq\titem_id:token\n1\tx y\tz\n1\tx\ty\n",
        "line 3: user '1' again, with a list of items",
    ),
    "only lists": (
        "log.inter",
        "user_id:token\titem_id:token_seq\nu\tx y z\n",
        "column 'item_id' holds lists",
    ),
    "a long row": ("log.csv", csv_of("u,x,1", "u,y,2,3"), "line 3: 4 fields under a header of 3"),
    "another encoding": ("log.csv", b"user,item\nu,\xe9\n", "line 2: byte 0xe9 is not UTF-8 text"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "message"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_in_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for read in (load_log, lambda log: make_shards(log, tmp_path / "shards")):
        with pytest.raises(DataError, match=message) as caught:
            read(path)
        assert "\n" not in str(caught.value)
    assert [found.name for found in tmp_path.iterdir()] == [name]


def test_a_parquet_with_bytes_or_nan_for_keys(tmp_path):
    path = tmp_path / "log.parquet"
    pl.DataFrame({"user": [b"u"] * 3, "item": [b"x", b"y", b"z"]}).write_parquet(path)
    assert sequences_of(path) == XYZ
    for item, message in [
        ([b"x", b"\xff\x00", b"z"], r"row 2: the item is b'\\xff\\x00', which is not UTF-8"),
        ([1.0, float("nan"), 2.0], r"row 2: the item is missing \(nan is no key\)"),
    ]:
        pl.DataFrame({"user": ["u"] * 3, "item": item}).write_parquet(path)
        for read in (load_log, lambda log: make_shards(log, tmp_path / "shards")):
            with pytest.raises(DataError, match=message):
                read(path)


@pytest.mark.parametrize(
    ("header", "value", "looks"),
    [
        ("viewed_on", "2020-01-0{}", True),
        ("Zeitpunkt", "2020-01-0{} 12:00", True),
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
        caplog.clear()
        make_shards(tmp_path / name, tmp_path / f"{name}.shards", parts=1)
        assert (warning in caplog.text) == looks
    typed = pl.read_csv(tmp_path / "log.csv", try_parse_dates=True)
    typed.write_parquet(tmp_path / "log.parquet")
    pandas = pytest.importorskip("pandas").DataFrame(typed.to_dict(as_series=False))
    for source in (typed, pandas, tmp_path / "log.parquet"):
        assert bool(load_log(source).warnings) == looks


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
