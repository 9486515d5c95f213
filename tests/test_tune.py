"""The search: real trials by Optuna, resumed, and what it refuses."""

import json

import numpy as np
import pytest

from glint_edge import cli
from glint_edge.config import ModelConfig, TrainConfig
from glint_edge.data import load, split
from glint_edge.errors import CheckpointError, ConfigError
from glint_edge.tune import SPACE, tune

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


def run(log, folder, trials, *, config=CONFIG, **options):
    data = split(load(log))
    model = ModelConfig(items=data.catalogue, d=8, heads=2, max_length=12)
    return tune(data, model, config, folder, trials=trials, **options)


def test_a_search_goes_on_where_it_stopped(log, tmp_path):
    told = []
    first = run(log, tmp_path, 2, on_trial=told.append)
    assert [result.number for result in told] == [0, 1]
    again = run(log, tmp_path, 4, on_trial=told.append)
    assert [result.number for result in told] == [0, 1, 2, 3]
    assert run(log, tmp_path, 4, on_trial=told.append) == again  # nothing left to do
    assert len(told) == 4
    by_number = {result.number: result for result in again}
    assert all(by_number[result.number] == result for result in first)
    assert [r.ndcg for r in again] == sorted((r.ndcg for r in again), reverse=True)
    assert json.loads((tmp_path / "best.json").read_text())["ndcg"] == again[0].ndcg


def test_trials_differ_within_the_space_and_their_figures_are_those_of_training(log, tmp_path):
    results = run(log, tmp_path, 3)
    assert len({tuple(result.settings.values()) for result in results}) == 3
    for result in results:
        for name, low, high, _ in SPACE:
            assert low <= result.settings[name] <= high
        assert 1 <= result.epochs <= 3
        assert 0 < result.ndcg < 1
    assert len({result.ndcg for result in results}) > 1


def test_the_flags_are_ones_that_train_takes(log, tmp_path, capsys):
    flags = run(log, tmp_path / "study", 1)[0].flags().split()
    cli.app(
        ["train", "--data", str(log), "--out", str(tmp_path / "run"), "--width", "8", "--heads",
         "2", "--epochs", "1", "--json", *flags],
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


def test_a_study_of_other_settings_is_refused(log, tmp_path):
    run(log, tmp_path, 1)
    other = TrainConfig(epochs=3, patience=2, batch_positions=64)
    with pytest.raises(ConfigError, match="begun with batch_positions 128, not 64"):
        run(log, tmp_path, 2, config=other)
    with pytest.raises(ConfigError, match="begun with protocol 'full', not 'unseen'"):
        run(log, tmp_path, 2, protocol="unseen")
    with pytest.raises(ConfigError, match="trials must be"):
        run(log, tmp_path, 0)


def test_a_damaged_journal_is_one_line(log, tmp_path):
    run(log, tmp_path, 1)
    (tmp_path / "journal.log").write_text("not json\n" * 3)
    with pytest.raises(CheckpointError, match="damaged"):
        run(log, tmp_path, 2)
