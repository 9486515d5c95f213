"""Golden vectors: every way of being wrong is seen and named."""

import math

import numpy as np
import pytest

from device_bench.measure.job import TopK
from glint_edge.bundles.golden import Golden, GoldenCase, checksum, golden_of
from glint_edge.bundles.golden_check import golden_failures
from glint_edge.data.catalogue import Catalogue
from glint_edge.model.stream import stream_program
from tests.device_bench.makers import (
    HISTORIES,
    answers,
)

CATALOGUE = Catalogue(("", *(f"i{n}" for n in range(1, 41))), {})


@pytest.fixture(scope="module")
def golden(make_model):
    return golden_of(stream_program(make_model(), 10), HISTORIES, CATALOGUE)


def test_the_right_answers_pass(golden, model):
    assert golden_failures(golden, *answers(golden, model)) == ()


def test_a_changed_state_is_seen(golden, model):
    states, lists = answers(golden, model)
    states[1, 5] += 0.01
    (failure,) = golden_failures(golden, states, lists)
    assert failure.startswith("golden case 1 (3 items): state_sum is")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_state_that_is_no_number_is_seen(golden, model, value):
    states, lists = answers(golden, model)
    states[0, 0] = value
    assert "golden case 0 (0 items): state_sum is" in golden_failures(golden, states, lists)[0]


@pytest.mark.parametrize("value", [lambda s, e: s + 2 * e, lambda s, e: math.nan])
def test_a_changed_score_is_seen(golden, model, value):
    states, lists = answers(golden, model)
    lists.scores[2, 4] = value(lists.scores[2, 4], golden.score_error)
    (failure,) = golden_failures(golden, states, lists)
    assert "golden case 2 (1 item): the score in place 5 is" in failure


def test_a_changed_item_is_seen(golden, model):
    states, lists = answers(golden, model)
    swapped = lists.items[3, [1, 0]]
    lists.items[3, :2] = swapped
    (failure,) = golden_failures(golden, states, lists)
    expected = golden.cases[3].items[0]
    assert failure.endswith(f"item {swapped[0]} in place 1 should be {expected}")


def test_without_history_the_order_is_exact_though_all_scores_are_zero(golden, model):
    states, lists = answers(golden, model)
    lists.items[0, :2] = [2, 1]
    assert "item 2 in place 1 should be 1" in golden_failures(golden, states, lists)[0]


def test_another_number_of_items_is_seen(golden, model):
    states, lists = answers(golden, model)
    failures = golden_failures(golden, states, TopK(lists.items[:, :5], lists.scores[:, :5]))
    assert "it recommends 5 items, not 10" in failures[0]


@pytest.mark.parametrize(
    ("items", "wrong"),
    [
        ([1, 2, 3, 4], None),
        ([1, 3, 2, 4], None),  # 2 and 3 are within the tolerance
        ([2, 1, 3, 4], 1),
        ([1, 2, 3, 9], None),  # an item from beyond the list, as good as the last
        ([9, 2, 3, 4], 1),
        ([1, 3, 3, 4], 3),  # near enough, but twice
    ],
)
def test_items_of_nearly_equal_scores_may_swap(items, wrong):
    scores = [5.0, 3.05, 3.0, 1.0]
    case = GoldenCase([7], 0.0, 0.0, [1, 2, 3, 4], scores)
    failures = golden_failures(
        Golden(1e-5, 0.1, 0.1, (case,)),
        np.zeros((1, 4), np.float32),
        TopK(np.array([items]), np.array([scores], np.float32)),
    )
    assert [f"in place {wrong} " in failure for failure in failures] == [True] * bool(wrong)


def test_the_checksums_are_goldens_own(golden, model):
    states, _ = answers(golden, model)
    assert checksum(states[1])["state_norm"] == pytest.approx(golden.cases[1].state_norm)
