"""Neighbours' rows in training: what a vector is, and that all is folded in the end."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from glint_edge.checkpoints.checkpoint import load_checkpoint
from glint_edge.config import ModelConfig, TrainConfig
from glint_edge.data.features import features_of
from glint_edge.data.log import load_log
from glint_edge.data.neighbour_counts import count_neighbours
from glint_edge.data.sharded.sharding import make_shards
from glint_edge.training import neighbour_rows as module
from glint_edge.training.begin import begin, begin_with
from glint_edge.training.kept import make_plain
from glint_edge.training.neighbour_rows import SHARE, NeighbourRows, neighbour_rows
from tests.logs import write_ring
from tests.training.runs import run

SEQUENCES = [["a", "b", "c", "a", "d", "e"], ["b", "c", "e", "f"], ["c", "d", "f", "g", "a"]]
MODEL = {"d": 4, "heads": 2, "max_length": 6}


@pytest.fixture
def parts():
    return load_log(SEQUENCES, k_core=0).split()


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return write_ring(tmp_path_factory.mktemp("log") / "ring.txt")


def begun(parts, features=None, **training):
    model = ModelConfig(items=parts.item_count, **MODEL)
    return begin(model, TrainConfig(**training), parts, features=features).model


def dense(rows):
    """The matrix of a graph convolution, by its rows."""
    return rows(torch.eye(len(rows.of_neighbours.offsets) - 1))


def test_a_vector_is_its_own_row_and_the_weighted_mean_of_its_neighbours(parts):
    table = begun(parts, neighbour_rows=2).embedding
    own, counted = table.parametrizations.weight.original, count_neighbours(parts, 2, 0.0)
    for item in range(parts.item_count + 1):
        near = slice(*counted.starts[item : item + 2])
        assert item not in counted.ids[near]
        weights = counted.weights[near] / max(1, counted.weights[near].sum(dtype=int))
        mean = torch.from_numpy(weights).float() @ own[counted.ids[near]]
        torch.testing.assert_close(table.weight[item], own[item] + SHARE * mean)
    assert not table.weight[0].any()  # padding stays padding
    # Vectors are spread as the rows are that would be without.
    plain = begun(parts, neighbour_rows=0).embedding.weight
    torch.testing.assert_close(table.weight.std(), plain.std())


@given(st.integers(1, 12), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_forwards_and_backwards_are_a_matrix_and_its_transpose(items, k, seed):
    drawn = np.random.default_rng(seed)
    sequences = [drawn.integers(1, items + 1, 6).astype(str).tolist() for _ in range(5)]
    counted = count_neighbours(load_log(sequences, k_core=0).split(), k, 0.0)
    rows = NeighbourRows(counted)
    own = torch.randn(len(counted.scales), 3, requires_grad=True)
    wanted = torch.randn_like(own)
    (rows(own) * wanted).sum().backward()
    torch.testing.assert_close(own.grad, dense(rows).T @ wanted)
    sums = dense(rows).sum(dim=1)
    alone = np.diff(counted.starts) == 0
    torch.testing.assert_close(sums, torch.from_numpy(np.where(alone, 1.0, 1.0 + SHARE)).float())


def test_fields_are_part_of_what_neighbours_take_in(parts):
    keys = parts.catalogue.keys
    features = features_of(keys, {"kind": {"a": ("x",), "b": ("x",), "c": ("y",), "d": ("y",)}})
    table = begun(parts, features, neighbour_rows=2, item_row_dropout=0.0).embedding
    fields, rows = table.parametrizations.weight
    own = table.parametrizations.weight.original
    torch.testing.assert_close(table.weight, dense(rows) @ (own + fields.of_fields()))
    plain = begun(parts, neighbour_rows=2).embedding.weight
    torch.testing.assert_close(table.weight, plain)  # training starts where it would without


@pytest.mark.parametrize("training", [{"neighbour_rows": 0}, {"neighbour_rows": 2}])
def test_a_large_catalogue_has_none(parts, monkeypatch, training):
    none = neighbour_rows(TrainConfig(**training), parts, 7) is None
    assert none == (not training["neighbour_rows"])
    monkeypatch.setattr(module, "MOST_ITEMS", 6)
    assert neighbour_rows(TrainConfig(**training), parts, 7) is None


def test_a_resumed_run_keeps_the_rows_that_it_is_given(parts):
    """Nothing is counted into the weights of a run that is put back to where it was."""
    config = TrainConfig(neighbour_rows=2)
    table = nn.Embedding(parts.item_count + 1, 4, padding_idx=0)
    model = nn.Module()
    model.embedding, drawn = table, table.weight.detach().clone()
    begin_with(model, config, parts, resumed=True)
    torch.testing.assert_close(table.parametrizations.weight.original, drawn)


def test_what_is_kept_is_a_plain_table_of_the_vectors(parts, log, tmp_path):
    table = begun(parts).embedding
    vectors = table.weight.detach().clone()
    for _ in range(2):  # a plain one stays as it is
        make_plain(table)
        assert type(table) is nn.Embedding and [*table.state_dict()] == ["weight"]
        assert torch.equal(table.weight, vectors)
    checkpoint = run(log, tmp_path / "run", epochs=1)
    loaded = load_checkpoint(tmp_path / "run")
    assert torch.equal(loaded.model.embedding.weight, checkpoint.model.embedding.weight)


def test_shards_have_the_neighbours_of_the_log(log, tmp_path):
    shards = make_shards(log, tmp_path / "shards", parts=2)
    config = TrainConfig()
    one, other = (
        neighbour_rows(config, data, data.item_count) for data in (load_log(log).split(), shards)
    )
    for name, buffer in one.named_buffers():
        assert torch.equal(buffer, dict(other.named_buffers())[name]), name
