"""A checkpoint, and the same with another catalogue."""

import pytest

from glint_edge.checkpoints.changes import NewItem, add_items, retire_items
from glint_edge.checkpoints.checkpoint import Checkpoint
from glint_edge.checkpoints.near_items import mean_of
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource


@pytest.fixture(scope="session")
def trained(make_model):
    catalogue = Catalogue(("", *(f"k{n}" for n in range(1, 41))), {"k1": "One"})
    source = DataSource("log.csv", "log.csv")
    metrics = {"test": {"ndcg_at_10": 0.5}}
    return Checkpoint(make_model(), catalogue, source, metrics=metrics)


@pytest.fixture(scope="session")
def changed(trained):
    """One added, k7 and the most popular retired: ids 41, 7 and 1."""
    new = NewItem("new", mean_of(trained, ["k2", "k3"]), "A new one")
    return retire_items(add_items(trained, [new]), ["k7", "k1"])
