from dataclasses import replace

import numpy as np
import pytest

from glint_edge.data.neighbours import HEAD, Neighbours, Newer
from glint_edge.data.neighbours_file import read_file
from glint_edge.json_files import Fault
from tests.neighbours_file import WHOLE, damaged_files
from tests.small import expert_of, tiny_neighbours


def naive(neighbours, history):
    """The expert as the contract has it, number by number."""
    e, shares = np.zeros(neighbours.rows), 0.0
    counting = history[-neighbours.last :]
    for step, item in enumerate(reversed(counting)):
        share = neighbours.decay**step
        shares += share
        for near, weight in row_of(neighbours, item).items():
            e[near] += share * weight
    for item in counting:
        if item < neighbours.rows and item not in row_of(neighbours, item):
            e[item] = 0.0
    return e / shares if shares else e


def row_of(neighbours, item):
    """Its neighbours, and what each weighs."""
    if item >= neighbours.rows:
        return {}
    own = slice(neighbours.starts[item], neighbours.starts[item + 1])
    weights = neighbours.weights[own] * neighbours.scales[item]
    return dict(zip(neighbours.ids[own].tolist(), weights, strict=True))


@pytest.mark.parametrize("items", [40, 70_000])
def test_what_is_written_is_read(items, tmp_path):
    one = tiny_neighbours(items, each=4 if items == 40 else 1, last=5, decay=0.5)
    (tmp_path / "neighbours.bin").write_bytes(one.to_bytes())
    again = read_file(tmp_path / "neighbours.bin", items)
    assert again.to_bytes() == one.to_bytes()
    assert (again.rows, again.last, again.decay) == (items + 1, 5, 0.5)
    size = HEAD.size + 4 * (2 * again.rows + 1) + len(again.ids) * (3 if items == 40 else 5)
    assert len(one.to_bytes()) == size


@pytest.mark.parametrize(
    "history", [[3], [1, 2, 3], [5, 5, 5], [7], [0, 3, 99], list(range(1, 30)), []], ids=str
)
def test_the_expert_is_the_mean_of_the_last_items_rows(history):
    one = tiny_neighbours()
    expected = naive(one, history)
    np.testing.assert_allclose(expert_of(one, history), expected, atol=1e-6)
    bias = one.bias(history, 50)
    assert (bias.shape, bias.dtype) == ((1, 50), np.float32)
    np.testing.assert_allclose(bias[0, :41], 0.5 * np.log1p(30 * expected), atol=1e-5)
    assert not bias[0, 41:].any()
    pulls = one.pulls(history)
    assert pulls.items.tolist() == np.flatnonzero(expected).tolist()
    np.testing.assert_allclose(bias[0, pulls.items], pulls.gains)


def test_many_histories_at_once_are_each_alone():
    one, histories = tiny_neighbours(), [[3], [], [7, 0], [5, 5, 99], list(range(1, 30))]
    ids = np.array([item for history in histories for item in history])
    lengths = np.array([len(history) for history in histories])
    number, item, e = one.experts(ids, lengths.cumsum(), lengths)
    dense = np.zeros((len(histories), one.rows))
    dense[number, item] = e
    np.testing.assert_allclose(dense, [naive(one, history) for history in histories], atol=1e-6)
    assert (e > 0).all() and len({*zip(number, item, strict=True)}) == len(e)


def test_what_is_never_taken_again_is_not_brought_back():
    # Item 1 is near itself and item 2, item 2 near itself alone, item 3 near the other two.
    one = Neighbours(
        np.array([0, 0, 2, 3, 5]), np.float32([0, 0.5, 0.25, 0.125]),
        np.uint8([1, 1, 4, 2, 6]), np.array([1, 2, 2, 1, 2]), 1.0, 1.0, last=2, decay=1.0,
    )  # fmt: skip
    assert expert_of(one, [3, 1]).tolist() == [0, 0.375, 0.625, 0]
    never = replace(one, ids=np.array([2, 3, 1, 1, 2]))  # nobody takes any of them again
    assert expert_of(never, [3]).tolist() == [0, 0.25, 0.75, 0]
    assert expert_of(never, [3, 1]).tolist() == [0, 0, 0.625, 0]
    assert expert_of(never, [2, 3, 1]).tolist() == [0, 0, 0.625, 0]  # item 2 no longer counts


def because(neighbours, history):
    pulls = neighbours.pulls(history)
    return dict(zip(pulls.items.tolist(), pulls.because.tolist(), strict=True))


def test_an_item_is_there_because_of_what_brought_it_the_most():
    ids, weights = [2, 3, 3, 1], [200, 100, 250, 255]
    one = Neighbours(
        np.array([0, 0, 2, 3, 3, 4]), np.float32([0, 0.004, 0.004, 0, 0.004]),
        np.uint8(weights), np.array(ids), 0.5, 30.0,
    )  # fmt: skip
    # Item 2's row has weight 1 of item 3, item 1's 0.4 a step later.
    assert because(one, [2, 1]) == {3: 2}
    assert because(one, [1, 4, 2]) == {3: 2}
    assert because(one, [1, 4]) == {2: 1, 3: 1}
    assert because(one, []) == {}
    same = replace(one, decay=1.0, weights=np.uint8([200, 250, 250, 255]))
    assert because(same, [1, 2])[3] == 2 and because(same, [2, 1])[3] == 1


def test_many_lists_say_each_why():
    one, histories = tiny_neighbours(), [[3], [], [7, 0], [5, 5, 99], list(range(1, 30))]
    ids = np.array([item for history in histories for item in history])
    lengths = np.array([len(history) for history in histories])
    lists = np.array([[4, 9, 5, 50], [1, 2, 3, 4], [8, 9, 0, 0], [6, 7, 8, 9], [30, 31, 32, 29]])
    brought = one.reasons(ids, lengths.cumsum(), lengths, lists)
    expected = [
        [because(one, history).get(item, 0) for item in items]
        for history, items in zip(histories, lists.tolist(), strict=True)
    ]
    assert brought.tolist() == expected
    assert {0, 3, 5} < {item for row in expected for item in row}
    assert one.reasons(ids, lengths.cumsum(), lengths, lists[:, :0]).shape == (5, 0)


def test_what_cannot_be_is_refused():
    for data in damaged_files():
        with pytest.raises(Fault, match=r"^is damaged \(.*\)$"):
            Neighbours.from_bytes(data)


def test_a_later_version_is_told_from_a_damaged_file():
    with pytest.raises(Newer, match="has version 2, this glint-edge reads 1"):
        Neighbours.from_bytes(WHOLE.data(version=2))


def test_items_may_be_added_and_none_may_be_missing(tmp_path):
    (tmp_path / "neighbours.bin").write_bytes(WHOLE.data())
    assert read_file(tmp_path / "neighbours.bin", 7).rows == 4
    with pytest.raises(Fault, match="it has 3 items, and the model has 2"):
        read_file(tmp_path / "neighbours.bin", 2)
