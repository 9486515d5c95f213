"""`--split`, `--validation` and `--test`, and what is told and stored of them."""

import json

import pytest

from glint_edge.checkpoints.checkpoint import load_checkpoint
from glint_edge.data.log import load_log
from glint_edge.training.run_file import read_run
from tests.cli.streams import only_line

SMALL = ("--d", 8, "--max-length", 8, "--epochs", 1, "--threads", 1, "--json")


@pytest.fixture
def files(taps, tmp_path):
    """The log, and what was later cut off of it: options."""
    rows = taps.read_text().splitlines()
    times = [int(row.rpartition(",")[2]) for row in rows[1:]]
    paths = [tmp_path / f"{name}.csv" for name in ("log", "validation", "test")]
    for part, path in enumerate(paths):
        own = [row for row, t in zip(rows[1:], times, strict=True) if (t > 6) + (t > 9) == part]
        path.write_text("\n".join([rows[0], *own]) + "\n")
    return paths


def test_a_split_by_time_is_told_stored_and_used_again(taps, run, tmp_path):
    out = tmp_path / "run"
    code, _, err = run("train", "--data", taps, "--out", out, "--split", "time:7,10", *SMALL)
    assert code == 0, err
    assert "validated from 7 on, tested from 10 on" in err and "future" not in err
    checkpoint = load_checkpoint(out)
    parts = load_log(taps, split="time:7,10").split()
    assert checkpoint.data.options["split"] == read_run(out / "run.toml")["split"] == "time:7,10"
    assert checkpoint.metrics["test"]["users"] == len(parts.test().targets)
    own = json.loads(run("evaluate", out, "--json")[1])
    for name, value in checkpoint.metrics["test"].items():
        assert own[name] == pytest.approx(value)
    code, printed, err = run("evaluate", out, "--split", "leave-one-out", "--json")
    assert json.loads(printed)["users"] == 30
    assert "with the split time:7,10, not leave-one-out: it may have learned" in err
    assert "training looks into the future of other users" in err


def test_files_of_ones_own_are_those_of_a_split(files, taps, run, tmp_path):
    log, validation, test = files
    code, _, err = run(
        "train", "--data", log, "--validation", validation, "--test", test,
        "--out", tmp_path / "files", *SMALL,
    )  # fmt: skip
    assert code == 0, err
    assert "validated on validation.csv, tested on test.csv" in err
    stored = load_checkpoint(tmp_path / "files")
    users = len(load_log(taps, split="time:7,10").split().test().targets)
    assert stored.metrics["test"]["users"] == users
    assert stored.data.options["test"] == str(test)
    code, out, _ = run("evaluate", tmp_path / "files", "--json")
    assert (code, json.loads(out)["users"]) == (0, users)


def test_shards_are_split_as_the_log_is(taps, run, tmp_path):
    code, _, err = run(
        "shard", taps, "--out", tmp_path / "s", "--parts", 2, "--split", "0.6,0.2,0.2"
    )
    assert code == 0, err
    assert "users to validate on" in err
    out = tmp_path / "run"
    assert run("train", "--data", tmp_path / "s", "--out", out, *SMALL)[0] == 0
    checkpoint = load_checkpoint(out)
    assert checkpoint.data.options["split"] == "0.6,0.2,0.2"
    users = len(load_log(taps, split="0.6,0.2,0.2").split().test().targets)
    assert checkpoint.metrics["test"]["users"] == users
    figures = [
        json.loads(run("evaluate", out, *data, "--json")[1]) for data in ((), ("--data", taps))
    ]
    assert [one["users"] for one in figures] == [users, users]
    for name, value in figures[0]["lists"]["popularity"].items():
        assert figures[1]["lists"]["popularity"][name] == pytest.approx(value)


def test_leave_one_out_says_that_it_looks_ahead(taps, run, tmp_path):
    code, _, err = run("train", "--data", taps, "--out", tmp_path / "run", *SMALL)
    assert code == 0
    assert err.count("training looks into the future of other users") == 1
    code, _, err = run("shard", taps, "--out", tmp_path / "s", "--parts", 2)
    assert err.count("training looks into the future of other users") == 1


def test_an_impossible_split_is_one_line(taps, run, tmp_path):
    for split in ("0.5,0.6,0.1", "time:100", "time:soon"):
        code, _, err = run("train", "--data", taps, "--out", tmp_path / "run", "--split", split)
        assert code == 2
        assert "split" in err or "cut" in err
        only_line("\n".join(line for line in err.splitlines() if line.startswith("error")))
