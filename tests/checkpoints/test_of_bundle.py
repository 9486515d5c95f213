"""The float model that a bundle names."""

import pytest

from glint_edge.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from glint_edge.checkpoints.of_bundle import find_checkpoint
from glint_edge.errors import (
    CheckpointError,
)
from tests.device_bench.makers import (
    bundle_of,
    checkpoint_of,
)


def test_the_manifest_names_the_float_model_relative_to_the_bundle(model, tmp_path):
    folder = tmp_path / "run"
    save_checkpoint(checkpoint_of(model), folder)
    digest = load_checkpoint(folder).sha256
    bundle = bundle_of(
        model, tmp_path / "app.glint", [], None, named={"sha256": digest, "path": "../run"}
    )
    assert find_checkpoint(bundle).sha256 == digest
    assert find_checkpoint(bundle, folder).sha256 == digest


def test_a_float_model_that_is_gone_or_replaced_is_none(make_model, tmp_path, caplog):
    named = {"sha256": "0" * 64, "path": "run"}
    bundle = bundle_of(make_model(), tmp_path, [], None, named=named)
    assert find_checkpoint(bundle) is None
    assert "is not at hand" in caplog.text
    save_checkpoint(checkpoint_of(make_model(seed=1)), tmp_path / "run")
    assert find_checkpoint(bundle) is None
    assert "any more" in caplog.text


def test_a_given_float_model_must_be_the_one(make_model, tmp_path):
    bundle = bundle_of(make_model(), tmp_path, [], None)
    save_checkpoint(checkpoint_of(make_model(seed=1)), tmp_path / "other")
    with pytest.raises(CheckpointError, match="is not the model that") as error:
        find_checkpoint(bundle, tmp_path / "other")
    assert "\n" not in str(error.value)
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        find_checkpoint(bundle, tmp_path / "nothing")
