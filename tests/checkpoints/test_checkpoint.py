import json

import pytest
import torch

from glint_edge.checkpoints.checkpoint import (
    DEFAULT_CHECKPOINT,
    Checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from glint_edge.config import TrainConfig
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.data.source import held_out, in_catalogue
from glint_edge.errors import CheckpointError
from glint_edge.evaluation.ranking import evaluate


@pytest.fixture
def checkpoint(make_model):
    catalogue = Catalogue(("", *(f"k{n}" for n in range(1, 41))), {"k1": "Åse's film"})
    metrics = {"test": {"ndcg_at_10": 0.5}}
    source = DataSource("log.csv", "/somewhere/log.csv")
    return Checkpoint(make_model(), catalogue, source, TrainConfig(seed=7), metrics)


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
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda f: (f / "config.json").unlink(), "it has no config.json"),
        (lambda f: (f / "model.safetensors").unlink(), "has no model.safetensors"),
        (lambda f: (f / "items.json").unlink(), "has no items.json"),
        (lambda f: (f / "config.json").write_text("{"), "damaged"),
        (lambda f: (f / "items.json").write_text('{"keys": []}'), "sha256 differs"),
        (lambda f: edit_config(f, architecture="SASRec"), "not a GLINT-RU checkpoint"),
        (lambda f: edit_config(f, format_version=3), "format 3"),
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
    assert default.training == TrainConfig()


def test_the_default_checkpoint_reaches_its_bar():
    assert load_checkpoint().metrics["test"]["ndcg_at_10"] >= 0.058


def test_the_default_checkpoint_has_the_figures_it_states(ml_100k):
    default = load_checkpoint()
    sequences = in_catalogue(ml_100k, default.catalogue)
    for part, stated in default.metrics.items():
        measured = evaluate(default.model, held_out(sequences, part)).to_dict()
        assert measured == pytest.approx(stated, abs=1e-3), part
