"""The histories that golden.json tells everybody: made up, of every kind that an app meets."""

import pytest

from glint_edge.bundles.golden_histories import golden_histories
from glint_edge.config import ModelConfig


@pytest.mark.parametrize(("items", "longest"), [(1682, 200), (40, 30), (8, 4), (1, 1)])
def test_they_are_of_every_kind_and_of_no_person(items, longest):
    histories = golden_histories(ModelConfig(items=items, max_length=longest))
    assert histories == golden_histories(ModelConfig(items=items, max_length=longest))
    lengths = [len(history) for history in histories]
    assert max(lengths) == longest and 1 in lengths
    assert len(set(lengths)) == len(lengths)
    ids = [item for history in histories for item in history]
    assert min(ids) == (0 if longest >= 13 else 1) and max(ids) <= items
    if longest >= 30:
        assert any(len(set(history)) < len(history) for history in histories)
        assert max(ids) > items / 2  # the rare ones too
    assert all(all(history) for history in histories[:2])  # the lists' with filters
