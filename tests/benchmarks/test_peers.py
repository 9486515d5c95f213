"""The peers of benchmarks/accuracy.py are the models they are called after."""

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from glint_edge.config import TrainConfig
from glint_edge.data.log import load_log
from tests.logs import write_ring

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def load_script(name):
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up, scripts their neighbours
    spec.loader.exec_module(module)
    return module


peers = load_script("peers")
accuracy = load_script("accuracy")
table = load_script("accuracy_table")


@pytest.fixture(params=["SASRec", "GRU4Rec"])
def peer(request):
    torch.manual_seed(1)
    made = getattr(peers, request.param)(peers.PeerConfig(items=30, d=8, max_length=9))
    with torch.no_grad():  # 0.02 would hide a forgotten part
        for parameter in made.parameters():
            parameter.normal_(std=0.5)
    return made.eval()


def test_each_row_of_prefixes_is_that_prefix_encoded(peer):
    items = torch.randint(1, 31, (4, 9))
    whole = peer.prefixes(items, torch.full((4,), 9))
    for n in range(9):
        alone = peer.encode(items[:, : n + 1], torch.full((4,), n + 1))
        torch.testing.assert_close(whole[:, n], alone)


def test_a_later_item_changes_no_earlier_prefix(peer):
    items = torch.randint(1, 31, (4, 9))
    before = peer.prefixes(items, torch.full((4,), 9))
    items[:, 5] = items[:, 5] % 30 + 1
    after = peer.prefixes(items, torch.full((4,), 9))
    assert torch.equal(after[:, :5], before[:, :5])
    assert ((after[:, 5:] - before[:, 5:]).abs().amax(dim=-1) > 1e-4).all()


def test_scores_are_the_tied_tables_and_padding_is_never_first(peer):
    items, lengths = torch.randint(1, 31, (4, 9)), torch.tensor([1, 3, 8, 9])
    scores = peer.score(items, lengths)
    expected = peer.encode(items, lengths) @ peer.embedding.weight.T
    torch.testing.assert_close(scores[:, 1:], expected[:, 1:])
    assert (scores[:, 0] == -torch.inf).all()


def test_order_matters_and_padding_does_not(peer):
    items = torch.tensor([[3, 7, 9, 0], [7, 3, 9, 0], [3, 7, 9, 30]])
    hidden = peer.encode(items, torch.tensor([3, 3, 3]))
    assert (hidden[0] - hidden[1]).abs().max() > 1e-3
    torch.testing.assert_close(hidden[0], hidden[2])


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    """A log in which the item after i is i + 1; nobody takes one twice."""
    return write_ring(tmp_path_factory.mktemp("ring") / "ring.txt", items=30, longest=20)


SMALL = ["--d", "16", "--dropout", "0.1", "--learning-rate", "0.02", "--batch-positions", "64"]


@pytest.mark.parametrize("model", ["glint", "sasrec", "gru4rec"])
def test_a_certain_next_item_is_learnt_by_each(ring, model):
    told = accuracy.measure(
        accuracy.parse(["--data", str(ring), "--model", model, "--epochs", "12", *SMALL])
    )
    assert told["protocol"] == "unseen"  # nobody takes an item twice
    assert told["ndcg_at_10"] > 0.7
    assert told["full_ndcg_at_10"] <= told["ndcg_at_10"]
    assert (told["dropout"], told["seen_margin"]) == (0.1, 1.0)  # not the model's own


def test_the_figures_are_those_of_the_best_epoch_not_of_the_last(ring, monkeypatch):
    parts = load_log(str(ring)).split()
    chosen = accuracy.parse(["--data", str(ring), "--model", "gru4rec", *SMALL])
    model = accuracy.make_model("gru4rec", parts.sequences.item_count, chosen)
    scripted, weights = iter([0.1, 0.3, 0.2]), []

    def evaluate(model, held_out, **_):
        weights.append(model.embedding.weight.detach().clone())
        return argparse.Namespace(ndcg=next(scripted))

    monkeypatch.setattr(accuracy, "evaluate", evaluate)
    done = accuracy.fit(model, parts, TrainConfig(epochs=3), "full", 1.0)
    assert (done.epochs, done.best_epoch, done.validation_ndcg) == (3, 2, 0.3)
    assert torch.equal(model.embedding.weight, weights[1])
    assert not torch.equal(weights[1], weights[2])


def test_seen_items_have_no_margin_where_they_are_ranked(ring):
    chosen = accuracy.parse(["--data", str(ring)])
    assert accuracy.train_config(chosen, "full").seen_margin == 0.0
    assert accuracy.train_config(chosen, "unseen").seen_margin == 1.0
    chosen = accuracy.parse(["--data", str(ring), "--seen-margin", "0.5"])
    assert accuracy.train_config(chosen, "full").seen_margin == 0.5


@pytest.mark.parametrize(("minutes", "epochs"), [(0.1, 1), (1.9, 2), (2.1, 3)])
def test_no_epoch_is_begun_that_would_end_too_late(ring, monkeypatch, minutes, epochs):
    now = [0.0]

    def train_epoch(*_):
        now[0] += 40.0
        return 1.0

    monkeypatch.setattr(accuracy, "train_epoch", train_epoch)
    monkeypatch.setattr(accuracy.time, "perf_counter", lambda: now[0])
    parts = load_log(str(ring)).split()
    chosen = accuracy.parse(["--data", str(ring), "--model", "gru4rec", *SMALL])
    model = accuracy.make_model("gru4rec", parts.sequences.item_count, chosen)
    done = accuracy.fit(model, parts, TrainConfig(), "full", minutes)
    assert done.epochs == epochs
    assert done.minutes == pytest.approx(epochs * 40 / 60)


def run(script, *arguments):
    command = [sys.executable, BENCHMARKS / f"{script}.py", *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


def test_the_command_prints_one_object_and_keeps_to_its_minutes(ring, monkeypatch, capsys):
    words = ["--data", str(ring), "--model", "sasrec", "--minutes", "0.05", "--json", *SMALL]
    monkeypatch.setattr(sys, "argv", ["accuracy.py", *words])
    accuracy.main()
    values = json.loads(capsys.readouterr().out)
    assert {"ndcg_at_10", "recall_at_10", "mrr_at_10", "minutes", "epochs"} <= set(values)
    assert values["epochs"] >= 1
    assert 0 < values["minutes"] <= 0.05


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--epochs", "0"], "epochs"),
        (["--patience", "0"], "patience"),
        (["--minutes", "nan"], "minutes"),
        (["--minutes", "-1"], "minutes"),
        (["--threads", "0"], "threads"),
        (["--seed", "-1"], "seed"),
        (["--l2", "0.1", "--weight-decay", "0.1"], "l2"),
        (["--model", "sasrec", "--d", "15"], "heads"),
        (["--model", "gru4rec", "--d", "0"], "d must"),
        (["--model", "gru4rec", "--max-length", "0"], "max_length"),
        (["--model", "sasrec", "--dropout", "1.5"], "dropout"),
        (["--model", "gru4rec", "--dropout", "nan"], "dropout"),
        (["--dropout", "-0.1"], "dropout"),
        (["--data", "no/such/log.txt"], "no/such/log.txt"),
    ],
)
def test_what_cannot_be_done_is_one_line(ring, monkeypatch, capsys, arguments, named):
    monkeypatch.setattr(sys, "argv", ["accuracy.py", "--data", str(ring), *arguments])
    with pytest.raises(SystemExit) as exit_:
        accuracy.main()
    assert exit_.value.code == 2
    said = capsys.readouterr().err.strip()
    assert named in said
    assert len(said.splitlines()) == 1


def line(model, seed, ndcg, **more):
    figures = {"ndcg_at_10": ndcg, "recall_at_10": 2 * ndcg, "mrr_at_10": ndcg / 2}
    how = {"data": "log.txt", "protocol": "unseen", "minutes": 3.0, "epochs": 4, "d": 64}
    return {**figures, "full_ndcg_at_10": ndcg / 4, "model": model, "seed": seed, **how, **more}


def test_the_table_has_mean_and_sample_deviation_and_never_mixes_settings():
    lines = [line("glint", 1, 0.01), line("glint", 2, 0.02), line("glint", 3, 0.06),
             line("sasrec", 1, 0.05), line("glint", 1, 0.5, d=128)]  # fmt: skip
    rows = table.render(lines).splitlines()
    assert len(rows) == 2 + 3
    assert "0.0300 ± 0.0265" in rows[2]  # statistics.stdev of 1, 2 and 6
    assert "| 3 |" in rows[2]
    assert "| sasrec |" in rows[3] and "0.0500 |" in rows[3] and "±" not in rows[3]
    assert "0.5000" in rows[4]


@pytest.mark.full
def test_the_table_runs_what_its_file_lacks(ring, tmp_path, monkeypatch, capsys):
    kept = tmp_path / "lines.jsonl"
    kept.write_text(json.dumps(line("gru4rec", 1, 0.5, data=ring.name)) + "\n")
    flags = ["--epochs", "1", *SMALL]
    arguments = ["--data", ring, "--models", "gru4rec", "--seeds", 1, 2, "--out", kept]
    monkeypatch.setattr(sys, "argv", ["accuracy_table.py", *map(str, arguments), "--", *flags])
    table.main()
    lines = [json.loads(each) for each in kept.read_text("utf-8").splitlines()]
    assert [each["seed"] for each in lines] == [1, 2]
    assert (lines[0]["ndcg_at_10"], lines[1]["epochs"], lines[1]["d"]) == (0.5, 1, 16)
    assert capsys.readouterr().out.strip() == table.render(lines)


@pytest.mark.full
def test_the_table_stops_at_a_run_that_fails(ring, tmp_path):
    kept = tmp_path / "lines.jsonl"
    done = run("accuracy_table", "--data", ring, "--out", kept, "--", "--epochs", "0")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "epochs" in done.stderr
    assert not kept.exists()
