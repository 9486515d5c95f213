"""The float model that a bundle names."""

from dataclasses import replace

import pytest

from glint_edge.bundles.manifest import digest_of
from glint_edge.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from glint_edge.checkpoints.of_bundle import find_checkpoint, remember_checkpoint
from glint_edge.errors import CheckpointError
from glint_edge.files import cache_folder, write_atomic
from tests.device_bench.makers import bundle_of, checkpoint_of


def test_the_manifest_names_the_float_model_relative_to_the_bundle(model, tmp_path):
    folder = tmp_path / "run"
    save_checkpoint(checkpoint_of(model), folder)
    digest = load_checkpoint(folder).sha256
    bundle = bundle_of(
        model, tmp_path / "app.glint", [], None, named={"sha256": digest, "path": "../run"}
    )
    assert find_checkpoint(bundle).sha256 == digest
    assert find_checkpoint(bundle, folder).sha256 == digest


def test_the_float_model_of_a_bundle_is_remembered_here_and_not_in_the_bundle(model, tmp_path):
    for name, retired in (("run", ("k17",)), ("retired", ("k3",))):
        checkpoint = checkpoint_of(model)
        catalogue = replace(checkpoint.catalogue, retired=retired, version=2)
        save_checkpoint(replace(checkpoint, catalogue=catalogue), tmp_path / name)
    folders = [tmp_path / "run", tmp_path / "retired"]
    loaded = [load_checkpoint(folder) for folder in folders]
    assert loaded[0].sha256 == loaded[1].sha256
    named = {"sha256": loaded[0].sha256, "path": None}
    bundle = bundle_of(model, tmp_path / "app.glint", [], None, named=named)
    bundles = [replace(bundle, catalogue=each.catalogue) for each in loaded]
    assert find_checkpoint(bundles[0]) is None  # not yet
    for each, folder in zip(loaded, folders, strict=True):
        remember_checkpoint(each, folder)
    assert [find_checkpoint(each).folder for each in bundles] == folders
    with pytest.raises(CheckpointError, match="its catalogue differ"):
        find_checkpoint(bundles[1], folders[0])


def test_other_titles_are_the_same_model_and_notes_of_before_are_still_found(model, tmp_path):
    checkpoint = checkpoint_of(model)
    catalogue = replace(checkpoint.catalogue, retired=("k23",), version=2)
    save_checkpoint(replace(checkpoint, catalogue=catalogue), tmp_path / "run")
    loaded = load_checkpoint(tmp_path / "run")
    named = {"sha256": loaded.sha256, "path": None}
    bundle = replace(
        bundle_of(model, tmp_path / "app.glint", [], None, named=named),
        catalogue=loaded.catalogue,
    )
    # As a note was called when titles were part of what a model is.
    of_before = digest_of(
        {"architecture": "GLINT-RU", "model": model.config.to_dict(), "weights": loaded.sha256,
         "items": loaded.catalogue.to_dict()}
    )  # fmt: skip
    assert find_checkpoint(bundle) is None
    write_atomic(cache_folder() / "checkpoints" / of_before, f"{tmp_path / 'run'}\n".encode())
    assert find_checkpoint(bundle).folder == tmp_path / "run"
    remember_checkpoint(loaded, tmp_path / "run")
    titled = replace(bundle.catalogue, titles={"k1": "Other"}, images={"k1": "https://a"})
    assert find_checkpoint(replace(bundle, catalogue=titled)).folder == tmp_path / "run"


def test_a_cache_that_cannot_be_written_stops_nothing(model, tmp_path, monkeypatch):
    save_checkpoint(checkpoint_of(model), tmp_path / "run")
    (tmp_path / "file").touch()
    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path / "file"))
    remember_checkpoint(load_checkpoint(tmp_path / "run"), tmp_path / "run")


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
