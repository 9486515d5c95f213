"""The split, and the ends of sequences as models take them."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glint_edge.data.histories import last_items
from glint_edge.data.sequences import Sequences, split
from glint_edge.errors import DataError

HISTORIES = st.lists(st.lists(st.integers(1, 9), min_size=3, max_size=9), min_size=1, max_size=6)


def sequences_of(histories):
    offsets = np.cumsum([0, *map(len, histories)])
    ids = np.array([i for items in histories for i in items], dtype=np.int64)
    users = tuple(f"u{n}" for n in range(len(histories)))
    return Sequences("log", ("", *"abcdefghi"), ids, offsets, users, {}, {})


def cut(ids, offsets):
    return [ids[start:stop].tolist() for start, stop in pairwise(offsets)]


@given(HISTORIES)
def test_split_holds_out_the_last_two_items(histories):
    parts = split(sequences_of(histories))
    validation, test = parts.validation(), parts.test()
    assert cut(parts.train_ids, parts.train_offsets) == [items[:-2] for items in histories]
    assert cut(validation.ids, validation.offsets) == [items[:-2] for items in histories]
    assert cut(test.ids, test.offsets) == [items[:-1] for items in histories]
    assert validation.targets.tolist() == [items[-2] for items in histories]
    assert test.targets.tolist() == [items[-1] for items in histories]
    for array in (parts.train_ids, parts.train_offsets, test.ids, test.offsets, test.targets):
        assert array.dtype == np.int64


def test_split_needs_three_items_of_every_user():
    with pytest.raises(DataError, match="min_length=3"):
        split(sequences_of([[1, 2, 3], [4, 5]]))


@given(HISTORIES.map(lambda histories: [items[3:] for items in histories]), st.integers(1, 8))
def test_last_items_pads_on_the_right(histories, most):
    whole = sequences_of(histories)  # some are empty
    items, lengths = last_items(whole.ids, whole.offsets, most)
    assert items.dtype == np.int64 and items.shape == (len(histories), most)
    assert lengths.tolist() == [len(items[-most:]) for items in histories]
    for row, history in zip(items.tolist(), histories, strict=True):
        recent = history[-most:]
        assert row == recent + [0] * (most - len(recent))
