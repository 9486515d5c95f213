"""A checkpoint, and the same with another catalogue; one of the authors' code, and its oracle."""

import pytest

from glint_edge.checkpoints.changes import NewItem, add_items, retire_items
from glint_edge.checkpoints.checkpoint import Checkpoint
from glint_edge.checkpoints.near_items import mean_of
from glint_edge.checkpoints.recbole import import_recbole
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from tests.checkpoints.recbole_oracle import HEADS, WEIGHTS, N, Oracle, checkpoint_bytes


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


@pytest.fixture
def save(tmp_path):
    """Write bytes as a .pth."""

    def write(data, name="GLINTRU.pth"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


@pytest.fixture(scope="module")
def whole():
    """A checkpoint as RecBole writes it."""
    return checkpoint_bytes(WEIGHTS)


@pytest.fixture(scope="module")
def imported(whole, tmp_path_factory):
    """The model of it. Not to be changed."""
    path = tmp_path_factory.mktemp("recbole") / "GLINTRU.pth"
    path.write_bytes(whole)
    return import_recbole(path).model


@pytest.fixture(scope="module")
def oracle():
    return Oracle(WEIGHTS, HEADS, N)
