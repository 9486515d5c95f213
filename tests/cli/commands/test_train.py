"""`glint-edge train`."""

import json
import re
import runpy
from pathlib import Path

import pytest

from glint_edge import api
from glint_edge.checkpoints.checkpoint import load_checkpoint
from glint_edge.config import LEVERS, PANELS
from glint_edge.errors import ConfigError
from glint_edge.training.run_file import read_run
from tests.cli.streams import only_line

ROOT = Path(__file__).parents[3]


def test_train_prints_json_and_says_what_it_read(taps, run, tmp_path):
    code, out, err = run(
        "train", "--data", taps, "--out", tmp_path / "run", "--d", 8, "--heads", 2, "--epochs", 2,
        "--batch-positions", 64, "--json",
    )  # fmt: skip
    assert code == 0, err
    assert set(json.loads(out)["test"]) == {"recall_at_10", "mrr_at_10", "ndcg_at_10", "users"}
    assert "30 users, 25 items" in err
    assert re.search(r"epoch 1/2: loss \d\.\d+, validation NDCG@10 0\.\d{4}", err)
    assert load_checkpoint(tmp_path / "run").model.config.d == 8


SMALL = {"d": 8, "heads": 2, "max_length": 12, "epochs": 1, "batch_positions": 64}


@pytest.fixture(scope="module")
def once(taps, tmp_path_factory):
    """A run of one epoch, of a log whose columns have to be named."""
    folder = tmp_path_factory.mktemp("once")
    log = folder / "log.csv"
    log.write_text(taps.read_text().replace("user,item,time", "who,what,when", 1))
    read = api.load_log(log, user="who", item="what", time="when")
    api.train(read, folder / "run", **SMALL, seen_margin=0.5)
    return folder / "run"


def test_what_a_run_leaves_repeats_it_to_the_same_weights(once, run, tmp_path):
    again = tmp_path / "again"
    code, _, err = run("train", "--config", once / "run.toml", "--out", again)
    assert code == 0, err
    assert load_checkpoint(again).sha256 == load_checkpoint(once).sha256
    first, second = (read_run(folder / "run.toml") for folder in (once, again))
    assert {**first, "out": str(again)} == second


def test_python_repeats_a_run_and_refuses_an_unknown_lever(once, tmp_path):
    again = api.train(config=once / "run.toml", out=tmp_path / "again")
    assert again.sha256 == load_checkpoint(once).sha256
    with pytest.raises(ConfigError, match=r"lever 'epoch' is unknown; did you mean epochs\?"):
        api.train(config=once / "run.toml", out=tmp_path / "new", epoch=3)
    assert not (tmp_path / "new").exists()


def test_a_flag_comes_before_the_file_even_with_the_default(once, run, tmp_path):
    default = LEVERS["seen_margin"].default
    flags = ("--out", tmp_path / "run", "--seen-margin", default, "--no-gated-mlp", "--k-core", 1)
    code, _, err = run("train", "--config", once / "run.toml", *flags)
    assert code == 0, err
    changed = read_run(tmp_path / "run/run.toml")
    assert (changed["seen_margin"], changed["gated_mlp"], changed["k_core"]) == (default, False, 1)
    assert (changed["d"], changed["user_column"]) == (8, "who")


def test_a_run_that_was_stopped_continues_by_its_file_alone(once, run, tmp_path, monkeypatch):
    out = tmp_path / "run"
    again = ("train", "--config", once / "run.toml", "--out", out, "--epochs", 3)
    with monkeypatch.context() as patch:
        patch.setattr("glint_edge.training.train._finish", stop)
        assert run(*again)[0] == 130
    code, _, err = run("train", "--config", out / "run.toml", "--resume")
    assert code == 0, err
    assert load_checkpoint(out).training.epochs == 3


def stop(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(("text", "flags", "says"), [
    ("epoch = 3", "", "the setting 'epoch' is unknown; did you mean epochs?"),
    ("epochs = 0", "", "epochs must be a whole number"),
    ("data = 'x.csv'", "", "--out is missing"),
    ("out = 'x'", "", "--data is missing"),
    ("", "--heads 3", "heads (3) must divide d (64)"),
    ("data = 'x.csv'\nout = 'x'", "", "no such file: x.csv"),
])  # fmt: skip
def test_what_a_file_cannot_say_is_one_line(text, flags, says, run, tmp_path):
    (tmp_path / "run.toml").write_text(text)
    code, out, err = run("train", "--config", tmp_path / "run.toml", *flags.split())
    assert (code, out) == (2, "")
    assert says in only_line(err)


def test_each_lever_is_a_flag_with_its_help(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    for command in ("train", "tune"):
        code, out, _ = run(command, "--help")
        assert code == 0
        for lever in LEVERS.values():
            assert f"--{lever.flag}" in out
            assert lever.help in out
            assert lever.kind is bool or f"[{lever.range}; default: " in out
        for panel in PANELS:
            assert f"─ {panel} ─" in out
    assert "30" in next(line for line in out.splitlines() if "│ --epochs " in line)


def test_the_docs_table_is_the_declarations():
    script = runpy.run_path(str(ROOT / "scripts/levers_table.py"))
    page = script["PAGE"].read_text("utf-8")
    assert page == script["with_tables"](page), "run python scripts/levers_table.py"
    assert all(f"`--{lever.flag}`" in page for lever in LEVERS.values())
