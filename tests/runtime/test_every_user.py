"""Every user's list into a file: what `Session.top` gives each of them, a batch at a time."""

import copy
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import glint_edge as ge
from converters.export import export
from converters.options import ExportOptions
from glint_edge.data import list_file
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.list_file import Lists, write_lists
from glint_edge.data.record import DataSource
from glint_edge.errors import ConfigError, DataError, DivergedError
from glint_edge.runtime import batches_torch
from tests.small import tiny_neighbours

N, ITEMS = 5, 30
KEYS = [f"k{n}" for n in range(1, ITEMS + 1)]
FIELDS = {
    "category": {key: "abc"[n % 3] for n, key in enumerate(KEYS) if n % 7},
    "brand": {key: f"b{n % 5}" for n, key in enumerate(KEYS)},
}
TITLES = {"k1": "First"}


@pytest.fixture(scope="module", params=["masked", "reference"])
def checkpoint(request, make_model, tmp_path_factory):
    items = Catalogue(("", *KEYS), TITLES, fields=FIELDS, retired=("k4",), version=2)
    variant = "paper" if request.param == "reference" else "edge"
    model = make_model(items=ITEMS, max_length=N, padding=request.param, variant=variant)
    model.retired = items.retired_ids()
    folder = tmp_path_factory.mktemp("run")
    source = DataSource("app", "app", repeats=0.0)
    neighbours = tiny_neighbours(ITEMS) if request.param == "masked" else None
    ge.save_checkpoint(ge.Checkpoint(model, items, source, neighbours=neighbours), folder)
    return ge.load_checkpoint(folder)


@pytest.fixture(scope="module")
def recommender(checkpoint):
    return ge.load(checkpoint, unknown="skip")


@pytest.fixture(params=[0.0, 0.4, None])
def of_log(request, checkpoint):
    """The same checkpoint, of a log that repeats so much."""
    return replace(checkpoint, data=replace(checkpoint.data, repeats=request.param))


HISTORIES = st.lists(
    st.lists(st.sampled_from([*KEYS, "gone"]), min_size=1, max_size=3 * N), min_size=1, max_size=7
)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "without": st.lists(st.sampled_from([*KEYS, "?"]), max_size=5),
        "among": st.lists(st.sampled_from([*KEYS, "?"]), max_size=20),
        "where": st.dictionaries(
            st.sampled_from(["category", "brand"]), st.sampled_from(["a", "b", "b1", "?"])
        ),
        "boost": st.dictionaries(st.sampled_from(KEYS), st.floats(-50, 50, width=32)),
        "most_per": st.dictionaries(st.sampled_from(["category", "brand"]), st.integers(1, 3)),
        "exclude_seen": st.booleans(),
        "neighbours": st.sampled_from([None, False]),
    },
)


def same(rows, listed):
    """A user's rows of a file are a list, up to ties."""
    assert rows["rank"].to_list() == list(range(1, len(listed) + 1))
    np.testing.assert_allclose(rows["score"], [one.score for one in listed], atol=2e-4, rtol=1e-5)
    because = {one.key: one.because for one in listed}
    reasons = rows["because"] if "because" in rows.columns else [None] * len(rows)
    assert all(
        reason == because.get(key, reason)
        for key, reason in zip(rows["item"], reasons, strict=True)
    )
    score = {one.key: one.score for one in listed}
    for key, own, item in zip(rows["item"], rows["score"], listed, strict=True):
        assert key == item.key or abs(score.get(key, own) - item.score) < 2e-4


@settings(max_examples=20, deadline=None)
@given(histories=HISTORIES, k=st.integers(1, ITEMS + 3), words=FILTERS)
def test_every_list_is_that_of_a_session(
    checkpoint, recommender, tmp_path_factory, histories, k, words
):
    histories = [["k1"], *histories]  # or no item may be known
    out = tmp_path_factory.mktemp("lists") / "lists.parquet"
    log = ge.load_log(histories, min_length=1)
    file = ge.recommend_all(checkpoint, log, out, k=k, **words)
    written = pl.read_parquet(out)
    assert (file.users, file.rows) == (len(histories), len(written))
    explained = checkpoint.neighbours is not None and words.get("neighbours") is not False
    assert ("because" in written.columns) == explained
    for user, history in zip(log.whole.users, histories, strict=True):
        same(written.filter(user=user), recommender.recommend(history, k, **words))


def test_where_nobody_says_a_list_leaves_out_what_that_of_a_session_does(of_log, tmp_path):
    histories = [["k1", "k2", "k1"], ["gone"], ["k9", "k3"], [*KEYS[:8], "gone"]]
    log = ge.load_log(histories, min_length=1)
    ge.recommend_all(of_log, log, tmp_path / "lists.parquet", k=ITEMS)
    written, loaded = pl.read_parquet(tmp_path / "lists.parquet"), ge.load(of_log, unknown="skip")
    for user, history in zip(log.whole.users, histories, strict=True):
        rows = written.filter(user=user)
        same(rows, loaded.recommend(history, ITEMS))
        known = [key for key in history if key != "gone"]
        left_out = known if of_log.data.repeats == 0 else known[-1:]
        assert set(KEYS) - set(rows["item"]) == {"k4", *left_out}


def test_batches_of_any_size_give_the_same(checkpoint, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    log = [[KEYS[n] for n in rng.integers(ITEMS, size=1 + number % 9)] for number in range(30)]
    log = ge.load_log(log, min_length=1)
    ge.recommend_all(checkpoint, log, tmp_path / "whole.parquet", window="sliding")
    monkeypatch.setattr(batches_torch, "USERS", 4)
    monkeypatch.setattr(batches_torch, "POSITIONS", 3 * N)
    monkeypatch.setattr(list_file, "ROWS", 7)
    told = []
    ge.recommend_all(
        checkpoint,
        log,
        tmp_path / "cut.csv",
        on_users=lambda done, users: told.append((done, users)),
    )
    whole, cut = pl.read_parquet(tmp_path / "whole.parquet"), pl.read_csv(tmp_path / "cut.csv")
    assert told[-1] == (30, 30) and len(told) > 8
    assert whole.select("user", "rank", "item").equals(
        cut.select("user", "rank", "item").cast({"user": pl.String, "rank": pl.Int32})
    )


def test_a_bundle_gives_what_its_checkpoint_does(checkpoint, tmp_path):
    pytest.importorskip("onnxscript", reason="needs glint-edge[onnx]")
    options = ExportOptions(("onnx",), "none", 4, tmp_path / "app.glint")
    bundle = export(checkpoint, options, folder=checkpoint.folder, check=lambda *_: [])
    log = ge.load_log({"u": KEYS[:8], "v": ["gone"], "w": ["k9", "gone", "k2"]}, min_length=1)
    words = {"k": 9, "most_per": {"brand": 2}, "where": {"category": ["a", "b"]}}
    tables = []
    for number, source in enumerate((bundle.path, checkpoint)):
        out = tmp_path / f"{number}.jsonl"
        assert ge.recommend_all(source, log, out, **words).users == 3
        tables.append(pl.read_ndjson(out, schema_overrides={"score": pl.Float64}))
    ours, theirs = tables
    explained = checkpoint.neighbours is not None
    assert ours.columns == ["user", "rank", "item", "title", "score", *["because"] * explained]
    assert not explained or {"k8", None} < {*ours["because"]}
    assert ours.drop("score").equals(theirs.drop("score"))
    np.testing.assert_allclose(ours["score"], theirs["score"], atol=1e-4)


ITEMS_ONLY = Catalogue(("", "a", "b"), {})


def test_the_lists_are_never_held_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(list_file, "ROWS", 30)
    parts = []

    def lists():
        for number in range(40):
            yield Lists((str(number),), np.array([[1, 2, 0]]), np.ones((1, 3), np.float32))
            parts.append(len([*tmp_path.glob(".lists.csv*/new/*.ipc")]))

    out = tmp_path / "lists.csv"
    assert write_lists(lists(), ITEMS_ONLY, out) == 80
    assert parts[0] == 0 and parts[20] == 1 and parts[-1] == 2
    assert out.read_text().splitlines()[:3] == ["user,rank,item,score", "0,1,a,1.0", "0,2,b,1.0"]
    assert [path.name for path in tmp_path.iterdir()] == ["lists.csv"]


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_a_file_is_written_whole_or_not_at_all(tmp_path, suffix):
    out = tmp_path / f"lists{suffix}"
    out.write_text("before")

    def broken():
        yield Lists(("u",), np.array([[1]]), np.ones((1, 1), np.float32))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_lists(broken(), ITEMS_ONLY, out)
    assert out.read_text() == "before"
    assert list(tmp_path.iterdir()) == [out]
    assert write_lists([], ITEMS_ONLY, out) == 0
    assert out.read_text("latin-1") != "before"


def test_what_cannot_be_is_refused_before_the_log_is_read(checkpoint, tmp_path):
    (tmp_path / "folder.csv").mkdir()
    for out, words, says in (
        ("lists.xlsx", {}, "lists are written as .parquet, .csv, .jsonl"),
        ("folder.csv", {}, "is no file"),
        ("lists.csv", {"k": 0}, "k is at least 1, not 0"),
        ("lists.csv", {"where": {"colour": "red"}}, "no item has the field 'colour'"),
        ("lists.csv", {"most_per": {"colour": 1}}, "no item has the field 'colour'"),
        ("lists.csv", {"target": "onnx"}, "a checkpoint runs on torch alone"),
        ("lists.csv", {"window": "wide"}, "choose one of sliding"),
    ):
        with pytest.raises(ConfigError, match=says):
            ge.recommend_all(checkpoint, object(), tmp_path / out, **words)
    with pytest.raises(DataError, match="no such file"):
        ge.recommend_all(checkpoint, tmp_path / "log.csv", tmp_path / "lists.csv")
    with pytest.raises(DataError, match="shares no item"):
        ge.recommend_all(checkpoint, {"u": ["x", "y", "z"]}, tmp_path / "lists.csv")


def test_scores_that_are_no_numbers_are_refused(checkpoint, tmp_path):
    model = copy.deepcopy(checkpoint.model)
    with torch.no_grad():
        model.embedding.weight[3] = float("nan")
    with pytest.raises(DivergedError, match="train it again"):
        ge.recommend_all(replace(checkpoint, model=model), {"u": KEYS[:3]}, tmp_path / "lists.csv")
    assert list(tmp_path.iterdir()) == []
