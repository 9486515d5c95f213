"""Logs in, sequences out; everything is checked against a plain-Python reading of the rules."""

import csv
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glint_edge.data.columns import Columns
from glint_edge.data.formats import FORMATS
from glint_edge.data.histories import last_items
from glint_edge.data.log import load
from glint_edge.data.named import NAMED, NamedData
from glint_edge.data.sequences import Sequences, split
from glint_edge.errors import ConfigError, DataError

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"


# --- the rules in plain Python: rows are (user, item, time), time None where the log has none


def expected(rows, k_core=0, min_length=3):
    """Users with their items in order, and the popularity order of items."""
    rows = [
        row for at, row in enumerate(rows) if row[2] is None or row not in rows[:at]
    ]  # exact duplicates
    while True:
        users, items = Counter(r[0] for r in rows), Counter(r[1] for r in rows)
        kept = [r for r in rows if users[r[0]] >= k_core and items[r[1]] >= k_core]
        if kept == rows:
            kept = [r for r in rows if users[r[0]] >= min_length]
        if kept == rows:
            break
        rows = kept
    histories = {}
    for user, item, time in rows:
        histories.setdefault(user, []).append((time or 0, item))
    histories = {
        user: [item for _, item in sorted(seen, key=lambda pair: pair[0])]
        for user, seen in histories.items()
    }
    flat = [item for seen in histories.values() for item in seen]
    counts = Counter(flat)
    ranked = sorted(counts, key=lambda item: (-counts[item], flat.index(item)))
    return histories, ranked


def as_dict(sequences):
    """The histories in the user's own keys, by way of the arrays."""
    return {
        user: [sequences.keys[i] for i in sequences.history(u)]
        for u, user in enumerate(sequences.users)
    }


def same(sequences, histories, ranked):
    assert list(sequences.users) == list(histories)
    assert as_dict(sequences) == histories
    assert sequences.keys == ("", *ranked)
    assert sequences.ids.dtype == sequences.offsets.dtype == np.int64
    assert sequences.offsets[0] == 0 and sequences.offsets[-1] == len(sequences.ids)


# --- one log in every format


def moment(time):
    return datetime(2020, 1, 1) + timedelta(microseconds=1, hours=time)


def delimited(path, header, rows, separator=","):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerow(header)
        writer.writerows(rows)


def write_inter(path, rows):
    head = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    path.write_text(head + "".join(f"{u}\t{i}\t3\t{t}\n" for u, i, t in rows), encoding="utf-8")


def write_u_data(path, rows):
    path.write_text("".join(f"{u}\t{i}\t3\t{t}\n" for u, i, t in rows), encoding="utf-8")


def write_dat(path, rows):
    path.write_text("".join(f"{u}::{i}::3::{t}\n" for u, i, t in rows), encoding="utf-8")


def write_csv(path, rows):
    delimited(
        path, ["userId", "movieId", "rating", "timestamp"], [(u, i, 3, t) for u, i, t in rows]
    )


def write_fractions(path, rows):
    delimited(path, ["Item ID", "User-ID", "ts"], [(i, u, t + 0.5) for u, i, t in rows])


def write_dates(path, rows):
    delimited(path, ["date", "user", "item"], [(moment(t), u, i) for u, i, t in rows])


def write_zones(path, rows):
    """The same moments, each in another time zone."""
    zoned = [
        (u, i, moment(t).replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=at % 5))))
        for at, (u, i, t) in enumerate(rows)
    ]
    delimited(path, ["user", "item", "time"], [(u, i, t.isoformat()) for u, i, t in zoned])


def write_tsv(path, rows):
    delimited(path, ["visitorid", "product_id", "time"], rows, separator="\t")


def write_parquet(path, rows):
    user, item, time = zip(*rows, strict=True)
    frame = pl.DataFrame({"user": user, "item": item, "time": time})
    frame.with_columns(pl.col("item").cast(pl.Categorical)).write_parquet(path)


def write_parquet_dates(path, rows):
    user, item, time = zip(*rows, strict=True)
    pl.DataFrame({"user": user, "item": item, "time": map(moment, time)}).write_parquet(path)


WRITERS = {
    "log.inter": write_inter,
    "u.data": write_u_data,
    "ratings.dat": write_dat,
    "ratings.csv": write_csv,
    "fractions.csv": write_fractions,
    "dates.csv": write_dates,
    "zones.csv": write_zones,
    "log.tsv": write_tsv,
    "log.parquet": write_parquet,
    "dates.pq": write_parquet_dates,
    # told by their first lines
    "inter.txt": write_inter,
    "dat": write_dat,
    "csv.log": write_csv,
    "parquet.bin": write_parquet,
}

# few users, items and times: ties, repeats, duplicates and cores are the rule, not the exception
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["10", "9", "ü", "a b"]),
        st.sampled_from(["x", "7", "07", "é'", "y:z"]),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=40,
)
# a quoted key may hold anything; the ends are trimmed
KEYS = st.text('ab,;"\n é', min_size=1, max_size=3).map(str.strip).filter(bool)


def check(load_it, rows, **options):
    """`load_it` gives what the rules say; the sequences, or None where no user is left."""
    histories, ranked = expected(rows, **options)
    if not histories:
        with pytest.raises(DataError, match="no user is left"):
            load_it(**options)
        return None
    sequences = load_it(**options)
    same(sequences, histories, ranked)
    return sequences


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, k_core=st.integers(0, 3), min_length=st.integers(1, 4))
def test_every_format_gives_what_the_rules_say(rows, k_core, min_length):
    with tempfile.TemporaryDirectory() as folder:
        for name, write in WRITERS.items():
            path = Path(folder) / name
            write(path, rows)
            found = check(
                lambda path=path, **options: load(path, **options),
                rows,
                k_core=k_core,
                min_length=min_length,
            )
            if found:
                duplicates = len(rows) - len(set(rows))
                assert found.dropped.get("exact duplicate rows", 0) == duplicates
                assert all(found.dropped.values())
                assert found.name == name


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(KEYS, KEYS), min_size=1, max_size=30))
def test_without_times_the_order_is_the_file_s_and_repeats_stay(rows):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.csv"
        delimited(path, ["user", "item"], rows)
        timeless = [(user, item, None) for user, item in rows]
        found = check(lambda **options: load(path, **options), timeless, min_length=1)
    assert found.interactions == len(rows) and not found.dropped


@settings(max_examples=40, deadline=None)
@given(
    histories=st.dictionaries(
        st.sampled_from("abcd"), st.lists(st.sampled_from("wxyz"), min_size=1), min_size=1
    )
)
def test_a_user_a_line_and_a_pair_a_line(histories):
    rows = [(user, item, None) for user, items in histories.items() for item in items]
    with tempfile.TemporaryDirectory() as folder:
        lines, pairs = Path(folder) / "lines.txt", Path(folder) / "pairs.txt"
        lines.write_text("\n".join(" ".join([u, *items]) for u, items in histories.items()))
        pairs.write_text("".join(f"{u}\t {i} \n" for u, i, _ in rows))
        check(lambda **options: load(lines, **options), rows)
        check(lambda **options: load(pairs, format="lines", **options), rows)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, k=st.integers(1, 4))
def test_k_core_leaves_nothing_rarer_than_k_and_is_the_largest_such_log(rows, k):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.inter"
        write_inter(path, rows)
        found = check(lambda **options: load(path, **options), rows, k_core=k, min_length=1)
    if found:
        assert min(np.bincount(found.ids)[1:]) >= k
        assert min(np.diff(found.offsets)) >= k


# --- order, popularity, repeats


def test_ties_in_time_keep_the_file_s_order(tmp_path):
    path = tmp_path / "log.csv"
    rows = [("u", str(n), 5 - n // 40) for n in range(200)]  # 40 at each time, latest first
    delimited(path, ["user", "item", "time"], rows)
    items = as_dict(load(path))["u"]
    assert items == [str(n) for start in (160, 120, 80, 40, 0) for n in range(start, start + 40)]


def test_nanosecond_times_are_not_rounded_to_a_float(tmp_path):
    path = tmp_path / "log.csv"
    start = 1_600_000_000_000_000_000
    delimited(path, ["user", "item", "time"], [("u", str(n), start - n) for n in range(5)])
    assert as_dict(load(path))["u"] == ["4", "3", "2", "1", "0"]


def test_ids_are_popularity_ranks(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("a x y z\nb z y q\nc z w q\n")
    found = load(path)
    # z three times; y and q twice, y first; x and w once, x first
    assert found.keys == ("", "z", "y", "q", "x", "w")
    assert found.ids.tolist() == [4, 2, 1, 1, 2, 3, 1, 5, 3]
    assert found.item_count == 5 and len(found) == 3
    assert found.interactions == 9 and found.mean_length == 3.0
    assert repr(found) == "Sequences('log.txt': 3 users, 5 items, 9 interactions)"


def test_equally_popular_items_rank_as_they_come_in_a_long_log_too(tmp_path):
    path = tmp_path / "log.csv"
    rows = [(f"u{n % 50}", str(n * n % 997), n % 7) for n in range(1500)]
    delimited(path, ["user", "item", "time"], rows)
    same(load(path), *expected(rows))


def test_an_item_at_another_time_is_no_duplicate(tmp_path):
    path = tmp_path / "log.inter"
    write_inter(path, [("u", "x", 1), ("u", "x", 2), ("u", "x", 1), ("u", "y", 1), ("v", "x", 1)])
    found = load(path)
    assert as_dict(found) == {"u": ["x", "y", "x"]}
    assert found.dropped == {"exact duplicate rows": 1, "users with fewer than 3 items": 1}


def test_short_users_and_the_k_core_are_repeated_until_both_hold(tmp_path):
    path = tmp_path / "log.txt"
    # d is too short; without d, z is in one history alone; without z, a is too short
    path.write_text("a x y z\nb x y x\nc x y x y\nd z x\n")
    found = load(path, k_core=2, min_length=3)
    assert as_dict(found) == {"b": ["x", "y", "x"], "c": ["x", "y", "x", "y"]}
    assert found.dropped == {
        "interactions outside the 2-core": 1,
        "users with fewer than 3 items": 2,
    }


def test_keys_are_text_and_trimmed(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("user,item\n 1 ,007\n1,7\n1, 7.0\n")
    assert as_dict(load(path)) == {"1": ["007", "7", "7.0"]}


# --- columns


def test_chosen_columns_win_over_usual_names(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("user,item,time,who,what,when\na,b,c,u,x,3\na,b,c,u,y,2\na,b,c,u,z,1\n")
    found = load(path, columns=Columns(user="who", item="what", time="when"))
    assert as_dict(found) == {"u": ["z", "y", "x"]}


def test_of_several_usual_names_the_likeliest_then_the_first_is_taken(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("session,User,user,item,item_id\ns,u,v,a,x\ns,u,v,b,y\ns,u,v,c,z\n")
    assert as_dict(load(path)) == {"u": ["x", "y", "z"]}


def test_other_columns_may_have_any_name(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("row,line,len,id,user,item\n,,,,u,x\n,,,,u,y\n,,,,u,z\n")
    assert as_dict(load(path)) == {"u": ["x", "y", "z"]}


def test_blank_lines_bom_and_windows_line_ends(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b"\xef\xbb\xbfuser,item\r\n\r\nu,x\r\nu,y\r\n\r\nu,z\r\n\r\n")
    assert as_dict(load(path)) == {"u": ["x", "y", "z"]}


# --- titles


THREE = [("u", "1", 1), ("u", "2", 2), ("u", "3", 3)]


def test_titles_of_recbole_carry_the_year(tmp_path):
    write_inter(tmp_path / "log.inter", THREE)
    (tmp_path / "log.item").write_text(
        "item_id:token\tmovie_title:token_seq\trelease_year:token\n"
        "1\tToy Story\t1995\n2\tunknown\tV\n9\tNot in the log\t1990\n3\n"
    )
    assert load(tmp_path / "log.inter").titles == {"1": "Toy Story (1995)", "2": "unknown"}


def test_titles_of_recbole_without_year_or_title(tmp_path):
    write_inter(tmp_path / "log.inter", THREE)
    (tmp_path / "log.item").write_text("item_id:token\tTitle:token_seq\n1\tToy\n")
    assert load(tmp_path / "log.inter").titles == {"1": "Toy"}
    (tmp_path / "log.item").write_text("item_id:token\tclass:token_seq\n1\tToy\n")
    assert load(tmp_path / "log.inter").titles == {}


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
@pytest.mark.parametrize(
    ("log", "write", "beside", "text"),
    [
        ("u.data", write_u_data, "u.item", "1|Misérables, Les (1995)|1995|0\n2|Alien|1979|1\n"),
        ("ratings.dat", write_dat, "movies.dat", "1::Misérables, Les (1995)::Drama\n2::Alien::X\n"),
        (
            "ratings.csv",
            write_csv,
            "movies.csv",
            'movieId,title,genres\n1,"Misérables, Les (1995)",Drama\n2,Alien,X\n',
        ),
    ],
)
def test_titles_of_movielens(tmp_path, log, write, beside, text, encoding):
    write(tmp_path / log, THREE)
    assert load(tmp_path / log).titles == {}
    (tmp_path / beside).write_text(text, encoding=encoding)
    assert load(tmp_path / log).titles == {"1": "Misérables, Les (1995)", "2": "Alien"}


# --- refusals


GOOD = "u,x,1\nu,y,2\nu,z,3\n"

BAD_FILES = {
    "empty": ("log.csv", b"", "log.csv is empty"),
    "blank": ("log.txt", b" \n\n", "log.txt is empty"),
    "only a header": ("log.csv", b"user,item,time\n", "a header and no rows"),
    "only a header, inter": ("l.inter", b"user_id:token\titem_id:token\n", "a header and no rows"),
    "no item column": (
        "log.csv",
        b"user,thing,time\nu,x,1\n",
        "item column from user, thing, time",
    ),
    "time": (
        "log.csv",
        f"user,item,time\n{GOOD}u,x,soon\n".encode(),
        "line 5: 'soon' is not a time",
    ),
    "day/month": ("log.csv", b"user,item,time\nu,x,03/04/2020\n", "line 2: '03/04/2020' is not a"),
    "date, then none": (
        "log.csv",
        b"user,item,time\nu,x,2020-01-01\nu,x,1x\n",
        "line 3: '1x' is not",
    ),
    "infinite time": (
        "log.csv",
        f"user,item,time\n{GOOD}u,x,inf\n".encode(),
        "line 5: 'inf' is not",
    ),
    "nan time": ("log.csv", f"user,item,time\n{GOOD}u,x,nan\n".encode(), "line 5: 'nan' is not a"),
    "no time": ("log.csv", f"user,item,time\n{GOOD}u,x,\n".encode(), "line 5: the time is missing"),
    "no user": ("log.csv", f"user,item,time\n{GOOD},x,4\n".encode(), "line 5: the user is missing"),
    "blank item": (
        "log.csv",
        f'user,item,time\n{GOOD}u,"  ",4\n'.encode(),
        "line 5: the item is m",
    ),
    "short row": ("log.csv", f"user,item,time\n{GOOD}u\n".encode(), "line 5: the item is missing"),
    "after a blank line": ("log.csv", b"\nuser,item\n\nu,x\n\nu,\n", "line 6: the item is missing"),
    "after a long record": ("log.csv", b'user,item\nu,"x\ny"\nu,\n', "line 4: the item is missing"),
    "long row": ("log.csv", f"user,item,time\n{GOOD}u,x,4,5\n".encode(), "line 5: 4 fields under"),
    "open quote": ("log.csv", f'user,item,time\n{GOOD}u,"x,4\nu,y,5\n'.encode(), "line 5: "),
    "long open quote": ("log.csv", b'user,item\nu,"x\n' + b"u,y\n" * 40_000, "line 2: "),
    "latin-1": (
        "log.csv",
        "user,item\nu,x\nu,é\n".encode("latin-1"),
        "line 3: byte 0xe9 is not UTF",
    ),
    "inter, time": (
        "log.inter",
        b"user_id:token\titem_id:token\ttimestamp:float\n1\t2\t3\n\n1\t2\tx\n",
        "line 4: 'x' is not a time",
    ),
    "inter, fields": (
        "l.inter",
        b"user_id:token\titem_id:token\n1\t2\n1\n",
        "line 3: 1 fields where 2",
    ),
    "u.data, fields": ("u.data", b"1\t2\t3\t4\n1\t2\t3\n", "line 2: 3 fields where 4"),
    "u.data, no item": ("u.data", b"1\t2\t3\t4\n1\t\t3\t4\n", "line 2: the item is missing"),
    "ratings.dat, time": (
        "ratings.dat",
        b"1::2::3::4\n1::2::3::4 h\n",
        "line 2: '4 h' is not a time",
    ),
    "lines, no item": ("log.txt", b"a x y z\n\nb\n", "line 3: no item after user 'b'"),
    "lines, user again": ("log.txt", b"a x y z\nb x\na x\n", "line 3: user 'a' again"),
    "tabs say nothing": ("log.txt", b"1\t2\t3\t4\n", "could be 'tsv', 'u.data' or 'lines'"),
    "not Parquet": ("log.parquet", b"PAR1 or so", "not a readable Parquet file"),
    "no users": ("log.txt", b"a x y\n", "no user is left with at least 3 items"),
}


@pytest.mark.parametrize(("name", "content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_refused_in_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        load(path)
    said = str(caught.value)
    assert message in said and name in said
    assert "\n" not in said and "; " in said  # what is wrong; what to do


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user": ["u", None], "item": ["x", "y"]}, "row 2: the user is missing"),
        ({"user": ["u"], "item": ["x"], "time": [float("nan")]}, "row 1: nan is not a time"),
        ({"user": ["u"], "item": ["x"], "time": ["soon"]}, "row 1: 'soon' is not a time"),
        ({"user": ["u"], "item": [["x", "y"]]}, "column 'item' holds lists"),
        ({"user": ["u"]}, "no item column found; choose the item column from user"),
    ],
)
def test_a_bad_parquet_is_refused(tmp_path, columns, message):
    pl.DataFrame(columns).write_parquet(tmp_path / "log.parquet")
    with pytest.raises(DataError, match=message):
        load(tmp_path / "log.parquet")


def test_requests_that_cannot_be_met(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("user,item\nu,x\nu,y\nu,z\n")
    with pytest.raises(DataError, match=r"no such file.*absent\.csv"):
        load(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="no such file"):
        load(tmp_path)
    with pytest.raises(DataError, match=r"unknown log format 'xls'; choose one of inter, .*lines"):
        load(path, format="xls")
    with pytest.raises(DataError, match="no column 'who'; choose the user column from user, item"):
        load(path, columns=Columns(user="who"))
    with pytest.raises(DataError, match="no column 'when'"):
        load(path, columns=Columns(time="when"))
    with pytest.raises(DataError, match="no column names to choose"):
        load(path, columns=Columns(user="user"), format="lines")
    with pytest.raises(ConfigError, match="k_core"):
        load(path, k_core=-1)
    with pytest.raises(ConfigError, match="min_length"):
        load(path, min_length=0)
    assert set(FORMATS) == {"inter", "u.data", "ratings.dat", "csv", "tsv", "parquet", "lines"}


def test_an_unreadable_file_is_refused(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    path = tmp_path / "log.csv"
    path.write_text("user,item\n")
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match=r"log\.csv: Permission denied; check its permissions"):
        load(path)


# --- the split


HISTORIES = st.lists(st.lists(st.integers(1, 9), min_size=3, max_size=9), min_size=1, max_size=6)


def sequences_of(histories):
    offsets = np.cumsum([0, *map(len, histories)])
    ids = np.array([i for items in histories for i in items], dtype=np.int64)
    users = tuple(f"u{n}" for n in range(len(histories)))
    return Sequences("log", ("", *"abcdefghi"), ids, offsets, users, {}, {})


def cut(ids, offsets):
    return [ids[start:stop].tolist() for start, stop in pairwise(offsets)]


@given(HISTORIES)
def test_split_holds_out_the_last_two_items(histories):
    parts = split(sequences_of(histories))
    validation, test = parts.validation(), parts.test()
    assert cut(parts.train_ids, parts.train_offsets) == [items[:-2] for items in histories]
    assert cut(validation.ids, validation.offsets) == [items[:-2] for items in histories]
    assert cut(test.ids, test.offsets) == [items[:-1] for items in histories]
    assert validation.targets.tolist() == [items[-2] for items in histories]
    assert test.targets.tolist() == [items[-1] for items in histories]
    for array in (parts.train_ids, parts.train_offsets, test.ids, test.offsets, test.targets):
        assert array.dtype == np.int64


def test_split_needs_three_items_of_every_user():
    with pytest.raises(DataError, match="min_length=3"):
        split(sequences_of([[1, 2, 3], [4, 5]]))


@given(HISTORIES.map(lambda histories: [items[3:] for items in histories]), st.integers(1, 8))
def test_last_items_pads_on_the_right(histories, most):
    whole = sequences_of(histories)  # some are empty
    items, lengths = last_items(whole.ids, whole.offsets, most)
    assert items.dtype == np.int64 and items.shape == (len(histories), most)
    assert lengths.tolist() == [len(items[-most:]) for items in histories]
    for row, history in zip(items.tolist(), histories, strict=True):
        recent = history[-most:]
        assert row == recent + [0] * (most - len(recent))


# --- named data, with a pip that is ours


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """A named data set "tiny", a cache of its own, and a pip that brings `pip.wheel`."""
    log = b"user_id:token\titem_id:token\ttimestamp:float\nu\t1\t1\nu\t2\t2\nu\t3\t3\n"
    titles = b"item_id:token\ttitle:token_seq\n1\tOne\n"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as wheel:
        wheel.writestr("deep/tiny.inter", log)
        wheel.writestr("deep/tiny.item", titles)

    class Pip:
        wheel = archive.getvalue()
        code = 0
        stderr = ""
        cache = tmp_path / "cache" / "data" / "tiny"

        def __init__(self):
            self.commands = []

        def run(self, command, **_):
            self.commands.append(command)
            if self.code == 0:
                folder = Path(command[command.index("-d") + 1])
                (folder / "tiny-1-py3-none-any.whl").write_bytes(self.wheel)
            return subprocess.CompletedProcess(command, self.code, "", self.stderr)

    fake = Pip()
    tiny = NamedData(
        attribution="made by a test",
        requirement="tiny==1",
        wheel_sha256=hashlib.sha256(fake.wheel).hexdigest(),
        members={
            "tiny.inter": ("deep/tiny.inter", hashlib.sha256(log).hexdigest()),
            "tiny.item": ("deep/tiny.item", hashlib.sha256(titles).hexdigest()),
        },
    )
    monkeypatch.setitem(NAMED, "tiny", tiny)
    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(subprocess, "run", fake.run)
    return fake


def test_named_data_is_downloaded_once(pip):
    for _ in range(2):
        found = load("tiny")
        assert as_dict(found) == {"u": ["1", "2", "3"]}
        assert found.titles == {"1": "One"} and found.name == "tiny"
    assert len(pip.commands) == 1
    assert pip.commands[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert pip.commands[0][-1] == "tiny==1" and "--no-deps" in pip.commands[0]
    # neither the wheel nor the temporary folder stays
    assert sorted(path.name for path in pip.cache.iterdir()) == ["tiny.inter", "tiny.item"]


def test_the_cache_is_the_user_s_unless_the_environment_says_otherwise(pip, tmp_path, monkeypatch):
    monkeypatch.delenv("GLINT_EDGE_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "user" / name))
    load("tiny")
    assert (tmp_path / "user" / "glint-edge" / "data" / "tiny" / "tiny.inter").is_file()
    assert not pip.cache.exists()


@pytest.mark.parametrize("file", ["tiny.inter", "tiny.item"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_cache_is_fetched_again(pip, file, damage):
    load("tiny")
    if damage == "cut":
        (pip.cache / file).write_bytes((pip.cache / file).read_bytes()[:-3])
    else:
        (pip.cache / file).unlink()
    found = load("tiny")
    assert found.interactions == 3 and found.titles == {"1": "One"}
    assert len(pip.commands) == 2


def test_another_wheel_is_refused_unopened(pip):
    pip.wheel += b" "
    with pytest.raises(DataError, match=r"tiny-1-py3-none-any\.whl.*sha256 differs"):
        load("tiny")
    assert list(pip.cache.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "stderr", "said"),
    [
        (1, "WARNING: Retrying\nERROR: No matching distribution found\n", "ERROR: No matching"),
        (1, "/usr/bin/python: No module named pip\n", "No module named pip"),
        (1, "", "no wheel arrived"),
    ],
)
def test_a_pip_that_fails_is_one_clear_line(pip, code, stderr, said):
    pip.code, pip.stderr = code, stderr
    with pytest.raises(DataError) as caught:
        load("tiny")
    message = str(caught.value)
    assert said in message and "online" in message and "pass a log file" in message
    assert "\n" not in message


def test_a_cache_that_cannot_be_written_says_so(pip, tmp_path):
    (tmp_path / "cache").write_text("a file where a folder belongs")
    with pytest.raises(DataError, match="set GLINT_EDGE_CACHE"):
        load("tiny")


def test_a_path_is_never_a_named_data_set(pip, tmp_path, monkeypatch):
    (tmp_path / "tiny").write_text("a x y z\n")
    monkeypatch.chdir(tmp_path)
    assert as_dict(load(Path("tiny"))) == as_dict(load("./tiny")) == {"a": ["x", "y", "z"]}
    assert pip.commands == []


# --- real logs


@pytest.mark.parametrize(
    ("file", "users", "items", "interactions"),
    [
        ("amazon-beauty.txt", 22_363, 12_101, 198_502),
        ("amazon-video-games.txt", 24_303, 10_672, 231_780),
    ],
)
def test_real_logs(file, users, items, interactions):
    path = SHARED / file
    if not path.is_file():
        pytest.skip(f"the project folder has no ../shared/data/{file}")
    found = load(path, k_core=5)
    assert (len(found), found.item_count, found.interactions) == (users, items, interactions)
    assert not found.dropped
    counts = np.bincount(found.ids)[1:]
    first = np.unique(found.ids, return_index=True)[1]
    assert (np.lexsort((first, -counts)) == np.arange(len(counts))).all()
    lines = [line.split() for line in path.read_text().splitlines()]
    assert as_dict(found) == {user: items for user, *items in lines}


def test_ml_100k_where_it_is_cached(monkeypatch):
    def offline(command, **_):
        return subprocess.CompletedProcess(command, 1, "", "tests stay offline")

    monkeypatch.setattr(subprocess, "run", offline)
    try:
        found = load("ml-100k")
    except DataError as error:
        if "tests stay offline" not in str(error):
            raise
        pytest.skip("ml-100k is not in the cache, and tests do not download")
    assert (len(found), found.item_count, found.interactions) == (943, 1_682, 100_000)
    assert found.titles[found.keys[1]] == "Star Wars (1977)"
    assert found.titles["1"] == "Toy Story (1995)" and not found.dropped
