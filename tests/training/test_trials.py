"""A trial of a search is what `train` would keep of it, by item features and with neighbours."""

import json
import shlex

import pytest

from glint_edge.data.items import ItemFile
from glint_edge.data.log import load_log
from glint_edge.errors import ConfigError
from glint_edge.training.tune import _study, tune
from tests.logs import write_ring
from tests.skips import needs
from tests.training.searches import trained_by

pytestmark = needs("optuna", "tune")

LEVERS = {
    "d": 8, "heads": 2, "max_length": 12, "epochs": 2, "patience": 1, "batch_positions": 256,
    "neighbours": 4, "table_start": "random", "learning_rate": 3e-4,
}  # fmt: skip
FIELD = 'kind, "or" colour'


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return write_ring(tmp_path_factory.mktemp("log") / "ring.txt", users=40, longest=20)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("items") / "items.csv"
    rows = [f"i{n},k{n // 2}" for n in range(20)]
    path.write_text("\n".join(['item,"kind, ""or"" colour"', *rows]) + "\n")
    return path


def search_in(log, folder, trials, **options):
    read = load_log(log)
    return tune(read.split(), read.source, folder, trials=trials, levers=LEVERS, **options)


@pytest.mark.parametrize("how", ["command", "best.toml"])
def test_what_a_search_leaves_trains_the_best_trial_with_all_that_it_had(
    how, log, table, tmp_path, capsys
):
    items = ItemFile(table, fields=(FIELD,))
    best = search_in(log, tmp_path / "study", 2, items=items)[0]
    kept = trained_by(how, best, tmp_path)
    assert kept.vectors.pairs[0][0] == FIELD and kept.neighbours.most == 4
    shown = " ".join(capsys.readouterr().out.split())
    assert ": the best epoch, with its neighbours, protocol unseen" in shown
    assert shown.count("│ · without neighbours │") == 2
    ndcg = {part: figures["ndcg_at_10"] for part, figures in kept.metrics.items()}
    assert (ndcg["validation"], ndcg["validation_without_neighbours"]) == (best.ndcg, best.alone)
    assert best.ndcg > best.alone
    line = (tmp_path / "study/best.toml").read_text().splitlines()[0]
    figures = f"validation NDCG@10 {best.ndcg:.4f} ({best.alone:.4f} by the model alone)"
    assert line == f"# trial {best.number}, {figures}"
    noted = json.loads((tmp_path / "study/best.json").read_text())
    assert (noted["ndcg"], noted["alone"]) == (best.ndcg, best.alone)


def test_a_trial_that_is_stopped_is_judged_like_the_others(log, tmp_path, monkeypatch):
    monkeypatch.setattr("optuna.Trial.should_prune", lambda trial: True)
    (result,) = search_in(log, tmp_path, 1)
    assert result.stopped and result.epochs == 1 and result.ndcg > result.alone


def test_a_study_of_other_item_features_is_refused(log, table, tmp_path):
    search_in(log, tmp_path, 1, items=ItemFile(table, fields=(FIELD,)))
    with pytest.raises(ConfigError, match="with other item features; pass the --items and"):
        search_in(log, tmp_path, 2)


def test_a_study_of_another_version_is_refused(log, tmp_path):
    search_in(log, tmp_path, 1)
    study = _study(tmp_path, 0)
    fixed = study.user_attrs["fixed"]
    del fixed["average"]
    study.set_user_attr("fixed", fixed)
    with pytest.raises(ConfigError, match="by another version of glint-edge; choose another --out"):
        search_in(log, tmp_path, 2)


def test_the_command_line_searches_with_item_features_and_says_both_figures(
    log, table, tmp_path, run
):
    code, out, err = run(
        "tune", "--data", log, "--out", tmp_path / "study", "--trials", "1", "--items", table,
        "--item-field", f'"{FIELD.replace(chr(34), chr(34) * 2)}"', "--width", "8", "--epochs", "1",
        "--neighbours", "4", "--table-start", "random", "--learning-rate", "0.0003",
    )  # fmt: skip
    assert code == 0
    command = shlex.split(out.splitlines()[-1])
    assert command[command.index("--items") + 1] == str(table)
    assert "features of training: 10 values" in err and " by the model alone), ended" in err
    assert "without" in out
    code, _, err = run(
        "tune", "--data", log, "--out", tmp_path / "other", "--item-field", "kind", "--trials", "1"
    )
    assert code == 2 and "--item-field is about --items" in err
