"""benchmarks/compare_models.py runs what is missing, once, and says where GLINT-RU is behind."""

import argparse
import importlib
import json
import runpy
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from glint_edge.errors import ConfigError, DivergedError
from glint_edge.levers import OneOf
from glint_edge.locks import try_lock
from tests.logs import write_ring

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))
compare_models, accuracy, contenders, device_times, fitting, lines, runs, tables, search = (
    importlib.import_module(name)
    for name in ("compare_models", "accuracy", "models.contenders", "device_times",
                 "models.fitting", "models.lines", "models.runs", "models.tables", "models.search")
)  # fmt: skip


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    """A log in which the item after i is i + 1; nobody takes one twice."""
    return write_ring(tmp_path_factory.mktemp("ring") / "ring.txt", items=30, longest=20)


@pytest.fixture
def command(ring, tmp_path, monkeypatch, capsys):
    """The command on the ring: its table, and the JSON that it wrote."""

    def run(*words):
        small = ("--data", ring, "--out", tmp_path, "--epochs", 2, "--trial-epochs", 2, "--d", 16)
        monkeypatch.setattr(sys, "argv", ["compare_models.py", *map(str, (*small, *words))])
        compare_models.main()
        return capsys.readouterr().out, json.loads((tmp_path / "compare-models.json").read_text())

    return run


def test_it_searches_trains_and_prints_and_goes_on_where_it_stopped(command, monkeypatch, tmp_path):
    fits = []
    monkeypatch.setattr(
        runs, "fit", lambda *args, **more: fits.append(args) or fitting.fit(*args, **more)
    )
    words = ("--models", "glint", "gru4rec", "--trials", 2, "--steps", "accuracy")
    _, document = command(*words, "--seeds", 1)
    assert len(fits) == 2 * (2 + 1)
    text, document = command(*words, "--seeds", 1, 2)
    assert len(fits) == 2 * (2 + 2)  # the second seed of each alone
    (log,) = document["logs"]
    glint, peer = log["models"]
    assert (glint["model"], peer["model"], log["users"]) == ("glint", "gru4rec", 60)
    for word in ("unseen", "whole", "unseen_expert", "whole_expert"):
        assert len(peer[word]["by_seed"]) == 2
        lead = peer[word]["lead"]
        both = glint[word]["ndcg_at_10"] - peer[word]["ndcg_at_10"]
        assert lead["difference"] == pytest.approx(both)
    assert peer["weights"] > 16 * 31 > peer["weights"] - peer["weights_without_table"] - 1
    assert "| GRU4Rec (RNN) |" in text and "GLINT-RU is" in text and "Not measured" in text
    bands = log["by_length"]
    users = [band["users"] for band in bands]
    assert sum(users) == log["users"]
    for model in (glint, peer):
        by_band = [band["ndcg_at_10"][model["model"]] for band in bands]
        assert np.average(by_band, weights=users) == pytest.approx(model["unseen"]["ndcg_at_10"])
    # What the docs show is what the command printed.
    docs = runpy.run_path(str(ROOT / "scripts/docs_tables.py"))
    for kind in ("models", "lengths", "settings"):
        assert docs["KINDS"][kind](tmp_path / "compare-models.json") in text


def test_other_logs_of_a_results_file_stay(tmp_path):
    path, times = tmp_path / "results.json", {"log": "a", "rows": []}
    of_before = [{"log": "b"}, {"log": "a"}, {"log": "b", "neighbour_rows": 8, "d": 8}]
    path.write_text(json.dumps({"logs": of_before, "device": times}))
    new = {"logs": [{"log": "b", "neighbour_rows": 8, "d": 16}], "device": None}
    merged = compare_models.added(new, path)
    assert merged == {"logs": [{"log": "b"}, *new["logs"], {"log": "a"}], "device": times}
    assert compare_models.added(new, tmp_path / "none.json") == new


def test_the_budget_has_the_step_size_and_the_targets_of_trials_and_trainings(ring):
    budget = runs.Budget(
        trials=1, trial_epochs=1, epochs=9, patience=1, seeds=(1,), d=8, schedule="constant",
        later_items=0.3, neighbour_rows=4,
    )  # fmt: skip
    same = runs.open_log(str(ring), budget).same
    first = contenders.CONTENDERS["glint"].first
    config = contenders.train_config(same, first, seed=1)
    assert config.learning_rate_at(9) == first["learning_rate"]
    assert (config.later_items, config.neighbour_rows) == (0.3, 4)
    cosine = contenders.train_config(replace(same, schedule="cosine"), first, seed=1)
    assert cosine.learning_rate_at(9) < first["learning_rate"] / 10


def test_what_another_process_is_at_is_left_to_it(command, tmp_path, capsys):
    folder = tmp_path / "ring.txt" / "gru4rec"
    folder.mkdir(parents=True)
    with (folder / "lock").open("wb") as file:
        assert try_lock(file)
        _, document = command("--models", "gru4rec", "--trials", 0, "--steps", "accuracy")
    assert document["logs"][0]["models"] == []


@pytest.mark.parametrize("name", contenders.CONTENDERS)
def test_a_certain_next_item_is_learnt_by_each(ring, name):
    words = ["--d", 16, "--dropout", 0, "--embedding-dropout", 0.1, "--learning-rate", 0.03,
             "--batch-positions", 200, "--epochs", 6, "--max-length", 20]  # fmt: skip
    told = accuracy.measure(
        accuracy.parse(["--data", str(ring), "--model", name, *map(str, words)])
    )
    assert told["protocol"] == "unseen"  # nobody takes an item twice
    assert told["ndcg_at_10"] > 0.6
    assert told["full_ndcg_at_10"] <= told["ndcg_at_10"]
    assert (told["embedding_dropout"], told["seen_margin"]) == (0.1, 1.0)


def test_the_whole_form_takes_what_was_found_for_the_causal_one(ring, tmp_path):
    budget = runs.Budget(trials=1, trial_epochs=1, epochs=1, patience=1, seeds=(1,), d=8)
    log = runs.open_log(str(ring), budget)
    with pytest.raises(ConfigError, match="run --models fmlp_rec"):
        runs.run(log, "fmlp_rec_whole", budget, tmp_path)
    path = tmp_path / "ring.txt" / "fmlp_rec" / runs.TRIALS
    first = {**contenders.CONTENDERS["fmlp_rec"].first, "layers": 1}
    lines.add_line(path, {"settings": first, "by_epoch": [0.1]})
    assert runs.run(log, "fmlp_rec_whole", budget, tmp_path)
    (line,) = runs.results(log, "fmlp_rec_whole", budget, tmp_path)
    assert (line["settings"]["layers"], line["fixed"]["batch_positions"]) == (1, 400)


def figures(values):
    """A training that validates so, epoch by epoch."""
    done = []

    def train(settings, after):
        done.append(settings)
        for number, value in enumerate(values(settings), start=1):
            after(argparse.Namespace(epoch=number, validation_ndcg_at_10=value))

    return train, done


def test_a_search_takes_the_best_on_validation_items_and_goes_on(tmp_path):
    own = contenders.Contender("x", "X", {"layers": (OneOf((1, 2)), 2)})
    train, done = figures(lambda settings: [0.1, 0.1 + settings["dropout"], 0.2])
    path, fixed = tmp_path / "trials.jsonl", {"d": 8}
    search.search(own, path, 3, fixed, train)
    found = search.search(own, path, 5, fixed, train)
    assert (len(done), found.trials, done[0]) == (5, 5, own.first)
    assert found.settings == max(done, key=lambda one: one["dropout"])
    assert found.ndcg == pytest.approx(0.1 + found.settings["dropout"])
    assert all(one["layers"] in (1, 2) for one in done)
    assert search.search(own, path, 2, fixed, train).trials == 2  # of more that are there
    with pytest.raises(ConfigError, match="other conditions"):
        search.search(own, path, 6, {"d": 16}, train)
    assert search.search(own, path, 0, fixed, train).settings == own.first


def test_a_trial_that_diverges_or_is_behind_is_spent(tmp_path):
    own = contenders.CONTENDERS["gru4rec"]
    seen = []

    def train(settings, after):
        seen.append(settings)
        if len(seen) == 2:
            raise DivergedError("the loss became nan", "train it again")
        for number in range(1, 9):
            after(argparse.Namespace(epoch=number, validation_ndcg_at_10=1 / len(seen)))

    found = search.search(own, tmp_path / "trials.jsonl", 8, {}, train)
    assert (len(seen), found.ndcg) == (8, 1.0)
    done = lines.read_lines(tmp_path / "trials.jsonl")
    assert done[1]["by_epoch"] == [] and done[-1]["stopped"]


def test_a_line_that_a_kill_cut_is_none(tmp_path):
    path = tmp_path / "runs.jsonl"
    lines.add_line(path, {"seed": 1})
    path.write_bytes(path.read_bytes() + b'{"seed": 2, "nd')
    assert lines.read_lines(path) == [{"seed": 1}]
    lines.add_line(path, {"seed": 3})
    assert lines.read_lines(path) == [{"seed": 1}, {"seed": 3}]


def model(name, title, **lead):
    spread = {"ndcg_at_10": 0.05, "deviation": 0.001, **({"lead": lead} if lead else {})}
    return {"model": name, "title": title, "kind": "RNN", "settings": {"l2": 1e-5, "layers": 2},
            "unseen": spread, "weights": 1000, "minutes": 2.0, "validation_ndcg_at_10": 0.06,
            "best_epoch": 7, "seeds": [1, 2]}  # fmt: skip


def test_the_table_says_whom_glint_ru_is_behind():
    models = [model("glint", "GLINT-RU"),
              model("a", "A", difference=0.01, half_width=0.002, verdict="better"),
              model("b", "B", difference=-0.004, half_width=0.002, verdict="worse")]  # fmt: skip
    log = {"log": "x.txt", "users": 10, "items": 20, "models": models,
           "trials": 4, "trial_epochs": 6, "epochs": 14, "processor": "CPU(R)"}  # fmt: skip
    text = tables.accuracy({"logs": [log]})
    assert text.startswith(
        "**x.txt, own rows alone**: 10 users, 20 items. Searched: 4 trials of at most 6 epochs; "
        "trained: at most 14 epochs by a cosine step size, once a seed. "
        "Minutes are of: CPU."
    )
    also = tables.accuracy({"logs": [{**log, "later_items": 0.3, "neighbour_rows": 8}]})
    assert (
        "once a seed; later items are targets, too (0.3); vectors take in the rows of 8 neighbours."
    ) in also
    assert "by a constant step" in tables.accuracy({"logs": [{**log, "schedule": "constant"}]})
    assert "| B (RNN) | 0.0500 ± 0.0010 | -0.0040 ± 0.0020 | – | 1,000 | 2.0 | 2 |" in text
    assert "- unseen items: GLINT-RU is ahead of A; behind B." in text
    searched = tables.settings({"logs": [{**log, "neighbour_rows": 8}]})
    assert "| x.txt | A | l2 1e-05, layers 2 | 0.0600 | 7.0 |" in searched


def test_lengths_that_few_users_have_are_not_shown():
    bands = [{"history": "1-5 items", "users": 1234, "ndcg_at_10": {"a": 0.05, "b": 0.06}},
             {"history": "6-10 items", "users": 29, "ndcg_at_10": {"a": 0, "b": 1}}]  # fmt: skip
    log = {"log": "x.txt", "models": [model("a", "A"), model("b", "B")], "by_length": bands}
    text = tables.lengths({"logs": [log, {"log": "of before"}]})
    assert text.splitlines()[-1] == "| 1-5 items | 1,234 | 0.0500 | 0.0600 |"
    assert tables.lengths({"logs": [{**log, "by_length": bands[1:]}]}) == ""


def test_times_say_what_could_not_be_made():
    row = {"model": "glint", "title": "GLINT-RU", "stream": True, "program": "onnx", "n": 50}
    peer = {**row, "model": "a", "title": "A", "stream": False, "n": 50}
    rows = [
        {**row, "us": 90.0, "bytes": 250_000},
        {**peer, "program": "fp32", "us": 1234.0, "bytes": 3_000_000},
        {**peer, "program": "litert", "why_not": "took too long"},
    ]
    text = tables.device({"device": {"rows": rows}})
    assert "| A | 1,234 | – | – | 3,000 | – | – |" in text
    assert "| GLINT-RU | – | 90 | – | – | – | 250 | – | – |" in text
    assert "- A, LiteRT fp32, N 50: took too long" in text
    assert (
        "- N 50: the quickest peer is A (ONNX fp32, 1,234 µs): 13.7 times as long as the stream on "
        "ONNX Runtime."
    ) in text


@pytest.mark.full
@pytest.mark.slow
def test_a_peer_exported_by_the_stock_path_gives_its_own_list(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="needs glint-edge[onnx]")
    pytest.importorskip("onnxscript", reason="needs glint-edge[onnx]")

    def here(command, input, **_):  # in place of a process of its own
        order = json.loads(input)
        with warnings.catch_warnings():  # the exporter's own deprecations
            warnings.simplefilter("ignore")
            shape = device_times.Shape(**order["shape"])
            device_times.export(order["what"], Path(order["folder"]), shape)
        return argparse.Namespace(stderr="", returncode=0)

    monkeypatch.setattr(device_times.subprocess, "run", here)
    first = {**contenders.CONTENDERS["lrurec"].first, "layers": 1}
    threads = torch.get_num_threads()
    found = device_times.measure(
        {"lrurec": first}, 40, 8, [5], tmp_path, seconds=0.1, streams=(), litert=False
    )
    torch.set_num_threads(threads)
    assert [row["program"] for row in found] == ["fp32", "int8"]
    assert found[0]["overlap"] == 1 and min(row["us"] for row in found) > 0
    assert found[0]["bytes"] == (tmp_path / "lrurec-v40-d8-n5" / "stock.onnx").stat().st_size


def test_a_program_that_cannot_be_made_is_tried_once_and_says_why(tmp_path, monkeypatch):
    tried = []

    def fails(command, **_):
        tried.append(command)
        return argparse.Namespace(stderr="ValueError: no such operator\nsee there\n", returncode=1)

    monkeypatch.setattr(device_times.subprocess, "run", fails)
    monkeypatch.setattr(device_times, "times_us", lambda calls, seconds: [])
    best = {"sasrec": contenders.CONTENDERS["sasrec"].first}
    for _ in range(2):
        rows = device_times.measure(best, 40, 8, [5], tmp_path, streams=())
        assert {row["why_not"] for row in rows} == {"ValueError: no such operator"}
    assert len(tried) == 3


def test_taps_are_timed_with_the_settings_of_a_results_file(tmp_path, monkeypatch, capsys):
    timed = []
    monkeypatch.setattr(
        compare_models, "measure", lambda *args, **_: timed.append(args) or [
            {"model": "lrurec", "program": "fp32", "stream": False, "n": 50, "us": 3.0}
        ],
    )  # fmt: skip
    results, settings = tmp_path / "results.json", {"layers": 3, "dropout": 0.1}
    log = {"log": "shop", "users": 5, "items": 70, "protocol": "unseen", "n": 50, "d": 16,
           "trials": 1, "trial_epochs": 1, "epochs": 1, "processor": "Another(R)"}  # fmt: skip
    model = {"model": "lrurec", "title": "LRURec", "kind": "linear RNN", "settings": settings,
             "validation_ndcg_at_10": 0.2, "best_epoch": 3, "weights": 7, "minutes": 1.0,
             "seeds": [1]}  # fmt: skip
    own = {**model, "settings": {"layers": 1}}  # of own rows alone
    of_rows = {**log, "neighbour_rows": 8, "models": [model]}
    before = {"logs": [{**log, "models": [own]}, of_rows], "device": None}
    results.write_text(json.dumps(before))
    words = ["--out", tmp_path / "out", "--taps-of", results, "--models", "lrurec", "sasrec"]
    monkeypatch.setattr(sys, "argv", ["compare_models.py", *map(str, words)])
    compare_models.main()
    best = {"lrurec": settings, "sasrec": contenders.CONTENDERS["sasrec"].first}
    assert timed[0][:3] == (best, 70, 16)
    after = json.loads(results.read_text())
    assert after == {**before, "device": after["device"]}
    assert after["device"]["rows"][0]["us"] == 3.0
    assert after["device"]["machine"] == compare_models.machine(), "not where the log was trained"
    said = capsys.readouterr().out
    assert "| LRURec | 3 |" in said and "Minutes are of: Another." in said


def test_a_run_keeps_to_its_minutes_and_to_its_best_epoch(monkeypatch):
    peer = contenders.make_model("gru4rec", 9, 8, 5, contenders.CONTENDERS["gru4rec"].first)
    weights = [torch.rand(10, 8) for _ in range(3)]

    def epochs(run, *_, **__):
        for number, ndcg in enumerate((0.1, 0.3, 0.2)):
            run.history.append(argparse.Namespace(
                epoch=number + 1, loss=1.0, validation_ndcg_at_10=ndcg, seconds=40.0,
                best_epoch=min(number, 1) + 1,
            ))  # fmt: skip
            if ndcg != 0.2:
                run.best = {**run.model.state_dict(), "embedding.weight": weights[number]}
            yield run.history[-1]

    monkeypatch.setattr(fitting, "epochs", epochs)
    config = contenders.TrainConfig(table_start="random", average=0.0, neighbour_rows=0)
    done = fitting.fit(peer, argparse.Namespace(), config, "full", minutes=1.9)
    assert (done.epochs, done.best_epoch, done.validation_ndcg) == (2, 2, 0.3)
    assert done.minutes == pytest.approx(80 / 60)
    assert torch.equal(peer.embedding.weight, weights[1])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--epochs", "0"], "epochs"),
        (["--minutes", "nan"], "minutes"),
        (["--threads", "0"], "threads"),
        (["--seed", "-1"], "seed"),
        (["--model", "sasrec", "--heads", "3"], "heads"),
        (["--model", "gru4rec", "--heads", "2"], "has no heads"),
        (["--model", "gru4rec", "--d", "0"], "d must"),
        (["--model", "gru4rec", "--max-length", "0"], "max_length"),
        (["--model", "sasrec", "--dropout", "1.5"], "dropout"),
        (["--model", "bsarec", "--alpha", "nan"], "alpha"),
        (["--embedding-dropout", "-0.1"], "dropout"),
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


def test_accuracy_prints_one_object(ring, monkeypatch, capsys):
    words = ["--data", str(ring), "--model", "sasrec", "--epochs", "1", "--d", "8", "--json"]
    monkeypatch.setattr(sys, "argv", ["accuracy.py", *words])
    accuracy.main()
    values = json.loads(capsys.readouterr().out)
    assert {"ndcg_at_10", "recall_at_10", "mrr_at_10", "minutes", "epochs"} <= set(values)
    assert (values["epochs"], values["layers"]) == (1, 2)
