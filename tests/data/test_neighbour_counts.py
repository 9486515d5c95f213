from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glint_edge.data import neighbour_counts
from glint_edge.data.log import load_log
from glint_edge.data.neighbour_counts import REACH, count, count_neighbours
from glint_edge.data.neighbours import Neighbours
from glint_edge.data.sharded.sharding import make_shards

ITEMS = 12


def naive(sequences, k, *, itself):
    """By item, its nearest items and their shares, from a dict of all pairs."""
    counts, frequency = defaultdict(Fraction), defaultdict(int)
    for sequence in sequences:
        for a, first in enumerate(sequence):
            frequency[first] += 1
            for gap, second in enumerate(sequence[a + 1 : a + 1 + REACH], 1):
                counts[first, second] += Fraction(1, gap)
                counts[second, first] += Fraction(7, 10 * gap)
    rows = {}
    for item in range(1, ITEMS + 1):
        weights = {
            other: times**2 / frequency[other]  # exact, and in the same order
            for (one, other), times in counts.items()
            if one == item and (itself or other != item)
        }
        most = sorted(weights, key=lambda other: (-weights[other], other))[:k]
        largest = max(weights.values(), default=0)
        q = {other: round(255 * (weights[other] / largest) ** 0.5) for other in sorted(most)}
        total = sum(q.values())
        rows[item] = {other: whole / total for other, whole in q.items() if whole}
    return rows


def rows_of(neighbours):
    found = {}
    for item in range(1, neighbours.rows):
        own = slice(neighbours.starts[item], neighbours.starts[item + 1])
        weights = neighbours.weights[own] * np.float64(neighbours.scales[item])
        found[item] = dict(zip(neighbours.ids[own].tolist(), weights.tolist(), strict=True))
    return found


def parts_of(sequences, parts):
    """The sequences in so many parts, as shards have them."""

    def again():
        for part in range(parts):
            some = sequences[part::parts]
            ids = np.array([item for one in some for item in one], dtype=np.int64)
            yield ids, np.cumsum([0, *map(len, some)])

    return again


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.lists(st.integers(1, ITEMS), max_size=25), min_size=1, max_size=8),
    st.integers(1, 6), st.booleans(), st.integers(1, 4), st.sampled_from([40, 1 << 22]),
)  # fmt: skip
def test_counts_are_those_of_a_dict_however_they_come(sequences, k, itself, parts, most):
    frequencies = np.bincount([item for one in sequences for item in one], minlength=ITEMS + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbour_counts, "MOST", most)
        counted = count(parts_of(sequences, parts), frequencies, k, itself=itself)
    expected = naive(sequences, k, itself=itself)
    assert {item: row.keys() for item, row in rows_of(counted).items()} == {
        item: row.keys() for item, row in expected.items()
    }
    for item, row in rows_of(counted).items():
        assert row == pytest.approx(expected[item], abs=0.003)  # where 0.5 is rounded
    assert Neighbours.from_bytes(counted.to_bytes()).to_bytes() == counted.to_bytes()


def test_shards_give_what_their_sequences_give(tmp_path, monkeypatch):
    draw = np.random.default_rng(0)
    lines = [f"u{u},i{i},{t}" for t, (u, i) in enumerate(draw.integers(1, 40, (900, 2)).tolist())]
    (tmp_path / "log.csv").write_text("user,item,time\n" + "\n".join(lines))
    sharded = make_shards(tmp_path / "log.csv", tmp_path / "shards", parts=3, held_out=10)
    ids, offsets = sharded.training()
    whole = count(lambda: [(ids, offsets)], sharded.counts(), 5, itself=True)
    monkeypatch.setattr(neighbour_counts, "MOST", 2000)  # several bands, each shard in turn
    assert count_neighbours(sharded, 5, repeats=0.5).to_bytes() == whole.to_bytes()
    assert 0 < whole.most <= 5 and whole.rows == sharded.item_count + 1
    split = load_log(tmp_path / "log.csv").split()
    alone = count_neighbours(split, 5, repeats=0.0)
    assert not any(item in row for item, row in rows_of(alone).items())
