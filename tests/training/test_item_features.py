"""Fields of items as features of training: what a vector is, and that all is folded in the end."""

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from glint_edge.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from glint_edge.checkpoints.vectors import FieldVectors, read_vectors
from glint_edge.config import ModelConfig, TrainConfig
from glint_edge.data.features import features_of
from glint_edge.data.items import ItemFile
from glint_edge.data.log import load_log
from glint_edge.data.sharded.sharding import make_shards
from glint_edge.errors import CheckpointError
from glint_edge.training import field_rows
from glint_edge.training.begin import begin
from glint_edge.training.train import train
from tests.logs import write_ring
from tests.training.runs import MODEL, TRAINING, run


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return write_ring(tmp_path_factory.mktemp("log") / "ring.txt", users=20)


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    """All of the ring's items but i0 are red or blue, and in a third; i1 alone is rare."""
    rows = [f"i{n},{'red' if n % 2 else 'blue'}|{n % 3}{'|rare' if n == 1 else ''}"
            for n in range(1, 20)]  # fmt: skip
    path = tmp_path_factory.mktemp("items") / "items.csv"
    path.write_text("item,kind\n" + "\n".join(rows) + "\n")
    return ItemFile(path, fields=("kind",), separator="|")


def begun(dropout, **training):
    keys = ("", "a", "b", "c")
    features = features_of(keys, {"kind": {"a": ("x", "y"), "b": ("x", "y"), "c": ("z",)}})
    config = TrainConfig(item_row_dropout=dropout, **training)
    return begin(ModelConfig(items=3, d=4, heads=2), config, None, features=features).model


def test_a_vector_is_its_own_row_and_the_mean_of_its_fields():
    plain = begin(ModelConfig(items=3, d=4, heads=2), TrainConfig(), None).model.embedding.weight
    table = begun(0.0).embedding
    torch.testing.assert_close(table.weight, plain)  # training starts where it started
    own, fields = table.parametrizations.weight.original, table.parametrizations.weight[0].rows
    with torch.no_grad():
        fields.copy_(torch.tensor([[1.0, 0, 0, 0], [0, 2, 0, 0]]))
    mean = torch.tensor([0.5, 1, 0, 0])
    expected = torch.stack([torch.zeros(4), own[1] + mean, own[2] + mean, own[3]])
    torch.testing.assert_close(table.weight, expected)


def test_the_gradient_of_means_is_what_torch_says():
    fields = begun(0.0).embedding.parametrizations.weight[0]
    wanted = torch.randn(4, 4)
    (fields.of_fields() * wanted).sum().backward()
    # a and b have both values, the others none that is known.
    expected = (wanted[1] + wanted[2]) / 2
    torch.testing.assert_close(fields.rows.grad, torch.stack([expected, expected]))


def test_own_rows_are_dropped_only_in_training_and_where_fields_stand_in():
    model = begun(0.999).train()
    table = model.embedding
    rows = table.parametrizations.weight[0].rows
    torch.testing.assert_close(table.weight[1], rows.mean(dim=0))
    assert table.weight[3].any()  # its only value is rare: it has its own row alone
    torch.testing.assert_close(model.eval().embedding.weight[1], begun(0.0).embedding.weight[1])


def test_lookup_and_scoring_of_a_step_share_a_table(log, items, tmp_path, monkeypatch):
    made = []
    forward = field_rows.FieldRows.forward
    monkeypatch.setattr(
        field_rows.FieldRows, "forward", lambda self, own: made.append(1) or forward(self, own)
    )
    steps = []
    run(log, tmp_path / "run", items=items, epochs=1,
        on_progress=lambda progress: steps.append(1))  # fmt: skip
    assert len(made) < len(steps) + 4  # those of validation, and what registering takes


def test_a_run_with_features_resumes_bit_for_bit_and_keeps_them(log, items, tmp_path):
    whole = run(log, tmp_path / "whole", items=items)
    assert whole.vectors.pairs == tuple(("kind", v) for v in ("0", "1", "2", "blue", "red"))

    def stop(progress):
        if progress.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(log, tmp_path / "run", items=items, on_progress=stop)
    with pytest.raises(CheckpointError, match="started with other item features"):
        run(log, tmp_path / "run", resume=True)
    with pytest.raises(CheckpointError, match=r"item_row_dropout 0.1 then, 0.5 now"):
        run(log, tmp_path / "run", items=items, resume=True, item_row_dropout=0.5)
    resumed = run(log, tmp_path / "run", items=items, resume=True)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name
    assert torch.equal(resumed.vectors.rows, whole.vectors.rows)
    # As any checkpoint: the same names, so that all that reads one need not know.
    assert "embedding.weight" in load_file(tmp_path / "run/model.safetensors")
    loaded = load_checkpoint(tmp_path / "run")
    assert torch.equal(loaded.model.embedding.weight, whole.model.embedding.weight)
    assert loaded.vectors.separator == "|" and loaded.vectors.pairs == whole.vectors.pairs
    save_checkpoint(loaded, tmp_path / "again")
    assert torch.equal(load_checkpoint(tmp_path / "again").vectors.rows, whole.vectors.rows)


def test_without_item_features_fields_are_shown_alone(log, items, tmp_path):
    plain = run(log, tmp_path / "plain", epochs=1)
    shown = run(log, tmp_path / "shown", epochs=1, items=items, item_features=False)
    assert torch.equal(shown.model.embedding.weight, plain.model.embedding.weight)
    assert shown.vectors is None and shown.catalogue.fields["kind"]["i2"] == "blue, 2"
    assert not (tmp_path / "shown/features.safetensors").exists()


def test_shards_train_with_features(log, items, tmp_path):
    shards = make_shards(log, tmp_path / "shards", parts=2)
    model = ModelConfig(items=shards.item_count, **MODEL)
    config = TrainConfig(**TRAINING | {"epochs": 1})
    source = load_log(shards.folder).source
    checkpoint = train(shards, model, config, tmp_path / "run", source=source, items=items)
    assert len(checkpoint.vectors.pairs) == 5


DAMAGE = {
    "no row a value": lambda rows, about: ({"rows": rows[1:]}, about),
    "does not hold": lambda rows, about: ({"other": rows}, about),
    "not finite": lambda rows, about: ({"rows": rows / 0}, about),
    "is damaged": lambda rows, about: ({"rows": rows}, {}),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damaged_vectors_are_refused(what, log, items, tmp_path):
    rows = torch.ones(2, 4)
    vectors = FieldVectors((("kind", "x"), ("kind", "y")), rows, "|")
    path = tmp_path / "features.safetensors"
    path.write_bytes(vectors.to_bytes())
    assert torch.equal(read_vectors(path, 4).rows, rows)
    with safe_open(path, "pt") as file:
        about = file.metadata()
    tensors, texts = DAMAGE[what](rows, about)
    save_file(tensors, path, texts)
    with pytest.raises(CheckpointError, match=what.replace("no row", "does not hold a row")):
        read_vectors(path, 4)
