"""Lists with the neighbours' expert: its bias, its word, its reasons."""

from dataclasses import replace

import numpy as np
import pytest

import glint_edge as ge
from glint_edge.bundles.copies import copy_part
from glint_edge.errors import ConfigError
from glint_edge.runtime import Recommender, replay_golden
from tests.bundles_changed import relist
from tests.small import expert_of, small_bundle, tiny_neighbours

HISTORY = ["k3", "k17", "k5", "k3"]
EXPERT = tiny_neighbours(c=1.5, gamma=100.0)


@pytest.fixture(scope="module")
def folder(make_model, tmp_path_factory):
    return small_bundle(
        make_model(max_length=6), tmp_path_factory.mktemp("app"), neighbours=EXPERT,
        titles={"k3": "Three"}, fields={"kind": {f"k{n}": "ab"[n % 2] for n in range(1, 41)}},
    )  # fmt: skip


@pytest.fixture(scope="module", params=["bundle", "checkpoint"])
def loaded(folder, request):
    return ge.load(folder if request.param == "bundle" else folder.parent / "run")


def scores_of(items):
    return {one.key: one.score for one in items}


def test_a_score_gains_what_the_expert_says(loaded):
    plain = scores_of(loaded.recommend(HISTORY, 40, neighbours=False))
    ids = [int(key[1:]) for key in HISTORY]
    gains = 1.5 * np.log1p(100 * expert_of(EXPERT, ids))
    listed = loaded.recommend(HISTORY, 40)
    assert scores_of(listed) == pytest.approx(
        {key: score + gains[int(key[1:])] for key, score in plain.items()}, abs=1e-4
    )
    assert [one.score for one in listed] == sorted((one.score for one in listed), reverse=True)
    assert [one.key for one in listed] != list(plain)
    assert loaded.recommend(HISTORY, 40, neighbours=True) == listed


def test_each_item_says_what_it_is_there_because_of(loaded):
    listed = loaded.recommend(HISTORY, 40)
    ids = [int(key[1:]) for key in HISTORY]
    expected = EXPERT.pulls(ids).reasons([int(one.key[1:]) for one in listed])
    assert [one.because for one in listed] == [item and f"k{item}" for item in expected]
    assert {one.because for one in listed} == {None, "k3", "k5"}  # item 17 has no neighbours
    assert all(one.because is None for one in loaded.recommend(HISTORY, 40, neighbours=False))
    assert all(one.because is None for one in loaded.similar("k3"))
    (first,) = [one for one in listed if one.because == "k3"][:1]
    assert first.to_dict()["because"] == "k3"
    assert "because" not in next(one for one in listed if one.because is None).to_dict()


def test_the_table_names_it_where_there_is_one(loaded):
    with_it, without = (
        loaded.recommend(HISTORY, 40, exclude_seen=False, neighbours=choice)._repr_html_()
        for choice in (None, False)
    )
    assert "because you tapped" in with_it and "because you tapped" not in without
    assert with_it.count(">Three<") > without.count(">Three<") == 1  # its own row


def test_without_a_history_nothing_changes(loaded):
    assert loaded.recommend([]) == loaded.recommend([], neighbours=False)


def test_filters_come_after_it(loaded):
    """What is left out stays so; boosts are added to what it adds."""
    plain = loaded.recommend(HISTORY, 40)
    first, second = plain[0].key, plain[1].key
    words = {"without": [first], "boost": {second: 2.5}, "exclude_seen": True}
    filtered = scores_of(loaded.recommend(HISTORY, 40, **words))
    assert first not in filtered and not set(HISTORY) & set(filtered)
    assert filtered[second] == pytest.approx(plain[1].score + 2.5, abs=1e-5)
    both = loaded.recommend(HISTORY, 4, most_per={"kind": 2})
    values = [one.fields["kind"] for one in both]
    assert sorted(values) == ["a", "a", "b", "b"] and any(one.because for one in both)


def test_a_session_that_was_saved_goes_on_as_it_was(loaded):
    session = loaded.start(["k1", "k2", "k1", "k3", "k4", "k5", "k6", "k1", "k9"])
    again = loaded.resume(session.save())
    assert again.top(40, exclude_seen=True) == session.top(40, exclude_seen=True)


def test_the_golden_lists_are_replayed_with_it(folder, tmp_path):
    assert replay_golden(Recommender.load(folder)) == ()
    bundle = ge.load_bundle(folder)
    copy_part(bundle, bundle.artifacts, tmp_path)
    (tmp_path / "neighbours.bin").write_bytes(replace(EXPERT, c=1.6).to_bytes())
    relist(tmp_path, "neighbours.bin")
    # A part says what the whole one lists: this is one no more.
    with pytest.raises(ge.GlintEdgeError):
        Recommender.load(tmp_path)


def test_another_expert_fails_its_golden_lists(folder):
    recommender = Recommender.load(folder)
    recommender.bundle = replace(recommender.bundle, neighbours=replace(EXPERT, c=1.6))
    assert any("golden list" in failure for failure in replay_golden(recommender))
    # Without it the model alone is held to its own lists.
    recommender.bundle = replace(recommender.bundle, neighbours=None)
    assert replay_golden(recommender) == ()


def test_the_word_is_refused_where_it_says_nothing(loaded):
    with pytest.raises(ConfigError, match="neighbours is true, false or None, not 32"):
        loaded.recommend(HISTORY, neighbours=32)
    alone = Recommender(replace(loaded.bundle, neighbours=None), loaded._runtime, "refuse")
    assert alone.recommend(HISTORY) == loaded.recommend(HISTORY, neighbours=False)
    with pytest.raises(ConfigError, match=r"no neighbours; (export|train) it with --neighbours"):
        alone.recommend(HISTORY, neighbours=True)
