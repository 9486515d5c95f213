"""What `load_log` gives."""

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glint_edge.data.log import load_log
from glint_edge.data.options import LoadOptions
from glint_edge.data.reading.columns import Columns
from glint_edge.data.sequences import Split, split
from glint_edge.data.sharded.sharding import make_shards
from glint_edge.data.sharded.shards import ShardedLog
from glint_edge.errors import ConfigError, DataError
from tests.data.logs import as_dict, load

TAPS = "uid,sku,ts,stars\n" + "".join(f"u{u},<{i}>,{9 - i},5\n" for u in (1, 2) for i in (1, 2, 3))
SHARED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"


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
    read_log = load(path, k_core=5)
    assert (len(read_log), read_log.item_count, read_log.interactions) == (
        users,
        items,
        interactions,
    )
    assert not read_log.dropped
    counts = split(read_log).counts()[1:]
    first = np.unique(read_log.ids, return_index=True)[1]
    assert (np.lexsort((first, -counts)) == np.arange(len(counts))).all()
    lines = [line.split() for line in path.read_text().splitlines()]
    assert as_dict(read_log) == {user: items for user, *items in lines}


def test_ml_100k_where_it_is_cached(monkeypatch):
    def offline(command, **_):
        return subprocess.CompletedProcess(command, 1, "", "tests stay offline")

    monkeypatch.setattr(subprocess, "run", offline)
    try:
        read_log = load("ml-100k")
    except DataError as error:
        if "tests stay offline" not in str(error):
            raise
        pytest.skip("ml-100k is not in the cache, and tests do not download")
    assert (len(read_log), read_log.item_count, read_log.interactions) == (943, 1_682, 100_000)
    assert read_log.titles[read_log.keys[1]] == "Star Wars (1977)"
    assert read_log.titles["1"] == "Toy Story (1995)" and not read_log.dropped


# --- what a log says of itself


@pytest.fixture
def taps(tmp_path):
    path = tmp_path / "taps.csv"
    path.write_text(TAPS + "u1,<1>,8,5\nu3,<1>,1,1\n")
    return path


def test_a_log_says_what_was_read(taps, caplog):
    caplog.set_level(logging.INFO, "glint_edge")
    log = load_log(taps, user="uid", item="sku")
    assert log.sequences() == {"u1": ["<3>", "<2>", "<1>"], "u2": ["<3>", "<2>", "<1>"]}
    assert log.columns == {"user": "uid", "item": "sku", "time": "ts"}
    assert log.notes == (
        "columns: user = uid, item = sku, time = ts",
        "columns not used: stars",
        "left out: 1 exact duplicate row",
        "left out: 1 user with fewer than 3 items",
        "the rows stand newest first, and are put in order",
        "repeats: no target repeats an earlier item of its own history",
    )
    assert [record.getMessage() for record in caplog.records] == [
        f"taps.csv: {note}" for note in log.notes
    ]
    assert len(log) == 2 and repr(log) == "Log('taps.csv': 2 users, 3 items, 6 interactions)"
    assert isinstance(log.split(), Split)
    assert log.source.source == str(taps)


def test_a_log_is_a_table_in_a_notebook_with_its_text_escaped(taps):
    html = load_log(taps, user="uid", item="sku")._repr_html_()
    assert "<tr><th>users</th><td>2</td></tr>" in html
    assert "<li>columns: user = uid, item = sku, time = ts</li>" in html
    frame = taps.rename(taps.with_name("<b>.csv"))
    assert "&lt;b&gt;.csv" in load_log(frame, user="uid", item="sku")._repr_html_()


@pytest.mark.parametrize(
    ("name", "text"), [("log.txt", "u x y z\n"), ("u.data", "u\tx\t3\t1\n" * 3)]
)
def test_a_log_without_names_has_no_columns(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    log = load_log(path, min_length=1)
    assert log.columns == {}
    assert ("there is no time" in log.notes[0]) == (name == "log.txt")


def test_shards_are_a_log_that_is_not_in_memory(taps, tmp_path):
    folder = tmp_path / "shards"
    shards = make_shards(
        taps, folder, options=LoadOptions(Columns(user="uid", item="sku")), parts=1
    )
    log = load_log(folder)
    assert isinstance(log.split(), ShardedLog)
    assert len(log) == shards.summary["users"] == 2
    with pytest.raises(DataError, match="holds shards, not a log; pass the log itself"):
        log.sequences()
    with pytest.raises(ConfigError, match="which were read already"):
        load_log(folder, k_core=5)


def test_a_log_is_taken_where_a_path_is(taps):
    log = load_log(taps, user="uid", item="sku")
    assert load_log(log) is log


def test_what_cannot_be_read_is_refused_without_polars_and_torch(tmp_path):
    code = (
        "import sys\n"
        "from glint_edge.data.log import load_log\n"
        "from glint_edge.errors import GlintEdgeError\n"
        "for options in ({}, {'format': 'xls'}, {'k_core': -1}, {'min_length': 0}):\n"
        "    try:\n"
        "        load_log('absent.csv', **options)\n"
        "    except GlintEdgeError:\n"
        "        assert not {'polars', 'torch', 'pandas'} & set(sys.modules)\n"
        "    else:\n"
        "        raise SystemExit(1)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
