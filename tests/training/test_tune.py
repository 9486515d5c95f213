"""The search: real trials by Optuna, resumed, and what it refuses."""

import json

import pytest
import torch

from glint_edge.cli import app as cli
from glint_edge.config import LEVERS
from glint_edge.data.log import load_log
from glint_edge.errors import CheckpointError, ConfigError, DataError, DivergedError
from glint_edge.levers import OneOf
from glint_edge.training import tune as tuning
from glint_edge.training.run_file import read_run
from glint_edge.training.search_space import OF_A_TRIAL, SPACE, USUAL
from glint_edge.training.trials import TrialResult, Trials
from glint_edge.training.tune import _study, tune
from tests.logs import write_ring
from tests.skips import needs
from tests.training.runs import spoil
from tests.training.searches import trained_by

pytestmark = needs("optuna", "tune")

MODEL = {"d": 8, "heads": 2, "max_length": 12}
SHORT = {"epochs": 3, "patience": 2, "batch_positions": 128}
SHORTEST = {"epochs": 1, "patience": 1, "batch_positions": 512}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return write_ring(tmp_path_factory.mktemp("log") / "ring.txt", users=40, longest=20)


def search_in(log, folder, trials, *, levers=SHORT, model=MODEL, **options):
    read, fixed = load_log(log), {**model, **levers}
    return tune(read.split(), read.source, folder, trials=trials, levers=fixed, **options)


def test_a_search_continues_where_it_stopped(log, tmp_path):
    seen = []
    first = search_in(log, tmp_path, 2, on_trial=seen.append)
    assert [result.number for result in seen] == [0, 1]
    again = search_in(log, tmp_path, 4, on_trial=seen.append)
    assert [result.number for result in seen] == [0, 1, 2, 3]
    assert search_in(log, tmp_path, 4, on_trial=seen.append) == again  # nothing left to do
    assert len(seen) == 4
    by_number = {result.number: result for result in again}
    assert all(by_number[result.number] == result for result in first)
    assert [r.ndcg for r in again] == sorted((r.ndcg for r in again), reverse=True)
    assert json.loads((tmp_path / "best.json").read_text())["ndcg"] == again[0].ndcg


def test_trials_differ_within_the_space_and_their_figures_are_those_of_training(log, tmp_path):
    levers = {**SHORT, "neighbour_rows": 0}  # with which no trial misses an item of the ring
    results = search_in(log, tmp_path, 3, levers=levers)
    assert len({tuple(result.settings.values()) for result in results}) == 3
    for result in results:
        assert list(result.settings) == list(USUAL)
        assert all(float(f"{value:.4g}") == value for value in result.settings.values())
        for name, value in result.settings.items():
            assert SPACE[name].low <= value <= SPACE[name].high
        assert 1 <= result.epochs <= 3
        assert 0 < result.ndcg <= 1
    assert len({result.ndcg for result in results}) > 1


NO_WIDTH = {"heads": 2, "max_length": 12}


def test_every_lever_can_be_searched(log, tmp_path):
    results = search_in(log, tmp_path, 9, search=list(SPACE), levers=SHORTEST, model=NO_WIDTH)
    seen = {}
    for result in results:
        for name, value in result.settings.items():
            seen.setdefault(name, set()).add(value)
    assert set(seen) == set(SPACE)
    assert all(seen[name] <= set(of.values) for name, of in SPACE.items() if isinstance(of, OneOf))
    assert len(seen["loss"]) == 2 and len(seen["d"]) > 1 and len(seen["schedule"]) == 2


def test_the_help_names_every_lever(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = run("tune", "--help")
    words = set(out.replace(",", " ").replace(".", " ").split())
    assert code == 0
    assert {name.replace("_", "-") for name in SPACE} <= words


def test_what_is_searched_cannot_change_within_a_study(log, tmp_path):
    search_in(log, tmp_path, 1, search=["seen_margin", "l2"])
    assert len(search_in(log, tmp_path, 2, search=["l2", "seen_margin"])) == 2
    with pytest.raises(ConfigError, match="begun with search 'l2, seen_margin', not 'l2'"):
        search_in(log, tmp_path, 3, search=["l2"])


@pytest.mark.parametrize(("search", "message"), [
    (["l2", "heads"], "cannot search 'heads'; choose one of d, learning_rate, "),
    (["d"], "d cannot be searched and fixed"),
])  # fmt: skip
def test_what_cannot_be_searched_is_refused(search, message, log, tmp_path):
    with pytest.raises(ConfigError, match=message):
        search_in(log, tmp_path / "study", 1, search=search)
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("how", ["command", "best.toml"])
def test_what_a_search_leaves_trains_the_best_trial(how, log, tmp_path, capsys):
    """Down to its figure: one loop serves both, and one seed."""
    levers = {**SHORT, "gated_mlp": False, "seen_margin": 0.1}
    best = search_in(log, tmp_path / "study", 2, levers=levers)[0]
    assert json.loads((tmp_path / "study/best.json").read_text())["command"] == best.command
    trained = trained_by(how, best, tmp_path)
    assert trained.metrics["validation"]["ndcg_at_10"] == best.ndcg
    expected = {**trained.training.to_dict(), **trained.model.config.to_dict()}
    assert {**levers, **MODEL, **best.settings}.items() <= expected.items()


def test_a_search_has_the_defaults_of_a_training_but_is_shorter(log, tmp_path):
    search_in(log, tmp_path, 1, levers={"epochs": 1}, model={"d": 8})
    best = read_run(tmp_path / "best.toml")
    assert best["max_length"] == 200
    assert best["batch_positions"] == LEVERS["batch_positions"].default
    assert (best["epochs"], best["patience"]) == (1, OF_A_TRIAL["patience"])


def test_levers_that_are_fixed_are_not_searched(log, tmp_path):
    levers = {**SHORTEST, "l2": 0.1, "block_dropout": 0.2}
    (result,) = search_in(log, tmp_path, 1, levers=levers)
    assert set(USUAL) - set(result.settings) == {"l2", "block_dropout"}


def test_values_that_cannot_be_are_refused_before_the_first_trial(log, tmp_path):
    with pytest.raises(ConfigError, match=r"heads \(64\) must divide d \(32\)"):
        search_in(log, tmp_path / "study", 1, search=["d"], model={"heads": 64})
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_failed_and_interrupted_trials_do_not_count(error, log, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise error

    search_in(log, tmp_path, 1)
    with monkeypatch.context() as patch:
        patch.setattr("glint_edge.training.tune.epochs", fail)
        with pytest.raises(error):
            search_in(log, tmp_path, 2)
    results = search_in(log, tmp_path, 2)
    assert sorted(result.number for result in results) == [0, 2]


def test_trials_that_diverge_do_not_count(log, tmp_path, monkeypatch, caplog):
    begun, epochs = [], tuning.epochs

    def diverge(run, *arguments, **options):
        begun.append(run)
        if len(begun) in (1, 3):
            raise DivergedError("the loss became nan", "")
        return epochs(run, *arguments, **options)

    monkeypatch.setattr(tuning, "epochs", diverge)
    seen = []
    results = search_in(log, tmp_path, 2, levers=SHORTEST, on_trial=seen.append)
    assert [result.number for result in seen] == [1, 3] == sorted(r.number for r in results)
    assert [r.message for r in caplog.records if r.levelname == "WARNING"] == [
        f"trial {number} diverged and does not count: the loss became nan" for number in (0, 2)
    ]


def test_a_search_of_trials_that_all_diverge_ends_in_one_line(log, run, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.optim.Adam, "step", spoil)
    code, out, err = run(
        "tune", "--data", log, "--out", tmp_path / "s", "--trials", "2", "--width", "8",
        "--batch-positions", "128", "--json",
    )  # fmt: skip
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith(
        "error: 10 trials in a row diverged; fix --learning-rate"
    )
    assert "Traceback" not in err


def test_a_study_that_goes_on_with_other_threads_says_what_each_trial_had(log, tmp_path):
    search_in(log, tmp_path, 1, levers=SHORTEST)
    results = search_in(log, tmp_path, 2, levers={**SHORTEST, "threads": 2})
    had = {result.number: "--threads 2" in result.command for result in results}
    assert had == {0: False, 1: True}
    assert read_run(tmp_path / "best.toml")["threads"] == 1 + results[0].number


def test_a_study_that_goes_on_draws_other_values(log, tmp_path):
    search_in(log, tmp_path, 1, levers=SHORTEST)
    first, second = search_in(log, tmp_path, 2, levers=SHORTEST)
    assert first.settings != second.settings


def test_a_trial_that_a_kill_left_running_does_not_count(log, tmp_path):
    search_in(log, tmp_path, 1)
    _study(tmp_path, seed=0).ask()  # as one that is begun and never ended
    results = search_in(log, tmp_path, 2)
    assert sorted(result.number for result in results) == [0, 2]


def test_the_command_line_prints_every_trial(log, tmp_path, capsys):
    arguments = ["tune", "--data", str(log), "--out", str(tmp_path / "s"), "--trials", "2",
                 "--width", "8", "--epochs", "1"]  # fmt: skip
    cli.app([*arguments, "--json"], standalone_mode=False)
    assert len(json.loads(capsys.readouterr().out)["trials"]) == 2
    cli.app(arguments, standalone_mode=False)
    command = capsys.readouterr().out.splitlines()[-1]
    assert command.startswith(f"glint-edge train --data {log} ")
    assert "--d 8 " in command and "--epochs 1 " in f"{command} "
    arguments[4] = str(tmp_path / "losses")
    searched = [*arguments, "--search", "loss", "--search", "seen-margin"]
    cli.app(searched, standalone_mode=False)
    assert "| loss " in capsys.readouterr().out.replace("┃", "|")


def test_a_study_of_other_settings_is_refused(log, tmp_path):
    search_in(log, tmp_path, 1)
    with pytest.raises(ConfigError, match="begun with batch_positions 128, not 64"):
        search_in(log, tmp_path, 2, levers={**SHORT, "batch_positions": 64})
    with pytest.raises(ConfigError, match="begun with protocol 'unseen', not 'full'"):
        search_in(log, tmp_path, 2, protocol="full")  # nobody goes round the ring
    with pytest.raises(ConfigError, match="begun with variant 'edge', not 'paper'"):
        search_in(log, tmp_path, 2, levers={**SHORT, "variant": "paper"})
    with pytest.raises(ConfigError, match="trials must be"):
        search_in(log, tmp_path, 0)


def test_a_study_of_a_log_that_changed_is_refused(log, tmp_path):
    own = tmp_path / "ring.txt"
    own.write_text(log.read_text())
    search_in(own, tmp_path / "study", 1, levers=SHORTEST)
    own.write_text(
        log.read_text().replace("i3 ", "i_ ").replace("i4 ", "i3 ").replace("i_ ", "i4 ")
    )
    with pytest.raises(ConfigError, match="begun with another log, or this one has changed since"):
        search_in(own, tmp_path / "study", 2, levers=SHORTEST)


def test_a_study_that_was_begun_without_its_log_s_digest_continues(log, tmp_path):
    search_in(log, tmp_path, 1, levers=SHORTEST)
    study = _study(tmp_path, 0)
    fixed = study.user_attrs["fixed"]
    del fixed["log"]
    study.set_user_attr("fixed", fixed)
    assert len(search_in(log, tmp_path, 2, levers=SHORTEST)) == 2


def test_a_log_that_leaves_nothing_to_learn_is_refused(tmp_path):
    (tmp_path / "log.txt").write_text("a x y z\n")
    with pytest.raises(DataError, match="nothing is left to learn"):
        search_in(tmp_path / "log.txt", tmp_path / "study", 1)
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("line", ["not json\n", "[]\n", "{}\n", f"{'[' * 100_000}\n"])
def test_a_damaged_journal_is_one_line(log, tmp_path, line):
    search_in(log, tmp_path, 1)
    (tmp_path / "journal.log").write_text(line * 3)
    with pytest.raises(CheckpointError, match="damaged"):
        search_in(log, tmp_path, 2)


def test_a_journal_cut_within_its_last_line_goes_on(log, tmp_path):
    search_in(log, tmp_path, 1)
    with (tmp_path / "journal.log").open("a") as journal:
        journal.write('{"op_code":4,"worker_id":"1')
    assert len(search_in(log, tmp_path, 2)) == 2


def test_trials_are_a_list_and_a_table_in_a_notebook():
    trials = Trials(
        TrialResult(number, {"l2": 1e-4} if number else {"d": 32}, 0.1 + number, 3, False, "")
        for number in range(12)
    )
    shown = trials._repr_html_()
    assert "the best of 12 trials" in shown
    assert shown.count("<tr>") == 1 + 10
    assert all(text in shown for text in ("<th>d</th>", "<th>l2</th>", ">32<", ">0.0001<", ">–<"))
