"""`glint-edge evaluate`."""

import json
from dataclasses import replace

import pytest

from glint_edge.checkpoints.checkpoint import DEFAULT_CHECKPOINT, load_checkpoint
from glint_edge.evaluation.appraise import appraise_checkpoint
from tests.cli.streams import only_line


def test_evaluate_prints_exactly_what_scripts_rely_on(trained, run):
    code, out, _ = run("evaluate", trained, "--json")
    figures = json.loads(out)
    assert code == 0
    own = ["recall_at_10", "mrr_at_10", "ndcg_at_10", "users"]
    assert list(figures)[:7] == [*own, "unbounded", "baselines", "slices"]
    assert list(figures)[7:] == [
        "protocol", "target_repeats", "lists", "against", "verdict", "other", "without_neighbours",
    ]  # fmt: skip
    assert figures["protocol"] == "unseen"  # nobody takes an item again
    stored = load_checkpoint(trained).metrics["test"]
    assert {name: figures[name] for name in own} == pytest.approx(stored)
    assert set(figures["baselines"]) == {"popularity", "neighbours"}
    assert sum(s["users"] for s in figures["slices"] if s["by"] == "history") == figures["users"]


def test_evaluate_draws_what_it_tells(trained, run, tmp_path):
    code, out, err = run("evaluate", trained, "--slices", "--plot", tmp_path / "slices.svg")
    assert code == 0, err
    assert "neighbours" in out
    assert "all users" in out
    assert "<svg" in (tmp_path / "slices.svg").read_text("utf-8")
    for name, says in (("a.pdf", ".png or .svg"), ("none/a.png", "there is no folder")):
        code, _, err = run("evaluate", trained, "--plot", tmp_path / name)
        assert code == 2
        assert says in only_line(err)  # before anything is ranked: no other line


def test_the_protocols_and_splits_differ(trained, taps, run):
    variants = [
        run("evaluate", trained, "--data", taps, "--json", *more)[1]
        for more in ([], ["--part", "validation"], ["--protocol", "sampled-pop100"])
    ]
    assert len(set(variants)) == 3
    # As it was called once.
    assert run("evaluate", trained, "--split", "validation", "--json")[1] == variants[1]


def test_evaluate_ends_with_a_verdict(trained, run):
    code, out, _ = run("evaluate", trained)
    line = out.splitlines()[-1]
    assert code == 0
    assert line.startswith("verdict: the held-out item is in the top 10 for ")
    assert "popularity" in line and "neighbours" in line and "points" in line
    told = " ".join(out.split())  # a long path breaks the title
    assert "protocol unseen" in told and "coverage" in told and "Gini" in told


def test_a_field_that_groups_no_items_has_no_figure(trained):
    checkpoint = load_checkpoint(trained)
    keys = checkpoint.catalogue.keys[1:]
    fields = {"kind": {key: "ab"[len(key) % 2] for key in keys},
              "price": {key: f"{n},95" for n, key in enumerate(keys)}}  # fmt: skip
    catalogue = replace(checkpoint.catalogue, fields=fields)
    lists = appraise_checkpoint(replace(checkpoint, catalogue=catalogue)).lists
    assert all(set(of.diversity) == {"kind"} for of in lists.values())


def test_two_checkpoints_are_compared_on_the_same_users(trained, taps, run, tmp_path):
    small = ("--d", 8, "--epochs", 1, "--threads", 1, "--max-length", 8, "--json")
    assert run("train", "--data", taps, "--out", tmp_path / "b", *small)[0] == 0
    code, out, _ = run("evaluate", trained, tmp_path / "b", "--json")
    found = json.loads(out)["other"]
    other = json.loads(run("evaluate", tmp_path / "b", "--json")[1])
    assert code == 0
    assert {name: found[name] for name in ("recall_at_10", "ndcg_at_10", "users")} == {
        name: other[name] for name in ("recall_at_10", "ndcg_at_10", "users")
    }
    assert found["ndcg_at_10_paired"]["verdict"] in ("better", "level", "worse")
    assert f"{tmp_path / 'b'}" in run("evaluate", trained, tmp_path / "b")[1].splitlines()[-1]
    cut = ("--split", "0.6,0.2,0.2")
    assert run("train", "--data", taps, "--out", tmp_path / "c", *cut, *small)[0] == 0
    code, _, err = run("evaluate", trained, tmp_path / "c")
    assert code == 2
    assert "different data or another split" in only_line(err)


def test_the_default_checkpoint_is_the_default(run):
    assert load_checkpoint(None).sha256 == load_checkpoint(DEFAULT_CHECKPOINT).sha256


def test_a_log_is_read_as_the_flags_say_and_else_as_it_was_for_training(
    trained, taps, run, tmp_path
):
    log = tmp_path / "other.csv"
    log.write_text(taps.read_text().replace("user,item,time", "who,what,when", 1))
    flags = ("--user-column", "who", "--item-column", "what", "--time-column", "when")
    code, out, err = run("evaluate", trained, "--data", log, *flags, "--json")
    assert code == 0, err
    assert out == run("evaluate", trained, "--data", taps, "--json")[1]
    code, _, err = run("evaluate", trained, "--data", log)
    assert code == 2
    assert "column" in only_line(err)
