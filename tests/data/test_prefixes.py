"""Prefixes of histories, by which artifacts are judged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glint_edge.data.prefixes import prefixes
from glint_edge.data.sequences import HeldOut, Sequences, split


def sequences_of(*histories):
    ids = np.concatenate([np.array(history) for history in histories])
    offsets = np.cumsum([0, *map(len, histories)])
    keys = ("", *map(str, range(1, ids.max() + 1)))
    return Sequences("x", keys, ids, offsets, tuple(map(str, range(len(histories)))), {}, {})


def listed(held_out):
    starts, ends = held_out.offsets[:-1], held_out.offsets[1:]
    histories = [held_out.ids[a:b].tolist() for a, b in zip(starts, ends, strict=True)]
    return list(zip(held_out.users.tolist(), histories, held_out.targets.tolist(), strict=True))


def test_all_prefixes_where_there_is_room():
    parts = split(sequences_of([1, 2, 3, 4], [5, 6, 7]))
    assert listed(prefixes(parts.validation(), 200)) == [
        (0, [1], 2), (0, [1, 2], 3), (1, [5], 6),
    ]  # fmt: skip


def test_the_window_is_the_last_items():
    parts = split(sequences_of([1, 2, 3, 4, 5, 6]))
    assert listed(prefixes(parts.validation(), 2)) == [(0, [3], 4), (0, [3, 4], 5)]


@given(
    st.lists(st.integers(3, 40), min_size=1, max_size=30), st.integers(1, 20), st.integers(1, 200)
)
def test_they_are_spread_over_users_and_never_hold_a_test_item(lengths, longest, count):
    test_item = 1000
    histories = [[*range(1, n), test_item] for n in lengths]
    chosen = listed(prefixes(split(sequences_of(*histories)).validation(), longest, count))
    by_user = {}
    for user, history, target in chosen:
        kept = histories[user][: lengths[user] - 1]
        place = kept.index(target)
        assert place > 0
        assert len(history) <= longest
        assert history == kept[place - len(history) : place]
        by_user.setdefault(user, []).append(target)
    assert all(len(set(targets)) == len(targets) for targets in by_user.values())
    assert all(targets[-1] == lengths[user] - 1 for user, targets in by_user.items())
    assert len(by_user) == min(len(lengths), count)
    most = sum(min(n - 2, longest) for n in lengths)
    assert min(most, count) <= len(chosen) or len(by_user) == count
    assert len(chosen) < count + len(lengths)


@pytest.mark.parametrize("users", [1, 3])
def test_more_users_than_places_are_evenly_spread(users):
    held_out = HeldOut(np.arange(1, 11), np.arange(11), np.arange(2, 12))
    chosen = prefixes(held_out, 5, users)
    assert chosen.users.tolist() == np.linspace(0, 9, users).astype(int).tolist()
