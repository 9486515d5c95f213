"""`run.toml`: what it holds survives the trip, and what it cannot hold is refused by name."""

import os
import shlex
import tomllib

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from device_bench.document import read_document
from glint_edge.checkpoints.near_items import read_rows
from glint_edge.cli import app as cli
from glint_edge.cli.options import READING as FLAGS
from glint_edge.cli.options import reading
from glint_edge.config import GONE_LEVERS, LEVERS, VARIANTS, configs
from glint_edge.data.options import load_options
from glint_edge.data.record import DataSource
from glint_edge.errors import ConfigError, GlintEdgeError
from glint_edge.training.run_file import (
    READING,
    command_of,
    read_run,
    requested,
    run_settings,
    write_run,
)

# Any text that a path or a column can be: surrogates cannot be written as UTF-8.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXT, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_what_is_written_is_toml(text, whole, number, truth):
    import tempfile
    from pathlib import Path

    values = {"data": text, "k_core": whole, "seen_margin": number, "gated_mlp": truth}
    with tempfile.TemporaryDirectory() as folder:
        write_run(Path(folder) / "run.toml", values)
        assert tomllib.loads((Path(folder) / "run.toml").read_text("utf-8")) == values


def test_a_run_has_its_log_its_folder_and_every_lever(tmp_path):
    options = {"columns": {"user": "uid", "item": None, "time": None}, "format": "csv", "k_core": 5}
    source = DataSource("taps.csv", "/logs/taps.csv", options)
    settings = run_settings(
        *configs(7, {"d": 8, "seen_margin": 0.5}), source, tmp_path / "run", "cpu"
    )
    write_run(tmp_path / "run.toml", settings)
    assert read_run(tmp_path / "run.toml") == settings
    assert {name: settings[name] for name in settings if name not in LEVERS} == {
        "data": "/logs/taps.csv", "format": "csv", "k_core": 5, "user_column": "uid",
        "out": str(tmp_path / "run"), "device": "cpu",
    }  # fmt: skip
    assert list(settings)[-len(LEVERS) :] == list(LEVERS)
    assert (settings["d"], settings["seen_margin"], settings["epochs"]) == (8, 0.5, 30)


# Of every option a value that is not its default; a log is split by one of the two ways.
READ = {
    "user": "uid", "item": "the item", "time": "when", "session": "visit", "event": "kind",
    "rating": "stars", "format": "csv", "header": False, "keep_missing": True, "session_gap": "30m",
    "only": ("view", "buy"), "weights": {"view": 0.1234567, "buy": 4.0}, "min_rating": 0.0,
    "collapse_repeats": True, "k_core": 2, "min_length": 2,
}  # fmt: skip
SPLITS = ({"split": "time:2024-06-01,2024-07-01"}, {"validation": "/v.csv", "test": "/t.csv"})


def typed_flags(command):
    """How a command line says that a log is read, as its parser takes it."""
    parser = typer.main.get_command(cli.app).commands["train"]
    return reading(
        {
            flag: parser.make_context("train", shlex.split(command)[2:]).params[flag]
            for flag in FLAGS
        }
    )


@pytest.mark.parametrize("split", SPLITS, ids=["by time", "by files"])
def test_a_file_and_a_command_repeat_how_a_log_was_read(split, tmp_path):
    """Every option, so that what a search or a run leaves behind reads the same rows."""
    options = load_options(**READ, **split)
    assert {**options.to_dict(), **options.columns.to_dict()}.keys() >= {*READ, *split}
    source = DataSource("taps.csv", "/logs/taps.csv", options.to_dict())
    settings = run_settings(*configs(7, {}), source, tmp_path / "run", "cpu")
    write_run(tmp_path / "run.toml", settings)
    assert load_options(**requested(tmp_path / "run.toml", {}).reading) == options
    assert load_options(**typed_flags(command_of(settings))) == options


def test_each_way_to_read_a_log_has_a_flag_and_a_setting():
    assert set(FLAGS) == set(READING)
    assert set(READING.values()) == {*READ, *(name for split in SPLITS for name in split)}


@pytest.mark.parametrize(("text", "message"), [
    ("epoch = 3", "run.toml: the setting 'epoch' is unknown; did you mean epochs?"),
    ("[model]\nd = 3", "the setting 'model' is unknown"),
    ("epochs = 0", r"run.toml: epochs must be a whole number ≥ 1, not 0"),
    ("seen_margin = '0.5'", "seen_margin must be a number in"),
    ("data = 3", "data must be a text in quotes, not 3"),
    ("k_core = true", "k_core must be a whole number, not True"),
    ("d = 8\nepochs = x", r"run.toml is no TOML \(.*line 2"),
])  # fmt: skip
def test_what_cannot_be_is_refused_by_name(text, message, tmp_path):
    (tmp_path / "run.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_run(tmp_path / "run.toml")


def test_a_file_of_before_trains_what_it_trained_then(tmp_path):
    gone = "".join(f"{name} = {value}\n" for name, value in GONE_LEVERS.items())
    (tmp_path / "run.toml").write_text(f"d = 8\nl2 = 0.1\n{gone}")
    settings = read_run(tmp_path / "run.toml")
    model, training = configs(7, settings)
    assert (model.variant, model.d, training.l2) == ("paper", 8, 0.1)
    assert (training.table_start, training.output_start, training.average) == ("random", 0, 0)
    assert training.schedule == "constant"


@pytest.mark.parametrize("line", ["temperature = 0.1", "warmup-epochs = 2", "crop = 0.5"])
def test_a_lever_that_is_gone_is_refused_by_its_name(line, tmp_path):
    (tmp_path / "run.toml").write_text(line)
    name = line.split(" ")[0].replace("-", "_")
    with pytest.raises(ConfigError, match=f"there is no {name} any more; delete that line"):
        read_run(tmp_path / "run.toml")


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_file_and_a_command_say_the_variant(variant, tmp_path):
    settings = run_settings(
        *configs(7, {"variant": variant}), DataSource("a", "/a.csv"), tmp_path / "run", "cpu"
    )
    write_run(tmp_path / "run.toml", settings)
    assert read_run(tmp_path / "run.toml")["variant"] == variant
    other = LEVERS["variant"].default != variant
    assert (f"--variant {variant}" in command_of(settings)) is other


def test_names_may_be_written_as_the_flags_are(tmp_path):
    (tmp_path / "run.toml").write_text("max-length = 12\nlearning_rate = 1\n")
    assert read_run(tmp_path / "run.toml") == {"max_length": 12, "learning_rate": 1}


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        read_run(tmp_path / "run.toml")


@pytest.mark.parametrize("read", [read_run, read_rows, read_document])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(GlintEdgeError, match="pipe is a folder or a pipe; "):
        read(tmp_path / "pipe")
