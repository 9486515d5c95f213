import struct
from dataclasses import replace

import numpy as np
import pytest

from glint_edge.data.neighbours import HEAD, Neighbours, Newer, read_file
from glint_edge.json_files import Fault
from tests.small import tiny_neighbours

# Of the head, in bytes: where a number stands, and how it is packed.
PLACES = {
    "version": (4, "I"), "rows": (8, "I"), "count": (12, "I"), "id_bytes": (16, "I"),
    "last": (20, "I"), "decay": (24, "f"), "c": (28, "f"), "gamma": (32, "f"), "zero": (36, "I"),
}  # fmt: skip


def with_head(data, **numbers):
    data = bytearray(data)
    for name, number in numbers.items():
        at, kind = PLACES[name]
        struct.pack_into(f"<{kind}", data, at, number)
    return bytes(data)


def naive(neighbours, history):
    """The expert as the contract has it, number by number."""
    e, shares = np.zeros(neighbours.rows), 0.0
    for step, item in enumerate(reversed(history[-neighbours.last :])):
        share = neighbours.decay**step
        shares += share
        if item < neighbours.rows:
            for at in range(neighbours.starts[item], neighbours.starts[item + 1]):
                weight = neighbours.weights[at] * neighbours.scales[item]
                e[neighbours.ids[at]] += share * weight
    return e / shares if shares else e


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
    np.testing.assert_allclose(one.expert(history), expected, atol=1e-6)
    bias = one.bias(history, 50)
    assert (bias.shape, bias.dtype) == ((1, 50), np.float32)
    np.testing.assert_allclose(bias[0, :41], 0.5 * np.log1p(30 * expected), atol=1e-5)
    assert not bias[0, 41:].any()


def test_many_histories_at_once_are_each_alone():
    one, histories = tiny_neighbours(), [[3], [], [7, 0], [5, 5, 99], list(range(1, 30))]
    ids = np.array([item for history in histories for item in history])
    lengths = np.array([len(history) for history in histories])
    number, item, e = one.experts(ids, lengths.cumsum(), lengths)
    dense = np.zeros((len(histories), one.rows))
    dense[number, item] = e
    np.testing.assert_allclose(dense, [naive(one, history) for history in histories], atol=1e-6)
    assert (e > 0).all() and len({*zip(number, item, strict=True)}) == len(e)


def test_an_item_is_there_because_of_what_brought_it_the_most():
    ids, weights = [2, 3, 3, 1], [200, 100, 250, 255]
    one = Neighbours(
        np.array([0, 0, 2, 3, 3, 4]), np.float32([0, 0.004, 0.004, 0, 0.004]),
        np.uint8(weights), np.array(ids), 0.5, 30.0,
    )  # fmt: skip
    # Item 2's row has weight 1 of item 3, item 1's 0.4 a step later.
    assert one.because([2, 1], [1, 2, 3, 4, 99]) == [None, 1, 2, None, None]
    assert one.because([1, 2, 4], [1, 3]) == [4, 2]
    assert one.because([], [1, 2]) == [None, None]
    same = replace(one, decay=1.0, weights=np.uint8([200, 250, 250, 255]))
    assert same.because([1, 2], [3]) == [2] and same.because([2, 1], [3]) == [1]


@pytest.mark.parametrize(
    "numbers",
    [
        {"version": 0}, {"rows": 0}, {"rows": 40}, {"rows": 2**32 - 1}, {"count": 3},
        {"count": 2**32 - 1}, {"id_bytes": 4}, {"id_bytes": 3}, {"id_bytes": 0}, {"last": 0},
        {"last": 65}, {"decay": 0.0}, {"decay": -1.0}, {"decay": 1.5}, {"decay": np.nan},
        {"c": -0.5}, {"c": 10.5}, {"c": np.inf}, {"c": np.nan}, {"gamma": 0.0}, {"gamma": 2e6},
        {"gamma": np.nan}, {"zero": 1},
    ],
    ids=str,
)  # fmt: skip
def test_a_head_that_cannot_be_is_refused(numbers):
    with pytest.raises(Fault, match=r"^is damaged \(.*\)$"):
        Neighbours.from_bytes(with_head(tiny_neighbours().to_bytes(), **numbers))


def test_a_later_version_is_told_from_a_damaged_file():
    with pytest.raises(Newer, match="has version 2, this glint-edge reads 1"):
        Neighbours.from_bytes(with_head(tiny_neighbours().to_bytes(), version=2))


def _starts(one):
    starts = one.starts.copy()
    starts[5], starts[6] = starts[6], starts[5]
    return {"starts": starts}


def _at(name, place, value):
    def change(one):
        array = getattr(one, name).copy()
        array[place] = value
        return {name: array}

    change.__name__ = f"{name}[{place}]={value}"
    return change


@pytest.mark.parametrize(
    "change",
    [
        _starts, _at("starts", 0, 1), _at("starts", -1, 3), _at("starts", 2, 2**32 - 1),
        _at("scales", 1, 0), _at("scales", 1, -1), _at("scales", 1, np.nan),
        _at("scales", 0, np.inf), _at("weights", 3, 0), _at("ids", 0, 0), _at("ids", -1, 41),
        _at("ids", slice(1, 3), 9),
    ],
    ids=lambda change: change.__name__,
)  # fmt: skip
def test_arrays_that_cannot_be_are_refused(change):
    one = tiny_neighbours()
    with pytest.raises(Fault, match=r"^is damaged \(.*\)$"):
        Neighbours.from_bytes(replace(one, **change(one)).to_bytes())


def test_another_file_and_one_cut_off_are_refused(tmp_path):
    data = tiny_neighbours().to_bytes()
    for wrong in (b"", b"GENB", data[:-1], data + b"\0", b"{" + data[1:], data[: HEAD.size]):
        with pytest.raises(Fault, match="is damaged"):
            Neighbours.from_bytes(wrong)
    (tmp_path / "neighbours.bin").write_bytes(data)
    assert read_file(tmp_path / "neighbours.bin", 45).rows == 41  # items were added since
    with pytest.raises(Fault, match="it has 40 items, and the model has 39"):
        read_file(tmp_path / "neighbours.bin", 39)
