"""The first weights: the table's rows beside a dense decomposition of the same counts."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from glint_edge.config import TrainConfig
from glint_edge.data.log import load_log
from glint_edge.training import start as starting
from glint_edge.training.start import REACH, SMOOTHING, SPREAD, near_pairs, rows_of_pairs, start

SEQUENCES = [[3, 1, 2, 5, 1, 4, 3], [1, 2], [6], [2, 6, 2, 0, 7, 3, 8], [5, 4, 3], [9]]


def flat(sequences):
    ids = np.array([item for one in sequences for item in one])
    return ids, np.cumsum([0, *map(len, sequences)])


def counted(sequences, items):
    """How near pairs of items stand, pair after pair."""
    count = np.zeros((items + 1, items + 1))
    for one in sequences:
        for first, a in enumerate(one):
            for second, b in enumerate(one):
                gap = abs(second - first)
                if 0 < gap <= REACH and a and b:
                    count[a, b] += 1 / gap
    return count


def dense_rows(count, d):
    """U √S of the positive pointwise mutual information, contexts smoothed."""
    frequency = count.sum(axis=1)
    context = frequency**SMOOTHING / (frequency**SMOOTHING).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.log(count / (frequency[:, None] * context))
    u, s, _ = np.linalg.svd(np.where(count > 0, information.clip(min=0), 0))
    rows = np.zeros((len(count), d))
    kept = min(d, len(s))
    rows[:, :kept] = u[:, :kept] * np.sqrt(s[:kept])
    rows[frequency == 0] = 0
    return rows


def test_pairs_are_those_within_reach_of_one_user():
    a, b, weights = (each.numpy() for each in near_pairs(*flat(SEQUENCES)))
    count = np.zeros((10, 10))
    np.add.at(count, (a, b), weights)
    np.testing.assert_allclose(count, counted(SEQUENCES, 9), rtol=1e-6)


@pytest.mark.parametrize("d", [4, 16])  # fewer than the items, and more
def test_rows_are_a_dense_decomposition_s_up_to_a_rotation(d):
    rng = np.random.default_rng(0)
    sequences = [*SEQUENCES, *(rng.integers(1, 9, 12).tolist() for _ in range(6))]
    rows = rows_of_pairs(*near_pairs(*flat(sequences)), 9, d).double().numpy()
    expected = dense_rows(counted(sequences, 9), d)
    assert rows.shape == (10, d)
    alike, wanted = rows @ rows.T, expected @ expected.T
    np.testing.assert_allclose(alike / alike.trace(), wanted / wanted.trace(), atol=1e-6)
    assert not rows[[0, 9]].any()  # padding, and an item that stands near none
    assert rows[1:9].std(ddof=1) == pytest.approx(SPREAD)


def parts_of(sequences):
    return load_log([[f"i{item}" for item in one] for one in sequences]).split()


def test_a_model_begins_with_them_and_items_near_none_keep_what_was_drawn(make_model):
    parts = parts_of([[1, 2, 3, 4, 5], [2, 3, 1, 5, 4], [4, 2, 1, 6, 7], [8, 5, 1]])
    model = make_model(items=parts.item_count)
    drawn = model.embedding.weight.detach().clone()
    torch.manual_seed(1)
    start(model, TrainConfig(output_start=0.0), parts)
    torch.manual_seed(1)  # of the randomized decomposition
    rows = rows_of_pairs(*near_pairs(*parts.training()), parts.item_count, model.config.d)
    near = rows.any(dim=1)
    assert 0 < (~near[1:]).sum() < parts.item_count
    assert torch.equal(model.embedding.weight[near], rows[near])
    kept = drawn * SPREAD / drawn[1:].std()
    torch.testing.assert_close(model.embedding.weight[~near].detach(), kept[~near])
    assert not model.embedding.weight[0].any()


def test_a_log_in_which_no_item_stands_near_another_keeps_the_table(make_model):
    rows = rows_of_pairs(*near_pairs(*flat([[1], [2], [3]])), 3, 8)
    assert rows.shape == (4, 8) and not rows.any()


def test_what_writes_to_a_residual_begins_small_and_nothing_else_changes(make_model):
    parts = parts_of([[1, 2, 3, 4, 5], [2, 3, 1, 5, 4]])
    for settings, changed in (
        ({}, {"attention_out.weight", "mix_out.weight", "mlp_out.weight", "embedding.weight"}),
        ({"output_start": 0.0}, {"embedding.weight"}),
        ({"output_start": 0.0, "table_start": "random"}, set()),
    ):
        model = make_model(items=parts.item_count, d=64)
        before = {name: weight.clone() for name, weight in model.state_dict().items()}
        start(model, TrainConfig(**settings), parts)
        after = model.state_dict()
        assert {name for name in after if not torch.equal(after[name], before[name])} == changed
        for name in changed - {"embedding.weight"}:
            assert after[name].std().item() == pytest.approx(0.02, rel=0.1)
    start(make_model(gated_mlp=False, items=parts.item_count), TrainConfig(), parts)


@pytest.mark.parametrize("most", [1, 20, 27, 10**6])
def test_of_a_large_log_so_many_interactions_are_drawn(monkeypatch, most):
    monkeypatch.setattr(starting, "MOST_INTERACTIONS", most)
    sequences = [[10 * user + n for n in range(9)] for user in range(1, 6)]
    ids, offsets = starting._some(*flat(sequences), np.random.default_rng(0))
    assert len(ids) == offsets[-1] == min(most, 45)
    found = [ids[a:b].tolist() for a, b in pairwise(offsets)]
    assert all(any(one == whole[: len(one)] for whole in sequences) for one in found)
    assert sum(len(one) < 9 for one in found) <= 1  # the last is cut
    again, _ = starting._some(*flat(sequences), np.random.default_rng(0))
    other, _ = starting._some(*flat(sequences), np.random.default_rng(1))
    assert np.array_equal(ids, again)
    assert np.array_equal(ids, other) == (most > 45)
