"""Baselines beside naive forms of themselves, slices that add up, both windows."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glint_edge.appraisal import appraise
from glint_edge.baselines import REACH, LastItemNeighbours, Popularity
from glint_edge.config import ModelConfig
from glint_edge.data import HeldOut
from glint_edge.errors import ConfigError
from glint_edge.evaluate import metrics_of_ranks, target_ranks
from glint_edge.model import GlintRU
from glint_edge.slice_plot import draw_slices
from glint_edge.slices import popularity_ranks, slices

V = 12
SEQUENCES = st.lists(st.lists(st.integers(1, V), min_size=1, max_size=12), min_size=1, max_size=6)


def flat(sequences):
    offsets = np.cumsum([0, *(len(s) for s in sequences)])
    return np.concatenate([np.array(s, dtype=np.int64) for s in sequences]), offsets


def counts_of(ids):
    return np.bincount(ids, minlength=V + 1)


@settings(max_examples=60, deadline=None)
@given(SEQUENCES, st.integers(1, V))
def test_neighbours_are_counted_as_by_hand(sequences, last):
    ids, offsets = flat(sequences)
    counts = counts_of(ids)
    near = np.zeros(V + 1)
    for sequence in sequences:
        for n, a in enumerate(sequence):
            for m, b in enumerate(sequence):
                if a == last and b != last and 0 < abs(n - m) <= REACH:
                    near[b] += 1
    expected = near + counts / (counts.max() + 1)
    model = LastItemNeighbours(ids, offsets, counts)
    # The last item decides, whatever stands before and behind it.
    items = torch.tensor([[last, 0, 0], [5, last, 7]])
    for row in model.score(items, torch.tensor([1, 2])):
        assert row[0] == -math.inf
        np.testing.assert_allclose(row[1:], expected[1:])


def test_popularity_ranks_the_target_by_its_count():
    counts = np.array([0, 9, 7, 7, 1])
    users = HeldOut(np.array([2, 3, 4]), np.array([0, 1, 2, 3]), np.array([1, 3, 4]))
    assert target_ranks(Popularity(counts), users).tolist() == [1, 3, 4]
    assert popularity_ranks(np.array([0, 7, 9, 7, 0])).tolist() == [0, 2, 1, 3, 0]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_slices_of_a_kind_are_all_users_once_and_average_to_the_whole(data):
    users = data.draw(st.integers(1, 40))
    ranks, lengths, popularity = (
        np.array(data.draw(st.lists(st.integers(low, high), min_size=users, max_size=users)))
        for low, high in ((1, 30), (1, 400), (0, 60))
    )
    found = slices(ranks, lengths, popularity, 60, baselines={"other": ranks[::-1]})
    whole = metrics_of_ranks(ranks)
    for kind in ("all", "history", "popularity"):
        parts = [part for part in found if part.by == kind]
        assert sum(part.users for part in parts) == users
        for name, figure in (("ndcg", whole.ndcg), ("recall", whole.recall), ("mrr", whole.mrr)):
            mean = sum(part.users * getattr(part, name) for part in parts) / users
            assert mean == pytest.approx(figure)
        other = sum(part.users * part.baselines["other"] for part in parts) / users
        assert other == pytest.approx(metrics_of_ranks(ranks[::-1]).ndcg)


def test_edges_of_the_slices():
    found = slices(
        np.array([1, 1, 1, 1]), np.array([5, 6, 200, 201]), np.array([1, 2, 0, 100]), 100
    )
    assert [part.name for part in found] == [
        "all users", "1-5 items (cold)", "6-10 items", "101-200 items", "over 200 items",
        "target: untrained", "target: 0%-1%", "target: 1%-10%", "target: 50%-100%",
    ]  # fmt: skip


def test_the_interval_is_wide_where_users_are_few():
    rng = np.random.default_rng(0)
    few, many = (
        slices(rng.integers(1, 21, n), np.full(n, 3), np.full(n, 1), 10)[0].half_width
        for n in (12, 12_000)
    )
    assert few == pytest.approx(many * math.sqrt(1000), rel=0.5)
    alone = slices(np.array([1]), np.array([3]), np.array([1]), 10)[0]
    assert alone.half_width == 1.0


@pytest.fixture
def measured():
    torch.manual_seed(1)
    model = GlintRU(ModelConfig(items=V, d=8, heads=2, max_length=6)).eval()
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 15, 50)
    ids = rng.integers(1, V + 1, lengths.sum())
    users = HeldOut(ids, np.cumsum([0, *lengths]), rng.integers(1, V + 1, 50))
    return model, users, lengths


def test_the_windows_differ_for_longer_histories_alone(measured):
    model, users, lengths = measured
    sliding, unbounded = (target_ranks(model, users, window=w) for w in ("sliding", "unbounded"))
    short = lengths <= 6
    assert (sliding[short] == unbounded[short]).all()
    assert (sliding != unbounded).any()
    # The stream that keeps all sees what `encode` sees of the whole history.
    for user in np.flatnonzero(~short)[:5]:
        history = torch.from_numpy(users.ids[users.offsets[user] : users.offsets[user + 1]])
        scores = model.score(history[None], torch.tensor([len(history)]))[0]
        assert unbounded[user] == int((scores >= scores[users.targets[user]]).sum())
    with pytest.raises(ConfigError, match="sliding, unbounded"):
        target_ranks(model, users, window="all")


def test_an_appraisal_has_all_of_it(measured, tmp_path):
    model, users, _ = measured
    counts = counts_of(users.ids)
    found = appraise(model, users, counts, training=(users.ids, users.offsets))
    assert found.figures == metrics_of_ranks(target_ranks(model, users))
    assert found.unbounded != found.figures
    assert set(found.baselines) == {"popularity", "neighbours"}
    assert appraise(model, users, counts, training=None).baselines.keys() == {"popularity"}
    for name in ("a.png", "a.svg"):
        draw_slices(tmp_path / name, found.slices, 10)
        assert (tmp_path / name).stat().st_size > 3000
    with pytest.raises(ConfigError, match=r"\.png or \.svg"):
        draw_slices(tmp_path / "a.pdf", found.slices, 10)
