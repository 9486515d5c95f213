"""The search: real trials by Optuna, resumed, and what it refuses."""

import json

import numpy as np
import pytest

from glint_edge.cli import app as cli
from glint_edge.config import ModelConfig, TrainConfig
from glint_edge.data.log import load_log
from glint_edge.errors import CheckpointError, ConfigError
from glint_edge.training.tune import LEVERS, USUAL, OneOf, tune

pytest.importorskip("optuna", reason="needs glint-edge[tune]")

CONFIG = TrainConfig(epochs=3, patience=2, batch_positions=128)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("log") / "ring.txt"
    lines = []
    for user in range(40):
        start, length = rng.integers(20), rng.integers(5, 20)
        lines.append(f"{user} " + " ".join(f"i{(start + n) % 20}" for n in range(length)))
    path.write_text("\n".join(lines) + "\n")
    return path


def search_in(log, folder, trials, *, config=CONFIG, **options):
    data = load_log(log).split()
    model = ModelConfig(items=data.item_count, d=8, heads=2, max_length=12)
    return tune(data, model, config, folder, trials=trials, **options)


def test_a_search_goes_on_where_it_stopped(log, tmp_path):
    told = []
    first = search_in(log, tmp_path, 2, on_trial=told.append)
    assert [result.number for result in told] == [0, 1]
    again = search_in(log, tmp_path, 4, on_trial=told.append)
    assert [result.number for result in told] == [0, 1, 2, 3]
    assert search_in(log, tmp_path, 4, on_trial=told.append) == again  # nothing left to do
    assert len(told) == 4
    by_number = {result.number: result for result in again}
    assert all(by_number[result.number] == result for result in first)
    assert [r.ndcg for r in again] == sorted((r.ndcg for r in again), reverse=True)
    assert json.loads((tmp_path / "best.json").read_text())["ndcg"] == again[0].ndcg


def test_trials_differ_within_the_space_and_their_figures_are_those_of_training(log, tmp_path):
    results = search_in(log, tmp_path, 3)
    assert len({tuple(result.settings.values()) for result in results}) == 3
    for result in results:
        assert list(result.settings) == list(USUAL)
        for name, value in result.settings.items():
            assert LEVERS[name].low <= value <= LEVERS[name].high
        assert 1 <= result.epochs <= 3
        assert 0 < result.ndcg < 1
    assert len({result.ndcg for result in results}) > 1


EVERY = [name for name in LEVERS if name != "l2"]


def test_every_lever_can_be_searched_and_each_loss_gets_its_own(log, tmp_path):
    config = TrainConfig(epochs=1, patience=1, batch_positions=512)
    results = search_in(log, tmp_path, 9, search=EVERY, config=config)
    seen = {}
    for result in results:
        for name, value in result.settings.items():
            seen.setdefault(name, set()).add(value)
        of_gbce = result.settings["loss"] == "gbce"
        assert ("calibration" in result.settings) == of_gbce
        assert ("seen_margin" in result.settings) != of_gbce
        assert ("label_smoothing" in result.settings) != of_gbce
    assert set(seen) == set(EVERY)
    assert all(seen[name] <= set(of.values) for name, of in LEVERS.items() if isinstance(of, OneOf))
    assert len(seen["loss"]) == 3 and len(seen["d"]) > 1 and len(seen["schedule"]) == 2


def test_the_help_names_every_lever(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = run("tune", "--help")
    told = set(out.replace(",", " ").replace(".", " ").split())
    assert code == 0
    assert {name.replace("_", "-") for name in LEVERS} <= told


def test_what_is_searched_cannot_change_within_a_study(log, tmp_path):
    search_in(log, tmp_path, 1, search=["crop", "d"])
    assert len(search_in(log, tmp_path, 2, search=["d", "crop"])) == 2
    with pytest.raises(ConfigError, match="begun with search 'crop, d', not 'crop'"):
        search_in(log, tmp_path, 3, search=["crop"])


@pytest.mark.parametrize(("search", "message"), [
    (["crop", "heads"], "cannot search 'heads'; choose of embedding_dropout, "),
    (["l2", "weight_decay"], "search one of them"),
])  # fmt: skip
def test_what_cannot_be_searched_is_refused(search, message, log, tmp_path):
    with pytest.raises(ConfigError, match=message):
        search_in(log, tmp_path / "study", 1, search=search)
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("loss", ["gbce", "sampled-softmax"])
def test_a_fixed_loss_has_its_own_levers(loss, log, tmp_path):
    config = TrainConfig(epochs=1, patience=1, loss=loss, negatives=8, batch_positions=512)
    search = ["calibration", "label_smoothing", "crop"]
    (result,) = search_in(log, tmp_path, 1, search=search, config=config)
    mine = {"gbce": "calibration", "sampled-softmax": "label_smoothing"}[loss]
    assert set(result.settings) == {mine, "crop"}


def test_the_flags_are_ones_that_train_takes(log, tmp_path, capsys):
    flags = search_in(log, tmp_path / "study", 1, search=EVERY)[0].flags().split()
    cli.app(
        ["train", "--data", str(log), "--out", str(tmp_path / "run"), "--heads", "2", "--epochs",
         "1", "--json", *flags],
        standalone_mode=False,
    )  # fmt: skip
    assert "ndcg_at_10" in json.loads(capsys.readouterr().out)["test"]


def test_the_command_line_prints_every_trial(log, tmp_path, capsys):
    arguments = ["tune", "--data", str(log), "--out", str(tmp_path / "s"), "--trials", "2",
                 "--width", "8", "--epochs", "1"]  # fmt: skip
    cli.app([*arguments, "--json"], standalone_mode=False)
    assert len(json.loads(capsys.readouterr().out)["trials"]) == 2
    cli.app(arguments, standalone_mode=False)
    assert "glint-edge train --embedding-dropout" in capsys.readouterr().out
    arguments[4] = str(tmp_path / "losses")
    searched = [*arguments, "--search", "loss", "--search", "seen-margin"]
    cli.app(searched, standalone_mode=False)
    assert "glint-edge train --loss" in capsys.readouterr().out


def test_a_study_of_other_settings_is_refused(log, tmp_path):
    search_in(log, tmp_path, 1)
    other = TrainConfig(epochs=3, patience=2, batch_positions=64)
    with pytest.raises(ConfigError, match="begun with batch_positions 128, not 64"):
        search_in(log, tmp_path, 2, config=other)
    with pytest.raises(ConfigError, match="begun with protocol 'full', not 'unseen'"):
        search_in(log, tmp_path, 2, protocol="unseen")
    with pytest.raises(ConfigError, match="trials must be"):
        search_in(log, tmp_path, 0)


def test_a_damaged_journal_is_one_line(log, tmp_path):
    search_in(log, tmp_path, 1)
    (tmp_path / "journal.log").write_text("not json\n" * 3)
    with pytest.raises(CheckpointError, match="damaged"):
        search_in(log, tmp_path, 2)
