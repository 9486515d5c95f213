"""Logs larger than memory: what the shards hold, and training on them."""

import json
import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

from glint_edge.cli import app as cli
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.log import load_log
from glint_edge.data.options import LoadOptions
from glint_edge.data.sharded.sharding import make_shards
from glint_edge.data.sharded.shards import open_shards
from glint_edge.data.source import find_split, read_beside
from glint_edge.errors import ConfigError, DataError
from glint_edge.processes.distributed import Alone
from tests.data.logs import ROWS, expected, write_inter, write_tsv


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """A ring of 20 items walked by 90 users, rows shuffled; three more users are too short."""
    rng = np.random.default_rng(0)
    found = [(f"short{n}", f"i{n}", 5) for n in range(3)]
    for user in range(90):
        start, length = rng.integers(20), rng.integers(4, 30)
        found += [(f"u{user}", f"i{(start + n) % 20}", 1000 * n + user) for n in range(length)]
    order = rng.permutation(len(found))
    users, items, times = zip(*(found[index] for index in order), strict=True)
    return pl.DataFrame({"user_id": users, "item_id": items, "timestamp": times})


@pytest.fixture(scope="module")
def source(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("source") / "interactions"
    folder.mkdir()
    rows[:400].write_parquet(folder / "a.parquet")
    rows[400:].write_parquet(folder / "b.parquet")
    return folder


@pytest.fixture(scope="module")
def shards(source):
    return make_shards(source, source.parent / "shards", parts=5, held_out=30)


def sequences_of(shards):
    return [items for path in shards.parts for items in pl.read_parquet(path)["items"].to_list()]


def test_shards_hold_each_users_items_in_time_order(rows, shards):
    key = dict(enumerate(shards.keys))
    counts = Counter(tuple(key[i] for i in ids) for ids in sequences_of(shards))
    held = pl.read_parquet(shards.folder / "held_out.parquet")["items"].to_list()
    for ids in held:  # their last two are not trained on
        whole = tuple(key[i] for i in ids)
        counts[whole[:-2]] -= 1
        counts[whole] += 1
    expected = Counter()
    for _, user in rows.sort("timestamp").group_by("user_id"):
        if len(user) >= 3:
            expected[tuple(user["item_id"])] += 1
    assert +counts == expected
    assert len(held) == 30
    assert shards.summary == {
        "users": 90, "items": 20, "interactions": len(rows) - 3,
    }  # fmt: skip


def test_ids_are_ranks_by_popularity_in_training(rows, shards):
    trained = Counter(item for ids in sequences_of(shards) for item in ids)
    assert shards.counts().tolist() == [trained[n] for n in range(shards.item_count + 1)]
    assert shards.counts()[1:].tolist() == sorted(trained.values(), reverse=True)
    whole = Counter(rows.filter(pl.len().over("user_id") >= 3)["item_id"])
    assert shards.popularity()[1:].tolist() == [whole[key] for key in shards.keys[1:]]


def test_held_out_items_are_the_last_two(shards):
    whole = pl.read_parquet(shards.folder / "held_out.parquet")["items"].to_list()
    validation, test = shards.validation(), shards.test()
    for user, ids in enumerate(whole):
        assert validation.targets[user] == ids[-2]
        assert test.targets[user] == ids[-1]
        at = slice(validation.offsets[user], validation.offsets[user + 1])
        assert validation.ids[at].tolist() == ids[:-2]
        at = slice(test.offsets[user], test.offsets[user + 1])
        assert test.ids[at].tolist() == ids[:-1]


def test_training_sequences_lack_what_is_held_out(shards):
    ids, offsets = shards.training()
    expected = sequences_of(shards)
    assert ids.dtype == np.int32
    assert [ids[a:b].tolist() for a, b in pairwise(offsets)] == expected
    held = np.concatenate([shards.validation().targets, shards.test().targets])
    missing = shards.popularity() - np.bincount(held, minlength=shards.item_count + 1)
    assert missing.tolist() == shards.counts().tolist()


class Rank(Alone):
    def __init__(self, rank, size):
        self.rank, self.size = rank, size


def pairs_of(batches):
    counts = Counter()
    for items, lengths, targets in batches:
        for row, n in enumerate(lengths.tolist()):
            counts.update(zip(items[row, :n].tolist(), targets[row, :n].tolist(), strict=True))
    return counts


@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_processes_see_every_prediction_once_and_stay_in_step(shards, size):
    expected = Counter()
    for ids in sequences_of(shards):
        expected.update(pairwise(ids))
    counts, after = Counter(), set()
    for rank in range(size):
        rng = np.random.default_rng(3)
        counts += pairs_of(shards.batches(12, 64, rng, group=Rank(rank, size)))
        after.add(rng.integers(2**40))
    assert counts == expected
    assert len(after) == 1


def test_epochs_come_in_different_orders(shards):
    rng = np.random.default_rng(0)
    first, second = ([batch[0].tolist() for batch in shards.batches(12, 64, rng)] for _ in range(2))
    assert first != second


def test_more_processes_than_shards_are_refused(shards):
    with pytest.raises(ConfigError, match="5 shards, too few for 6 processes"):
        next(shards.batches(12, 64, np.random.default_rng(0), group=Rank(0, 6)))


@pytest.mark.slow
def test_the_command_line_trains_on_shards_and_evaluates_on_them(source, tmp_path, capsys):
    assert cli.app(
        ["shard", str(source), "--out", str(tmp_path / "s"), "--parts", "2", "--json"],
        standalone_mode=False,
    ) in (0, None)  # fmt: skip
    assert json.loads(capsys.readouterr().out)["users"] == 90
    cli.app(
        ["train", "--data", str(tmp_path / "s"), "--out", str(tmp_path / "run"), "--json",
         "--width", "16", "--heads", "2", "--max-length", "12", "--batch-positions", "64",
         "--learning-rate", "0.02", "--epochs", "15"],
        standalone_mode=False,
    )  # fmt: skip
    values = json.loads(capsys.readouterr().out)
    assert values["test"]["users"] == 90
    assert values["test"]["ndcg_at_10"] > 0.6
    from glint_edge.checkpoints.checkpoint import load_checkpoint

    trained = load_checkpoint(tmp_path / "run")
    again = find_split(trained.data, trained.catalogue, None, offline=True).test()
    assert again.targets.tolist() == open_shards(tmp_path / "s").test().targets.tolist()
    cli.app(["evaluate", str(tmp_path / "run"), "--json"], standalone_mode=False)
    measured = json.loads(capsys.readouterr().out)
    assert measured["ndcg_at_10"] == pytest.approx(values["test"]["ndcg_at_10"])
    # On a ring, what comes next is as near as what came before: better than what is popular.
    figures = {name: found["recall_at_10"] for name, found in measured["baselines"].items()}
    assert figures["neighbours"] > figures["popularity"]


@pytest.mark.parametrize(
    ("name", "separator", "format"),
    [("log.csv", ",", None), ("log.tsv", "\t", None), ("log", "\t", "tsv")],
)
def test_text_gives_the_same_shards(rows, shards, tmp_path, name, separator, format):
    rows.write_csv(tmp_path / name, separator=separator)
    options = LoadOptions(format=format)
    again = make_shards(tmp_path / name, tmp_path / "s", options=options, parts=5, held_out=30)
    assert again.summary == shards.summary
    assert again.counts().tolist() == shards.counts().tolist()


def test_shards_and_the_whole_log_train_on_the_same_users(rows, tmp_path):
    rows.write_parquet(tmp_path / "log.parquet")
    whole = load_log(tmp_path / "log.parquet").split()
    shards = make_shards(tmp_path / "log.parquet", tmp_path / "s", parts=3, held_out=1000)
    named = {
        tuple(whole.sequences.keys[i] for i in whole.train_ids[a:b])
        for a, b in pairwise(whole.train_offsets)
    }
    assert {tuple(shards.keys[i] for i in ids) for ids in sequences_of(shards)} == named


@settings(max_examples=15, deadline=None)
@given(rows=ROWS)
def test_a_log_in_shards_and_in_memory_gives_the_same_sequences_and_ids(rows):
    histories, ranked = expected(rows)
    with tempfile.TemporaryDirectory() as folder:
        for name, write in {"log.tsv": write_tsv, "log.inter": write_inter}.items():
            path, out = Path(folder) / name, Path(folder) / f"{name}.shards"
            write(path, rows)
            if not histories:
                with pytest.raises(DataError, match="no user is left with at least 3 items"):
                    make_shards(path, out)
                continue
            shards = make_shards(path, out, parts=2, held_out=100)
            whole = pl.read_parquet(out / "held_out.parquet")["items"].to_list()
            keys = sorted([shards.keys[item] for item in items] for items in whole)
            assert keys == sorted(histories.values())
            assert shards.keys == ("", *ranked)
            assert shards.summary == load_log(path).source.summary


def test_shards_that_were_made_again_are_not_those_of_a_checkpoint(source, tmp_path, caplog):
    make_shards(source, tmp_path / "s", parts=2, held_out=30)
    log = load_log(tmp_path / "s")
    catalogue = Catalogue(log.data.keys, {})
    assert log.source.digest and read_beside(log.source).source == log.source
    shutil.rmtree(tmp_path / "s")
    make_shards(source, tmp_path / "s", parts=2, held_out=30, seed=1)
    for data in (None, tmp_path / "s"):
        with pytest.raises(DataError, match="was made again since the model was trained"):
            read_beside(log.source, data)
    assert find_split(log.source, catalogue, offline=True) is None
    assert "was made again" in caplog.text
    shutil.rmtree(tmp_path / "s")
    make_shards(source, tmp_path / "s", parts=2, held_out=30)
    before = replace(log.source, digest="")  # a checkpoint that was written without
    assert find_split(before, catalogue, offline=True) is not None


def test_shards_written_before_there_were_digests_are_read(source, tmp_path):
    shards = make_shards(source, tmp_path / "s", parts=2, held_out=30)
    now = shards.validation(), shards.test()
    about = json.loads((tmp_path / "s/shards.json").read_text())
    del about["sha256"], about["predictions"], about["split"]
    (tmp_path / "s/shards.json").write_text(json.dumps(about))
    items = pl.read_parquet(tmp_path / "s/items.parquet").drop("training")
    items.write_parquet(tmp_path / "s/items.parquet")
    held = pl.read_parquet(tmp_path / "s/held_out.parquet").select("items")
    held.write_parquet(tmp_path / "s/held_out.parquet")
    old = open_shards(tmp_path / "s")
    assert old.digest == "" and old.keys == shards.keys
    assert old.counts().tolist() == old.popularity().tolist() == shards.popularity().tolist()
    assert [ids.tolist() for ids in old.training()] == [ids.tolist() for ids in shards.training()]
    for before, after in zip((old.validation(), old.test()), now, strict=True):
        assert before.ids.tolist() == after.ids.tolist()
        assert before.targets.tolist() == after.targets.tolist()


@pytest.mark.parametrize(
    "about",
    [b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"format_version": 1, "parts": 1e400}',
     b'{"format_version": 1, "parts": 2, "sha256": 5}',
     b'{"format_version": 1, "parts": 2000000000}',
     b'{"format_version": 1, "parts": 2, "name": "x", "sha256": {"items.parquet": "0"}}'],
)  # fmt: skip
def test_a_damaged_description_is_one_line(source, tmp_path, about):
    make_shards(source, tmp_path / "s", parts=2)
    (tmp_path / "s/shards.json").write_bytes(about)
    with pytest.raises(DataError, match="make the shards again") as caught:
        load_log(tmp_path / "s")
    assert "\n" not in str(caught.value)


def test_bad_input_is_one_line_and_leaves_nothing(source, shards, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(DataError, match=r"no such file"):
        make_shards(tmp_path / "nothing.parquet", out)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no \.parquet file"):
        make_shards(tmp_path / "empty", out)
    pl.DataFrame({"user": ["a"], "item": ["b"]}).write_parquet(tmp_path / "one.parquet")
    with pytest.raises(DataError, match="no user is left with at least 3 items"):
        make_shards(tmp_path / "one.parquet", out)
    (tmp_path / "torn.parquet").write_bytes((source / "a.parquet").read_bytes()[:200])
    with pytest.raises(DataError, match="not a readable Parquet file"):
        make_shards(tmp_path / "torn.parquet", out)
    with pytest.raises(ConfigError, match="parts"):
        make_shards(source, out, parts=0)
    with pytest.raises(ConfigError, match="k-core needs the whole log"):
        make_shards(source, out, options=LoadOptions(k_core=5))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "empty",
        "one.parquet",
        "torn.parquet",
    ]
    with pytest.raises(ConfigError, match="exists"):
        make_shards(source, shards.folder)


def test_damaged_shards_are_named(source, tmp_path):
    shards = make_shards(source, tmp_path / "s", parts=2)
    shards.parts[1].write_bytes(b"torn")
    with pytest.raises(DataError, match=r"part-0001\.parquet is damaged"):
        list(shards.batches(12, 64, np.random.default_rng(0)))
    shards.parts[1].unlink()
    with pytest.raises(DataError, match=r"lacks part-0001\.parquet"):
        open_shards(shards.folder)
    (shards.folder / "shards.json").write_text('{"format_version": 9}')
    with pytest.raises(DataError, match="format 9"):
        open_shards(shards.folder)
