"""One Recommender: from a bundle as from a checkpoint; and keys as people pass them."""

import json
import shutil
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch

import glint_edge as ge
from converters.export import export
from converters.options import ExportOptions
from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import REPEATS_FROM
from glint_edge.data.source import DataSource
from glint_edge.errors import (
    BundleError,
    CheckpointError,
    ConfigError,
    MissingExtraError,
    SessionError,
    UnknownItemError,
)
from glint_edge.runtime import Recommender
from tests.bundles_changed import MANIFEST, Change, changed_copies

N, ITEMS = 6, 40
KEYS = [str(100 + n) for n in range(ITEMS)]


@pytest.fixture(scope="module")
def model(make_model):
    return make_model(items=ITEMS, max_length=N)


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "mine"
    catalogue = Catalogue(("", *KEYS), {"100": "First"}, retired=("139",), version=2)
    model.retired = catalogue.retired_ids()
    save_checkpoint(Checkpoint(model, catalogue, DataSource("app", "app")), path)
    return path


@pytest.fixture(scope="module")
def recommender(folder):
    return Recommender.load(folder)


@pytest.fixture(scope="module")
def bundle(folder, tmp_path_factory):
    pytest.importorskip("onnxscript", reason="needs glint-edge[onnx]")
    out = tmp_path_factory.mktemp("bundle") / "app.glint"
    options = ExportOptions(("onnx",), "none", 12, out)
    return export(load_checkpoint(folder), options, folder=folder, check=lambda *_: [])


# ---- what was seen ------------------------------------------------------------------------------


def listed_again(recommender):
    """A history of two items that the model itself would list first again, at least one of them."""
    for seen in pairwise(KEYS):
        if recommender.recommend(seen, 3, exclude_seen=False)[0].key in seen:
            return list(seen)
    raise AssertionError("the model never lists what was seen")


@pytest.mark.parametrize(
    ("repeats", "left_out"),
    [(None, False), (0.0, True), (0.0099, True), (REPEATS_FROM, False), (0.4, False)],
)
def test_where_nobody_says_all_seen_items_or_the_last_are_left_out_as_the_log_is(
    folder, bundle, tmp_path, repeats, left_out
):
    change = Change(MANIFEST, ("data", "repeats"), repeats)
    ((_, copy),) = changed_copies(bundle.path, tmp_path, [change])
    stored = load_checkpoint(folder)
    checkpoint = replace(stored, data=replace(stored.data, repeats=repeats))
    seen = listed_again(Recommender.load(copy))
    for loaded in (Recommender.load(copy), Recommender.load(checkpoint)):
        for recommend in (loaded.start(seen).top, partial(loaded.recommend, seen)):
            whole = recommend(39, exclude_seen=False)
            others = [one for one in whole if one.key not in seen]
            assert len(others) == len(whole) - 2
            assert recommend(39, exclude_seen=True) == others
            but_last = [one for one in whole if one.key != seen[-1]]
            assert recommend(39) == (others if left_out else but_last)
    assert Recommender.load(bundle).bundle.repeats is None


@pytest.mark.parametrize(
    ("flags", "left_out"), [([], True), (["--include-seen"], False), (["--exclude-seen"], True)]
)
def test_the_command_lists_what_was_seen_as_the_log_is(bundle, tmp_path, run, flags, left_out):
    change = Change(MANIFEST, ("data", "repeats"), 0.0)
    ((_, copy),) = changed_copies(bundle.path, tmp_path, [change])
    seen = listed_again(Recommender.load(copy))
    code, out, err = run("recommend", copy, "--history", ",".join(seen), "--json", *flags)
    assert code == 0, err
    listed = {one["key"] for one in json.loads(out)["items"]}
    assert listed.isdisjoint(seen) == left_out


# ---- from a checkpoint --------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 3, N, N + 3])
def test_a_checkpoint_recommends_what_its_bundle_does(recommender, bundle, length):
    ours, theirs = (
        one.recommend(KEYS[5 : 5 + length], 12) for one in (recommender, Recommender.load(bundle))
    )
    assert [one.key for one in ours] == [one.key for one in theirs]
    np.testing.assert_allclose([a.score for a in ours], [b.score for b in theirs], atol=1e-4)
    assert ours.title == theirs.title


def test_a_checkpoint_recommends_what_its_model_scores_highest(recommender, model):
    scores = model.score(torch.tensor([[3, 7, 1]]), torch.tensor([3]))[0]
    best = scores.topk(5).indices.tolist()
    got = recommender.recommend(["102", "106", "100"], 5, exclude_seen=False)
    assert [one.key for one in got] == [KEYS[item - 1] for item in best]


def test_a_checkpoint_gives_all_it_offers_and_no_retired_item(recommender):
    whole = recommender.recommend(["105"], None, exclude_seen=False)
    assert sorted(one.key for one in whole) == KEYS[:-1]
    assert recommender.recommend(["105"], 40, exclude_seen=False) == whole, "no more are left"


def test_a_session_of_a_checkpoint_goes_on_and_comes_back(recommender):
    session = recommender.start(KEYS[:2])
    for key in KEYS[2:9]:
        session.append(key)
    again = recommender.resume(session.save())
    for one in (session, again):
        one.append("120")
    assert again.top(5) == session.top(5)
    whole = recommender.recommend([*KEYS[:9], "120"], 5)
    assert [one.key for one in session.top(5)] == [one.key for one in whole]


def test_a_session_of_a_bundle_is_none_of_its_checkpoints(recommender, bundle):
    saved = Recommender.load(bundle).start(["101"]).save()
    with pytest.raises(SessionError, match="another bundle"):
        recommender.resume(saved)


def test_a_loaded_one_a_path_and_a_text_are_the_same(folder, bundle, recommender):
    for one in (load_checkpoint(folder), str(folder)):
        assert ge.load(one).recommend(["101"]) == recommender.recommend(["101"])
    for one in (bundle, bundle.path, str(bundle.path)):
        assert ge.load(one).bundle.digest == bundle.manifest["digest"]


def test_nothing_is_the_shipped_checkpoint():
    best = ge.load().recommend([50, 172], 5, exclude_seen=True)
    assert "Return of the Jedi (1983)" in [one.title for one in best]


def test_a_window_is_the_callers_to_choose(folder, recommender):
    long = KEYS[:12]
    sliding, unbounded = (ge.load(folder, window=name) for name in ("sliding", "unbounded"))
    assert sliding.recommend(long) == recommender.recommend(long)
    assert unbounded.recommend(long) != recommender.recommend(long)
    with pytest.raises(ConfigError, match="window 'open' is unknown"):
        ge.load(folder, window="open")


def test_a_checkpoint_has_no_other_target(folder):
    with pytest.raises(ConfigError, match="export it for onnx"):
        ge.load(folder, target="onnx")


@pytest.mark.parametrize("name", ["none", "none.glint"])
def test_where_there_is_nothing_it_is_no_bundle(tmp_path, name):
    with pytest.raises(BundleError, match="is not a bundle"):
        ge.load(tmp_path / name)


def test_a_damaged_checkpoint_is_one(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "mine")
    (copy / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"has no model\.safetensors"):
        ge.load(copy)


def test_without_torch_a_checkpoint_names_the_extra(folder, monkeypatch):
    monkeypatch.setattr("glint_edge.runtime.recommender.missing", lambda names: list(names))
    with pytest.raises(MissingExtraError, match=r"pip install 'glint-edge\["):
        ge.load(folder)


# ---- keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number", [101, np.int64(101), np.uint8(101), np.array(101), 101.0, np.float32(101)]
)
def test_a_whole_number_is_its_text(recommender, number):
    assert recommender.recommend([number, 103]) == recommender.recommend(["101", "103"])
    session = recommender.start([103])
    session.append(number)
    assert session.history == ["103", "101"]


@pytest.mark.parametrize("key", [True, np.True_, 101.5, np.float32(0.5), None, ["101"]])
def test_what_is_no_key_is_refused(recommender, key):
    session = recommender.start()
    for call in (recommender.recommend, recommender.start, lambda keys: session.append(keys[0])):
        with pytest.raises(ConfigError, match="a text or a whole number, not "):
            call([key])
    assert session.history == []


@pytest.mark.parametrize("text", ["101,103", "101", "", b"101"])
def test_a_text_is_no_list_of_keys(recommender, text):
    for call in (recommender.recommend, recommender.start):
        with pytest.raises(ConfigError, match=r"is one text, not a list of keys; write \['50'"):
            call(text)


def test_unknown_keys_can_be_skipped_but_not_what_is_no_key(folder):
    skipping = ge.load(folder, unknown="skip")
    assert skipping.start([101, 7]).skipped == 1
    with pytest.raises(ConfigError):
        skipping.start([101, 1.5])
    with pytest.raises(UnknownItemError, match="'7' is not in the catalogue of mine"):
        ge.load(folder).start([101, 7])


# ---- what it looks like -------------------------------------------------------------------------


def test_reprs_fit_a_line(recommender, bundle):
    assert repr(recommender) == "Recommender('mine', torch, 40 items)"
    first = recommender.recommend([], None)
    assert {one.score for one in first} == {0.0}
    assert repr(next(one for one in first if one.key == "100")).startswith(
        "Recommendation('100', 'First', "
    )
    assert "\n" not in repr(ge.load(bundle)) + repr(first[0])


def test_a_list_says_what_it_comes_after(recommender):
    assert recommender.recommend([100, 105]).title == "after First, 105"
    assert recommender.recommend([]).title == "no history: the most popular items"


@pytest.mark.parametrize("name", ["where", "boost", "most_per"])
def test_a_filter_that_is_no_mapping_is_shown_in_one_line(recommender, name):
    with pytest.raises(ConfigError, match=rf"^{name} is a mapping, .* not \['shelf'\]$"):
        recommender.recommend(["105"], 3, **{name: ["shelf"]})
