"""Every format, its checks and its refusals, against a plain-Python reading of the rules."""

import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glint_edge.data.options import FORMATS as NAMES
from glint_edge.data.reading.columns import Columns
from glint_edge.data.reading.formats import FORMATS
from glint_edge.errors import ConfigError, DataError
from tests.data.logs import KEYS, ROWS, WRITERS, as_dict, check, delimited, load


@pytest.fixture(scope="module")
def trusted_parquet():
    """Parquet that a test wrote is not read by a child first, of which there would be hundreds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glint_edge.data.reading.parquet.require_readable", lambda *_: None)
        yield


@pytest.mark.usefixtures("trusted_parquet")
@settings(max_examples=20, deadline=None)
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
        read_log = check(lambda **options: load(path, **options), timeless, min_length=1)
    assert read_log.interactions == len(rows) and not read_log.dropped


@settings(max_examples=20, deadline=None)
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


def test_keys_are_text_and_trimmed(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("user,item\n 1 ,007\n1,7\n1, 7.0\n")
    assert as_dict(load(path)) == {"1": ["007", "7", "7"]}


# --- columns


def test_chosen_columns_win_over_usual_names(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("user,item,time,who,what,when\na,b,c,u,x,3\na,b,c,u,y,2\na,b,c,u,z,1\n")
    read_log = load(path, columns=Columns(user="who", item="what", time="when"))
    assert as_dict(read_log) == {"u": ["z", "y", "x"]}


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
        "--item-column from user, thing, time",
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
    "after a time that is missing": (
        "log.csv",
        b"user,item,time\nu,x,2020-01-01\nu,y,\nu,z,soon\n",
        "line 4: 'soon' is not a time",
    ),
    "after a blank line": (
        "log.csv",
        b"\nuser,item,time\n\nu,x,1\n\nu,y,soon\n",
        "line 6: 'soon' is not a time",
    ),
    "after a long record": (
        "log.csv",
        b'user,item,time\nu,"x\ny",1\nu,z,soon\n',
        "line 4: 'soon' is not a time",
    ),
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
    "u.data, time": ("u.data", b"1\t2\t3\t4\n1\t2\t3\tx\n", "line 2: 'x' is not a time"),
    "ratings.dat, time": (
        "ratings.dat",
        b"1::2::3::4\n1::2::3::4 h\n",
        "line 2: '4 h' is not a time",
    ),
    "lines, no item": ("log.txt", b"a x y z\n\nb\n", "line 3: no item after user 'b'"),
    "lines, user again": ("log.txt", b"a x y z\nb x\na x\n", "line 3: user 'a' again"),
    "tabs say nothing": ("log.txt", b"1\t2\t3\t4\n", "could be 'tsv', 'u.data' or 'lines'"),
    "not Parquet": ("log.parquet", b"PAR1 or so", "not a readable Parquet file"),
    "no users": (
        "log.txt",
        b"a x y\n",
        "no user is left with at least 3 items; see whether the user's column is the right one",
    ),
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
        ({"user": ["u"], "item": ["x"], "time": [float("inf")]}, "row 1: inf is not a time"),
        ({"user": ["u"], "item": ["x"], "time": ["soon"]}, "row 1: 'soon' is not a time"),
        ({"user": [["u"]], "item": ["x"]}, "'user', the user, holds lists or objects; flatten it"),
        ({"user": ["u"]}, "no item column found; choose --item-column from user"),
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
    with pytest.raises(DataError, match="is a folder or a pipe; pass the path of a file"):
        load(tmp_path)
    with pytest.raises(DataError, match=r"unknown log format 'xls'; choose one of inter, .*lines"):
        load(path, format="xls")
    with pytest.raises(DataError, match="no column 'who'; choose --user-column from user, item"):
        load(path, columns=Columns(user="who"))
    with pytest.raises(DataError, match="no column 'when'"):
        load(path, columns=Columns(time="when"))
    with pytest.raises(DataError, match="no column names to choose"):
        load(path, columns=Columns(user="user"), format="lines")
    with pytest.raises(ConfigError, match="k_core"):
        load(path, k_core=-1)
    with pytest.raises(ConfigError, match="min_length"):
        load(path, min_length=0)
    assert tuple(FORMATS) == NAMES


def test_an_unreadable_file_is_refused(tmp_path, monkeypatch):
    def refuse(path, *args):
        raise PermissionError(13, "Permission denied", str(path))

    path = tmp_path / "log.csv"
    path.write_text("user,item\n")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"log\.csv: Permission denied; allow it or choose"):
        load(path)
