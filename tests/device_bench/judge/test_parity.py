"""Parity: an artifact's lists held against the float model's, and against another's."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_bench.judge.parity import (
    TIE,
    Difference,
    Reference,
    agreement,
    compare,
    compare_lists,
    difference,
    overlap,
    rank_weighted_overlap,
)
from device_bench.judge.tolerance import judge, tolerance_of
from device_bench.measure.job import TopK
from glint_edge.data.prefixes import prefixes
from glint_edge.evaluation.ranking import evaluate
from tests.device_bench.makers import (
    float_lists,
    held_out_of,
)


def test_the_float_models_own_lists_are_in_perfect_parity(make_model):
    model = make_model(max_length=20)
    held_out = held_out_of(model, users=300)  # more than one batch, histories beyond max_length
    parity = compare(model, held_out, float_lists(model, held_out), model.config.max_length)
    assert (parity.users, parity.unusable) == (300, 0)
    assert parity.top10_overlap == parity.same_top10 == 1.0
    assert parity.max_score_error < 1e-5
    assert parity.ndcg_at_10 == parity.ndcg_at_10_float
    assert parity.ndcg_at_10_float == pytest.approx(evaluate(model, held_out).ndcg)
    assert 0.1 < parity.ndcg_at_10 < 0.9


def test_prefixes_of_one_history_are_encoded_together_as_each_alone(make_model):
    model = make_model(max_length=20)
    many = prefixes(held_out_of(model, users=90), model.config.max_length, count=400)
    assert len(many.targets) > 300
    together = Reference(model, many, model.config.max_length)._hidden
    alone = Reference(model, replace(many, users=None), model.config.max_length)._hidden
    assert (together - alone).abs().max() < 1e-5 * alone.abs().max()


def test_one_wrong_score_is_the_largest_error(make_model):
    model = make_model()
    held_out = held_out_of(model)
    lists = float_lists(model, held_out)
    lists.scores[3, 7] += 0.25
    parity = compare(model, held_out, lists, model.config.max_length)
    assert parity.max_score_error == pytest.approx(0.25, abs=1e-4)
    assert parity.top10_overlap == 1.0


def test_unusable_entries_count_as_wrong(make_model):
    model = make_model()
    held_out = held_out_of(model)
    lists = float_lists(model, held_out)
    whole = compare(model, held_out, lists, model.config.max_length)
    lists.items[0, 0], lists.items[1, 0], lists.items[2, 0] = 0, 41, -7
    lists.scores[3, 0], lists.scores[4, 0] = math.nan, math.inf
    parity = compare(model, held_out, lists, model.config.max_length)
    assert parity.unusable == 5
    assert parity.max_score_error < 1e-5  # of what can be compared
    assert parity.top10_overlap == pytest.approx(1 - 5 / 240)
    assert parity.same_top10 == pytest.approx(1 - 5 / 24)
    assert parity.ndcg_at_10 <= whole.ndcg_at_10
    assert any(
        "no number" in failure for failure in judge(parity, tolerance_of("executorch", "int8"))
    )


def test_an_artifact_without_one_usable_answer_fails(make_model):
    model = make_model()
    held_out = held_out_of(model)
    lists = TopK(np.zeros((24, 10), np.int64), np.full((24, 10), math.nan, np.float32))
    parity = compare(model, held_out, lists, model.config.max_length)
    assert parity.max_score_error is None
    assert parity.ndcg_at_10 == parity.top10_overlap == 0.0
    assert len(judge(parity, tolerance_of("executorch", "fp32"))) == 3
    assert len(judge(parity, tolerance_of("executorch", "int8"))) == 4


def test_shorter_lists_have_no_ndcg_at_10(make_model):
    model = make_model()
    held_out = held_out_of(model)
    parity = compare(model, held_out, float_lists(model, held_out, k=5), model.config.max_length)
    assert parity.ndcg_at_10 is parity.ndcg_at_10_float is None
    assert parity.top10_overlap == parity.same_top10 == 1.0
    assert judge(parity, tolerance_of("executorch", "fp32")) == ()


def test_longer_lists_are_compared_on_their_first_ten(make_model):
    model = make_model()
    held_out = held_out_of(model)
    lists = float_lists(model, held_out, k=15)
    lists.items[:, 10:] = lists.items[:, 14:9:-1]
    parity = compare(model, held_out, lists, model.config.max_length)
    assert parity.top10_overlap == parity.same_top10 == 1.0


def one_user(mine, my_float_scores, theirs, their_scores, target=1):
    as_scores = np.array([my_float_scores], np.float32)
    return compare_lists(
        TopK(np.array([mine]), as_scores),
        TopK(np.array([theirs]), np.array([their_scores], np.float32)),
        as_scores,
        np.array([target]),
    )


FAR = [9.0, 8.0, 7.0]
TIED = [9.0, 8.0, 8.0 - TIE / 2]


@pytest.mark.parametrize(
    ("mine", "my_scores", "scores", "same"),
    [
        ([1, 2, 3], FAR, FAR, True),
        ([1, 3, 2], [9.0, 7.0, 8.0], FAR, False),
        ([1, 3, 2], [TIED[0], TIED[2], TIED[1]], TIED, True),
        ([1, 2, 4], [*TIED[:2], TIED[2] - TIE / 4], TIED, True),  # a tie across the cut
        ([1, 2, 4], [9.0, 8.0, 7.0 - 3 * TIE], FAR, False),
        ([1, 2, 2], [9.0, 8.0, 8.0], TIED, False),  # not twice the same, tied or not
    ],
)
def test_only_ties_may_change_places_in_fp32(mine, my_scores, scores, same):
    parity = one_user(mine, my_scores, [1, 2, 3], scores)
    assert parity.same_top10 == float(same)
    assert bool(judge(parity, tolerance_of("executorch", "fp32"))) is not same


@settings(deadline=None)  # the cores are shared
@given(st.permutations(range(1, 9)), st.integers(0, 2**32 - 1))
def test_a_permuted_list_is_the_same_only_if_every_place_keeps_its_score(order, seed):
    levels = np.sort(np.random.default_rng(seed).integers(0, 4, 8))[::-1].astype(np.float32)
    mine = np.array(order)
    parity = one_user(mine.tolist(), levels[mine - 1].tolist(), list(range(1, 9)), levels.tolist())
    assert parity.top10_overlap == 1.0
    assert bool(parity.same_top10) is bool((levels[mine - 1] == levels).all())


@settings(deadline=None)  # the cores are shared
@given(st.integers(0, 10))
def test_the_overlap_is_the_share_that_is_shared(shared):
    mine = [*range(1, shared + 1), *range(21, 31 - shared)]
    scores = [float(n) for n in range(10, 0, -1)]
    parity = one_user(mine, scores, list(range(1, 11)), scores)
    assert parity.top10_overlap == pytest.approx(shared / 10)


def test_the_rank_weighted_overlap_counts_the_first_places_most():
    ten = np.arange(1, 11)
    top, bottom, other = ten.copy(), ten.copy(), ten + 10
    top[0], bottom[9] = 99, 99

    def weighted(*lists):
        return rank_weighted_overlap(np.array(lists), np.tile(ten, (len(lists), 1)))

    assert weighted(ten) == pytest.approx(1.0)
    assert weighted(other) == 0.0
    assert weighted(top) < weighted(bottom) < 1.0
    assert weighted(ten, other) == pytest.approx(0.5)
    # By hand, p = 0.9: of places 1, 2, 3 of [1, 3, 2] against [1, 2, 3] 1, 1/2 and 3/3 is shared.
    three = rank_weighted_overlap(np.array([[1, 3, 2]]), np.array([[1, 2, 3]]))
    assert three == pytest.approx((1 + 0.9 / 2 + 0.81) / (1 + 0.9 + 0.81))
    first_swapped, last_swapped = ten.copy(), ten.copy()
    first_swapped[[0, 1]], last_swapped[[8, 9]] = ten[[1, 0]], ten[[9, 8]]
    assert weighted(first_swapped) < weighted(last_swapped) < 1.0


@settings(deadline=None)  # the cores are shared
@given(st.lists(st.integers(-1, 12), min_size=1, max_size=10), st.randoms(use_true_random=False))
def test_the_rank_weighted_overlap_is_its_definition(mine, random):
    """With sets, place by place; lists of an artifact gone wrong may hold an item twice."""
    theirs = random.sample(range(1, 13), len(mine))
    places = range(1, len(mine) + 1)
    shares = [len({*mine[:n]} & {*theirs[:n]}) / n for n in places]
    weights = [0.9 ** (n - 1) for n in places]
    share = rank_weighted_overlap(np.array([mine]), np.array([theirs]))
    assert share == pytest.approx(np.average(shares, weights=weights))
    assert 0.0 <= share <= 1.0


def ten_of(items, scores):
    return TopK(np.array([items]), np.array([scores], np.float32))


SCORES = [float(n) for n in range(20, 10, -1)]


@pytest.mark.parametrize(
    ("last", "score", "share"),
    [
        (10, SCORES[-1], 1.0),
        (11, SCORES[-1] - TIE / 4, 1.0),  # a tie across the cut
        (11, SCORES[-1] + TIE / 4, 1.0),
        (11, SCORES[-1] - 3 * TIE, 0.9),
        (11, math.nan, 0.9),
        (11, math.inf, 0.9),
    ],
)
def test_artifacts_agree_up_to_a_tie_across_the_cut(last, score, share):
    mine = ten_of(range(1, 11), SCORES)
    assert agreement(mine, ten_of([*range(1, 10), last], [*SCORES[:-1], score])) == share


def test_artifacts_that_differ_by_float_rounding_alone_agree():
    """However many scores are nearly equal: what fp32 is held to."""
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 40, (200, 100)) / 10  # most have ties
    lists = []
    for _ in range(2):
        noisy = scores + rng.uniform(-TIE / 2.1, TIE / 2.1, scores.shape)
        order = np.argsort(-noisy, axis=1)[:, :15]
        taken = np.take_along_axis(noisy, order, axis=1).astype(np.float32)
        lists.append(TopK(order + 1, taken))
    assert overlap(*(part.items[:, :10] for part in lists)) < 0.99
    assert agreement(*lists) == agreement(*reversed(lists)) == 1.0


def test_what_two_artifacts_differ_by():
    items = np.array([[1, 2, 3], [4, 5, 6]])
    scores = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]], np.float32)
    theirs = TopK(np.array([[1, 2, 9], [4, 5, 6]]), np.float32([[3, 2, 1.25], [3, 2, 1]]))
    assert difference(TopK(items, scores), theirs) == Difference(1, 0.25)
    assert difference(theirs, theirs) == Difference(0, 0.0)
    broken = TopK(items + 90, np.full_like(scores, np.nan))
    assert difference(TopK(items, scores), broken) == Difference(2, 0.0), "no number goes into JSON"
