import json
import shutil

import pytest

from converters.export import export
from converters.options import ExportOptions
from glint_edge.bundles.bundle import load_bundle
from glint_edge.bundles.copies import copy_part
from glint_edge.bundles.golden_histories import golden_histories
from glint_edge.bundles.shown import table_of
from glint_edge.checkpoints.changes import NewItem, add_items, retire_items
from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from glint_edge.errors import BundleError, CheckpointError
from tests.bundles_changed import relist
from tests.conversions import no_conversion
from tests.small import small_bundle, tiny_neighbours

NAME = "neighbours.bin"


@pytest.fixture(scope="module")
def folder(make_model, tmp_path_factory):
    with no_conversion():
        place = tmp_path_factory.mktemp("app")
        return small_bundle(make_model(), place, neighbours=tiny_neighbours())


def test_the_checkpoint_and_the_bundle_hold_the_same_bytes(folder):
    expected = tiny_neighbours().to_bytes()
    for place in (folder, folder.parent / "run"):
        assert (place / NAME).read_bytes() == expected
    for loaded in (load_bundle(folder), load_checkpoint(folder.parent / "run")):
        assert loaded.neighbours.to_bytes() == expected


def test_the_golden_lists_are_with_the_expert_and_without(folder):
    bundle = load_bundle(folder)
    history = golden_histories(bundle.config)[0]
    first = [one for one in bundle.golden.lists if one.history == history]
    with_it = [one for one in first if one.neighbours]
    without = [one for one in first if not one.neighbours]
    assert [one.k for one in with_it] == [one.k for one in without]
    assert not any(one.neighbours for one in bundle.golden.lists if one.history != history)
    assert with_it[0].scores != without[0].scores
    gains = tiny_neighbours().bias(history, 42)[0]
    both = {**dict(zip(with_it[2].items, with_it[2].scores, strict=True))}
    for item, score in zip(without[2].items, without[2].scores, strict=True):
        if item in both:
            assert both[item] == pytest.approx(score + gains[item], abs=1e-5)


def test_a_part_of_a_bundle_has_it_and_can_do_without(folder, tmp_path):
    bundle = load_bundle(folder)
    for choice in (True, False):
        place = tmp_path / str(choice)
        place.mkdir()
        copy_part(bundle, bundle.artifacts, place, neighbours=choice)
        assert (place / NAME).is_file() == choice
        part = load_bundle(place)
        assert (part.neighbours is not None) == choice
        assert part.manifest["digest"] == bundle.manifest["digest"]
    assert "neighbours" in repr(table_of(bundle)) and "last 8 items, c 0.5, γ 30" in repr(
        table_of(bundle)
    )


def test_a_damaged_file_is_refused_by_both(folder, tmp_path):
    for name, error in (("app.glint", BundleError), ("run", CheckpointError)):
        place = tmp_path / name
        shutil.copytree(folder.parent / name, place)
        data = bytearray((place / NAME).read_bytes())
        data[-1] ^= 1
        (place / NAME).write_bytes(data)
        with pytest.raises(error, match="damaged"):
            (load_bundle if name == "app.glint" else load_checkpoint)(place)
    bundle = tmp_path / "app.glint"
    (bundle / NAME).write_bytes(tiny_neighbours(c=11.0).to_bytes())
    relist(bundle, NAME)
    with pytest.raises(BundleError, match=rf"{NAME} is damaged \(c is 11\); export the bundle"):
        load_bundle(bundle)
    (bundle / NAME).write_bytes(b"GENB\2" + tiny_neighbours().to_bytes()[5:])
    relist(bundle, NAME)
    with pytest.raises(BundleError, match=rf"{NAME} has version 2, .*; upgrade glint-edge"):
        load_bundle(bundle)


def test_a_checkpoint_without_it_says_nothing_of_it(model, folder, tmp_path):
    whole = load_checkpoint(folder.parent / "run")
    save_checkpoint(Checkpoint(model, whole.catalogue, whole.data), tmp_path / "run")
    assert load_checkpoint(tmp_path / "run").neighbours is None
    assert NAME not in json.loads((tmp_path / "run/config.json").read_text())["sha256"]


def test_items_that_come_later_have_none_and_those_that_go_keep_theirs(folder, tmp_path):
    before = load_checkpoint(folder.parent / "run")
    new = NewItem("new", before.model.embedding.weight[3].detach(), "New")
    after = retire_items(add_items(before, [new]), ["k3"])
    save_checkpoint(after, tmp_path / "run")
    options = ExportOptions(("onnx",), "none", 10, tmp_path / "app.glint", chunk=4)
    with no_conversion():
        bundle = export(
            load_checkpoint(tmp_path / "run"), options, folder=tmp_path / "run",
            check=lambda *_: [],
        )  # fmt: skip
    assert bundle.neighbours.to_bytes() == before.neighbours.to_bytes()
    assert bundle.config.items == 41
    with_it = [one for one in bundle.golden.lists if one.neighbours]
    assert with_it and not any(3 in one.items for one in with_it)
