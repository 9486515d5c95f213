import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glint_edge.data.sequences import HeldOut
from glint_edge.errors import ConfigError, DivergedError
from glint_edge.evaluation.metrics import metrics_of_ranks
from glint_edge.evaluation.negatives import draw_negatives
from glint_edge.evaluation.ranking import NEVER, evaluate, rank_in_top_k, ranked


def held_out(histories, targets):
    offsets = np.cumsum([0, *(len(h) for h in histories)])
    return HeldOut(np.concatenate(histories).astype(np.int64), offsets, np.array(targets))


@pytest.fixture
def fixed_scores(model, monkeypatch):
    """Makes a model score every history alike, with the given scores of ids 1, 2, …"""

    def fix(scores):
        row = torch.full((model.config.items + 1,), -100.0)
        row[0] = -math.inf
        row[1 : len(scores) + 1] = torch.tensor(scores)
        monkeypatch.setattr(model, "score", lambda items, lengths: row.repeat(len(items), 1))
        return model

    return fix


def test_figures_are_the_formulas_by_hand():
    metrics = metrics_of_ranks(np.array([1, 3, 11, 10]), k=10)
    assert metrics.recall == pytest.approx(3 / 4)
    assert metrics.mrr == pytest.approx((1 + 1 / 3 + 1 / 10) / 4)
    assert metrics.ndcg == pytest.approx((1 + 1 / 2 + 1 / math.log2(11)) / 4)
    assert metrics.to_dict() == {
        "recall_at_10": metrics.recall,
        "mrr_at_10": metrics.mrr,
        "ndcg_at_10": metrics.ndcg,
        "users": 4,
    }


def test_no_users_is_refused():
    with pytest.raises(ConfigError, match="no users"):
        metrics_of_ranks(np.array([], dtype=np.int64))


@pytest.mark.parametrize(
    ("scores", "target", "rank"),
    [
        ([3.0, 2.0, 1.0], 1, 1),
        ([3.0, 2.0, 1.0], 3, 3),
        ([2.0, 2.0, 1.0], 1, 2),  # a tie counts against the target
        ([2.0, 2.0, 2.0], 2, 3),
    ],
)
def test_the_rank_of_a_target(fixed_scores, scores, target, rank):
    metrics = evaluate(fixed_scores(scores), held_out([[1]], [target]), k=50)
    assert metrics.mrr == pytest.approx(1 / rank)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("target", [1, 2])
def test_scores_that_are_no_numbers_have_no_ranks(fixed_scores, value, target):
    with pytest.raises(DivergedError, match=r"scores in no numbers .* train it again"):
        evaluate(fixed_scores([value, 2.0, 1.0]), held_out([[1]], [target]))


def test_a_target_outside_the_catalogue_is_a_miss(model):
    assert evaluate(model, held_out([[1], [2]], [0, 0]), k=10).recall == 0


def test_the_full_protocol_is_a_sort_of_all_scores(model):
    rng = np.random.default_rng(0)
    histories = [rng.integers(1, 41, size=n) for n in rng.integers(1, 30, size=600)]
    targets = rng.integers(1, 41, size=600)
    ranks = []
    for history, target in zip(histories, targets, strict=True):
        with torch.no_grad():
            scores = model.score(torch.tensor(history)[None], torch.tensor([len(history)]))[0]
        ranks.append(scores[1:].argsort(descending=True).tolist().index(target - 1) + 1)
    assert evaluate(model, held_out(histories, targets)) == metrics_of_ranks(np.array(ranks))


def test_only_the_last_items_are_seen(make_model):
    model = make_model(max_length=5)
    long = [9, 8, 7, 6, 1, 2, 3, 4, 5]
    all_targets = list(range(1, 41))
    seen = evaluate(model, held_out([long] * 40, all_targets), k=1)
    cut = evaluate(model, held_out([long[-5:]] * 40, all_targets), k=1)
    assert seen == cut


def test_evaluating_leaves_a_model_in_training_mode(model):
    model.train()
    evaluate(model, held_out([[1]], [2]))
    assert model.training
    model.eval()


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 9), min_size=3, max_size=20))
def test_negatives_are_never_the_target_nor_padding_nor_unseen(seed, counts):
    popularity = np.array([99, *counts])
    if np.count_nonzero(popularity[1:]) < 2:
        with pytest.raises(ConfigError):
            draw_negatives(popularity, np.array([1]), seed)
        return
    targets = np.arange(1, len(popularity))
    drawn = draw_negatives(popularity, targets, seed).numpy()
    assert drawn.shape == (len(targets), 100)
    assert (drawn != targets[:, None]).all()
    assert (drawn >= 1).all()
    assert (popularity[drawn] > 0).all()


def test_negatives_follow_popularity():
    popularity = np.array([0, 900, 90, 10, 0])
    drawn = draw_negatives(popularity, np.full(1000, 4), seed=0).numpy()
    share = np.bincount(drawn.ravel(), minlength=5)[1:4] / drawn.size
    assert share == pytest.approx([0.9, 0.09, 0.01], abs=0.01)


def test_no_more_scores_are_held_than_asked_for(make_model, monkeypatch):
    model = make_model()
    rng = np.random.default_rng(0)
    users = held_out(rng.integers(1, 41, (30, 4)).tolist(), rng.integers(1, 41, 30).tolist())
    expected = ranked(model, users).ranks
    made, score = [], model.score
    monkeypatch.setattr(model, "score", lambda *a: made.append(score(*a)) or made[-1])
    monkeypatch.setattr("glint_edge.evaluation.ranking.SCORES", 5 * 41 + 3)
    assert ranked(model, users).ranks.tolist() == expected.tolist()
    assert [len(scores) for scores in made] == [1, 5, 5, 5, 5, 5, 4]


def test_the_sampled_protocol_ranks_among_its_negatives_alone(fixed_scores):
    # Item 3 is beaten by item 2, which is never drawn, and beats the rest.
    model = fixed_scores([1.0, 9.0, 5.0, 1.0])
    popularity = np.zeros(41, dtype=np.int64)
    popularity[[1, 4]] = 10
    users = held_out([[1]], [3])
    sampled = evaluate(model, users, protocol="sampled-pop100", popularity=popularity)
    assert sampled.mrr == 1.0
    assert evaluate(model, users).mrr == 0.5


def test_the_sampled_protocol_counts_ties_against_the_target(fixed_scores):
    popularity = np.ones(41, dtype=np.int64)
    tied = evaluate(
        fixed_scores([1.0] * 40), held_out([[1]], [3]), protocol="sampled-pop100",
        popularity=popularity,
    )  # fmt: skip
    assert tied.recall == 0


def test_unknown_protocol_lists_the_choices(model):
    with pytest.raises(
        ConfigError, match=r"did you mean sampled-pop100\? Or choose one of full, unseen"
    ):
        evaluate(model, held_out([[1]], [2]), protocol="pop100")
    with pytest.raises(ConfigError, match="popularity"):
        evaluate(model, held_out([[1]], [2]), protocol="sampled-pop100")


def test_ranks_in_exported_lists():
    items = np.array([[5, 6, 7], [5, 6, 7], [5, 6, 7]])
    scores = np.array([[3, 2, 1], [3, 3, 1], [3, 2, 1]], dtype=np.float32)
    # found last; tied with the other; not in the list
    assert rank_in_top_k(items, scores, np.array([7, 5, 8])).tolist() == [3, 2, 4]


def test_a_score_that_is_no_number_never_ranks_first():
    scores = np.array([[math.nan, 2, 1]], dtype=np.float32)
    for target in (5, 6, 7):
        assert rank_in_top_k(np.array([[5, 6, 7]]), scores, np.array([target])) >= 2


def test_unseen_leaves_out_the_whole_history_and_a_target_that_stands_there(fixed_scores):
    model = fixed_scores([5.0, 4.0, 3.0, 2.0, 1.0])
    length = model.config.max_length
    users = held_out(
        [[1, 2], [3], [4] * length + [1] * length, [2, 5]],  # the third's 4s are older than N
        [3, 3, 5, 1],
    )
    assert ranked(model, users).ranks.tolist() == [3, 3, 5, 1]
    unseen = ranked(model, users, protocol="unseen", top=4)
    assert unseen.ranks.tolist() == [1, NEVER, 3, 1]
    assert unseen.lists[1].tolist() == [1, 2, 4, 5]
    assert metrics_of_ranks(unseen.ranks, 1000).recall == 0.75  # in however long a list
