"""A damaged Parquet ends the process that reads it, which must not be this one."""

import subprocess
import sys

import polars as pl
import pytest

from glint_edge.data.log import load_log
from glint_edge.data.reading import parquet
from glint_edge.data.reading.columns import USUAL
from glint_edge.data.sharded.sharding import make_shards
from glint_edge.data.source import is_at_hand, read_beside
from glint_edge.errors import DataError

DIE = "import os, signal, sys; sys.stdin.read(); os.kill(os.getpid(), signal.SIGABRT)"
PANIC = "import sys; sys.stdin.read(); sys.exit('PanicException: index out of bounds')"


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.parquet"
    pl.DataFrame({"user": ["u"] * 3, "item": ["x", "y", "z"]}).write_parquet(path)
    return path


@pytest.mark.parametrize(
    ("code", "how"),
    [
        (DIE, r"reading it died with signal 6 \(SIGABRT\)"),
        (PANIC, "reading it ended with exit code 1 and no result: PanicException: index out of"),
    ],
)
def test_a_child_that_dies_of_a_file_is_one_line(log, tmp_path, monkeypatch, code, how):
    wait_for = parquet.wait_for

    def dies(command, **options):
        assert command[1:] == ["-m", "glint_edge.data.reading.parquet"]
        return wait_for([sys.executable, "-c", code], **options)

    monkeypatch.setattr(parquet, "wait_for", dies)
    for read in (load_log, lambda path: make_shards(path, tmp_path / "shards")):
        with pytest.raises(DataError, match=rf"log\.parquet is not a readable.*{how}.*; write it"):
            read(log)


def test_the_child_reads_all_that_this_process_would_read(log, monkeypatch):
    seen = []
    wait_for = parquet.wait_for

    def observed(command, **options):
        seen.append(wait_for(command, **options))
        return seen[-1]

    monkeypatch.setattr(parquet, "wait_for", observed)
    parquet.require_readable("log", [log], USUAL)
    assert (seen[-1].returncode, seen[-1].stderr) == (0, "")
    whole = log.read_bytes()
    for damaged in (b"PAR1", whole[:100], whole[:4] + b"\0" * 50 + whole[54:]):
        log.write_bytes(damaged)
        with pytest.raises(DataError, match="not a readable Parquet file"):
            load_log(log)
    assert {done.returncode for done in seen} == {0}, "what is refused in words is left to them"


def test_a_folder_of_parquet_is_one_log(tmp_path):
    for name, items in (("a", ["x", "y"]), ("b", ["z", "w"])):
        frame = pl.DataFrame({"user": ["u"] * 2, "item": items})
        frame.write_parquet(tmp_path / f"{name}.parquet")
    log = load_log(tmp_path)
    assert log.sequences() == {"u": ["x", "y", "z", "w"]}
    assert is_at_hand(log.source)
    assert read_beside(log.source).sequences() == log.sequences()
    shards = make_shards(tmp_path, tmp_path / "shards", parts=1)
    assert shards.summary == log.source.summary


@pytest.mark.full
@pytest.mark.parametrize("compression", ["uncompressed", "snappy", "zstd"])
def test_no_flipped_bit_ends_a_process(log, compression):
    """Some of the bits of a file: panics and aborts of polars are among them."""
    code = (
        "import random, sys\n"
        "from pathlib import Path\n"
        "from glint_edge.data.log import load_log\n"
        "from glint_edge.errors import GlintEdgeError\n"
        "log = Path(sys.argv[1])\n"
        "whole = log.read_bytes()\n"
        "chosen = random.Random(0)\n"
        "for _ in range(100):\n"
        "    data, bit = bytearray(whole), chosen.randrange(8 * len(whole))\n"
        "    data[bit // 8] ^= 1 << bit % 8\n"
        "    log.write_bytes(data)\n"
        "    try:\n"
        "        load_log(log)\n"
        "    except GlintEdgeError as error:\n"
        "        assert '\\n' not in str(error)\n"
    )
    count = range(4000)
    pl.DataFrame(
        {"user": [f"u{n % 30}" for n in count], "item": [f"i{n * n % 700}" for n in count]}
    ).write_parquet(log, compression=compression)
    subprocess.run([sys.executable, "-c", code, str(log)], check=True)
