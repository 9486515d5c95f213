import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from glint_edge.bundles.manifest import digest_of
from glint_edge.checkpoints.checkpoint import (
    DEFAULT_CHECKPOINT,
    Checkpoint,
    digest_of_folder,
    load_checkpoint,
    model_digest,
    save_checkpoint,
)
from glint_edge.config import GONE_LEVERS, ModelConfig, TrainConfig
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.data.source import held_out, in_catalogue
from glint_edge.errors import CheckpointError
from glint_edge.evaluation.ranking import evaluate
from tests.campaign.mutators import mutated


@pytest.fixture
def checkpoint(make_model):
    catalogue = Catalogue(("", *(f"k{n}" for n in range(1, 41))), {"k1": "Åse's film"})
    metrics = {"test": {"ndcg_at_10": 0.5}}
    source = DataSource("log.csv", "/somewhere/log.csv")
    training = TrainConfig(seed=7, **TrainConfig.BEFORE)
    return Checkpoint(make_model(), catalogue, source, training, metrics)


@pytest.fixture
def folder(checkpoint, tmp_path):
    save_checkpoint(checkpoint, tmp_path / "run")
    return tmp_path / "run"


def test_a_checkpoint_comes_back_as_it_was(checkpoint, folder):
    loaded = load_checkpoint(folder)
    for name, tensor in checkpoint.model.state_dict().items():
        assert torch.equal(tensor, loaded.model.state_dict()[name])
    assert loaded.model.config == checkpoint.model.config
    assert not loaded.model.training
    assert (loaded.catalogue, loaded.data) == (checkpoint.catalogue, checkpoint.data)
    assert (loaded.training, loaded.metrics) == (checkpoint.training, checkpoint.metrics)
    assert len(loaded.sha256) == 64


def edit_config(folder, **changes):
    """Other values, and the digest that fits them."""
    path = folder / "config.json"
    config = json.loads(path.read_text()) | changes
    del config["digest"]
    path.write_text(json.dumps({**config, "digest": digest_of(config)}))


def edit_model(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    edit_config(folder, model=config["model"] | changes)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda f: (f / "config.json").unlink(), "it has no config.json"),
        (lambda f: (f / "model.safetensors").unlink(), "has no model.safetensors"),
        (lambda f: (f / "items.json").unlink(), "has no items.json"),
        (lambda f: (f / "config.json").write_text("{"), "damaged"),
        (lambda f: (f / "items.json").write_text('{"keys": []}'), "sha256 differs"),
        (lambda f: edit_config(f, architecture="SASRec"), "not a GLINT-RU checkpoint"),
        (lambda f: edit_config(f, format_version=4), "format 4"),
        (lambda f: edit_config(f, format_version=[]), r"format \[\]"),
        (lambda f: (f / "config.json").write_text("[]"), "is damaged"),
        (lambda f: (f / "config.json").write_text("[" * 100_000), "nested too deep"),
        (lambda f: edit_model(f, items=2_000_000_000), "out of range"),
        (lambda f: edit_model(f, items=41), "lists 40 items, the model has 41"),
        (lambda f: edit_model(f, d=32), "does not hold this model's weights"),
        (lambda f: edit_model(f, d=65536, heads=2), "does not hold this model's weights"),
        (lambda f: edit_model(f, max_length=2**31), "out of range"),
        (lambda f: edit_config(f, metrics={"test": []}), r"\$.metrics.test is not of type object"),
        (lambda f: edit_config(f, model={"items": 0}), "incomplete"),
        (lambda f: edit_config(f, model={"items": 3, "new": 1}), "newer glint-edge"),
        (lambda f: edit_config(f, data=None), "incomplete"),
    ],
)
def test_damage_is_one_clear_line(folder, damage, says):
    damage(folder)
    with pytest.raises(CheckpointError, match=says) as caught:
        load_checkpoint(folder)
    assert "\n" not in str(caught.value)


def test_no_setting_can_be_edited_unseen(folder):
    """Two heads in place of four load the same weights, and score otherwise."""
    path = folder / "config.json"
    text = path.read_text()
    for before, after in (
        ('"heads": 4', '"heads": 2'), ('"masked"', '"reference"'), ('"seed": 7', '"seed": 8'),
        ('"ndcg_at_10": 0.5', '"ndcg_at_10": 0.9'), ('"digest"', '"digits"'),
    ):  # fmt: skip
        assert before in text
        path.write_text(text.replace(before, after))
        with pytest.raises(CheckpointError, match="digest does not match"):
            load_checkpoint(folder)


def test_wrong_types_behind_a_right_digest_are_one_line(folder):
    document = json.loads((folder / "config.json").read_text())
    refused = 0
    for changed in mutated(document, np.random.default_rng(0), 150):
        rest = {name: value for name, value in changed.items() if name != "digest"}
        (folder / "config.json").write_text(json.dumps({**rest, "digest": digest_of(rest)}))
        try:
            load_checkpoint(folder)
        except CheckpointError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 50


def test_formats_1_and_2_still_read(checkpoint, folder):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    del config["digest"]
    for version in (2, 1):
        config["format_version"] = version
        if version == 1:
            config["training"] = {
                name: value
                for name, value in config["training"].items()
                if name not in TrainConfig.BEFORE
            }
        path.write_text(json.dumps(config))
        loaded = load_checkpoint(folder)
        assert loaded.training == checkpoint.training
        assert loaded.digest == digest_of_folder(folder)


def test_a_model_of_the_paper_is_known_by_what_it_was_before_there_was_another():
    """Bundles and sessions go by it; the digest below is of a version without variants."""
    stored = {
        "items": 2, "d": 64, "heads": 4, "kernel": 3, "max_length": 200, "gated_mlp": True,
        "embedding_dropout": 0.2, "attention_dropout": 0.2, "block_dropout": 0.3,
        "norm_eps": 1e-12, "padding": "masked",
    }  # fmt: skip
    config, catalogue = ModelConfig.from_dict(stored), Catalogue(("", "a", "b"), {})
    assert config.to_dict() == stored
    paper = "45fefe7976452e6229cf2e65870a516eb66e47adf5920444cd75f01a22f3cc79"
    assert model_digest(config, "0" * 64, catalogue) == paper
    assert model_digest(replace(config, variant="edge"), "0" * 64, catalogue) != paper


def test_a_checkpoint_that_gbce_trained_still_loads(folder):
    training = json.loads((folder / "config.json").read_text())["training"]
    edit_config(folder, training={**training, **GONE_LEVERS, "temperature": 0.1, "loss": "gbce"})
    assert load_checkpoint(folder).training.loss == "cross-entropy"


def test_a_model_is_known_by_all_that_its_answers_depend_on(checkpoint, folder, tmp_path):
    first = load_checkpoint(folder)
    assert digest_of_folder(folder) == first.digest
    catalogue = replace(checkpoint.catalogue, retired=("k2",), version=2)
    save_checkpoint(replace(checkpoint, catalogue=catalogue), tmp_path / "retired")
    retired = load_checkpoint(tmp_path / "retired")
    assert retired.sha256 == first.sha256  # the weights are the same
    assert retired.digest != first.digest
    save_checkpoint(replace(checkpoint, metrics={}, training=None), tmp_path / "same")
    assert load_checkpoint(tmp_path / "same").digest == first.digest
    assert checkpoint.digest == ""


@pytest.mark.parametrize("at", [0, 100, -1])
def test_a_flipped_bit_in_the_weights_is_seen(folder, at):
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(folder)


def test_a_path_that_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "nothing"):
        with pytest.raises(CheckpointError, match="is not a checkpoint"):
            load_checkpoint(path)


def test_a_failed_write_leaves_the_old_checkpoint(checkpoint, folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr("glint_edge.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(checkpoint, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_default_checkpoint_is_small_and_says_what_it_is():
    size = sum(path.stat().st_size for path in DEFAULT_CHECKPOINT.iterdir())
    assert size < 1_000_000
    default = load_checkpoint()
    assert default.data.name == default.data.source == "ml-100k"
    assert "GroupLens" in default.data.attribution
    assert len(default.catalogue.titles) == default.model.config.items == 1682
    assert default.catalogue.titles["50"] == "Star Wars (1977)"
    assert default.training is not None
    assert default.training == TrainConfig(seed=1, neighbours=8, neighbour_rows=0)


def test_the_default_checkpoint_reaches_its_bar():
    assert load_checkpoint().metrics["test"]["ndcg_at_10"] >= 0.119


def test_the_default_checkpoint_has_the_figures_it_states(ml_100k):
    default = load_checkpoint()
    sequences = in_catalogue(ml_100k, default.catalogue)
    for name, stated in default.metrics.items():
        part, _, without = name.partition("_without_")
        neighbours = None if without else default.neighbours
        measured = evaluate(
            default.model, held_out(sequences, part), protocol="unseen", neighbours=neighbours
        )
        assert measured.to_dict() == pytest.approx(stated, abs=1e-3), name
