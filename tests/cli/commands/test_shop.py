"""A shop's files by one command, as they are: what is told of them, and what is stored."""

import json

import pytest

from glint_edge.checkpoints.checkpoint import load_checkpoint
from glint_edge.data.log import load_log
from glint_edge.training.run_file import read_run
from tests.data.shop import write_shop

SMALL = ("--d", 8, "--max-length", 8, "--epochs", 1, "--threads", 1, "--json")
ITEMS = ("--item-field", "category", "--item-field", "brand")
READING = (
    "--session-column", "session_id", "--event", "view=1,cart=2,buy=4", "--collapse-repeats",
    "--session-gap", "12h",
)  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder, visitors=200, skus=60)
    return folder


def test_a_shops_files_train_as_they_are(shop, run, tmp_path):
    taps, out = shop / "taps.csv", tmp_path / "run"
    code, _, err = run(
        "train", "--data", taps, "--items", shop / "products.csv", *ITEMS, "--out", out, *SMALL
    )
    assert code == 0, err
    checkpoint = load_checkpoint(out)
    log = load_log(taps)
    assert checkpoint.data.columns == {
        "user": "customer_id", "item": "sku", "time": "event_time",
    }  # fmt: skip
    said = (*log.warnings, *log.notes)
    assert checkpoint.data.notes[: len(said)] == said
    assert checkpoint.data.notes[len(said)] == (
        "products.csv: columns: key = sku, title = title, fields = category, brand"
    )
    assert checkpoint.data.repeats == log.source.repeats > 0.3
    for sentence in checkpoint.data.notes:
        assert sentence[:40] in " ".join(err.split())
    assert all("in blue" in title for title in checkpoint.catalogue.titles.values())


def test_every_choice_is_stored_and_taken_again(shop, run, tmp_path):
    taps, out = shop / "taps.csv", tmp_path / "run"
    code, _, err = run("train", "--data", taps, "--out", out, *READING, *SMALL)
    assert code == 0, err
    settings = read_run(out / "run.toml")
    assert settings["event"] == "view=1,cart=2,buy=4"
    assert (settings["session_column"], settings["session_gap"]) == ("session_id", "12h")
    assert settings["collapse_repeats"] is True
    stored = load_checkpoint(out)
    assert stored.data.options["weights"] == {"view": 1, "cart": 2, "buy": 4}
    code, printed, err = run("evaluate", out, "--protocol", "full", "--json")
    assert code == 0, err
    measured = json.loads(printed)
    assert measured["ndcg_at_10"] == pytest.approx(stored.metrics["test"]["ndcg_at_10"])
    code, _, err = run("train", "--config", out / "run.toml", "--out", tmp_path / "again")
    assert code == 0, err
    assert load_checkpoint(tmp_path / "again").data == stored.data


def test_shards_of_it_keep_the_same(shop, run, tmp_path):
    taps, shards = shop / "taps.csv", tmp_path / "shards"
    code, _, err = run("shard", taps, "--out", shards, "--parts", 2, *READING)
    assert code == 0, err
    code, _, err = run("train", "--data", shards, "--out", tmp_path / "run", *SMALL)
    assert code == 0, err
    stored = load_checkpoint(tmp_path / "run").data
    options = {
        "session": "session_id", "weights": "view=1,cart=2,buy=4", "collapse_repeats": True,
        "session_gap": "12h",
    }  # fmt: skip
    source = load_log(taps, **options).source
    assert (stored.columns, stored.notes) == (source.columns, source.notes)
    assert (stored.repeats, stored.options) == (source.repeats, source.options)
    code, _, err = run("evaluate", tmp_path / "run", "--data", taps, "--json")
    assert code == 0, err
    assert "session = session_id" in err


def test_an_impossible_reading_is_one_line(shop, run, tmp_path):
    for words, message in (
        (("--event", "view"), "are no weights of events"),
        (("--only", "purchase"), "no row is of an event that counts"),
        (("--session-gap", "soon"), "is no time"),
        (("--rating-column", "stars", "--min-rating", 4), "no column 'stars'"),
    ):
        code, _, err = run("train", "--data", shop / "taps.csv", "--out", tmp_path / "r", *words)
        assert code == 2
        assert message in " ".join(err.split())
