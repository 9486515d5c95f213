"""A bundle whose catalogue changes: the command, what it writes, and what it refuses."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from converters.catalogue import change
from converters.catalogue.update import options_of, spare_after
from converters.export import FineTuned
from glint_edge.bundles.bundle import load_bundle
from glint_edge.checkpoints.changes import NewItem, add_items
from glint_edge.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from glint_edge.runtime import Recommender
from glint_edge.runtime.engines import find_engine
from tests.checkpoints.changed import HISTORIES, ROW, a_bundle, passed
from tests.skips import require


@pytest.fixture(scope="session")
def folder(trained, tmp_path_factory):
    require("onnxscript", "onnx")
    folder = tmp_path_factory.mktemp("catalogue") / "run"
    save_checkpoint(trained, folder)
    return folder


@pytest.fixture
def quick_checks(monkeypatch):
    monkeypatch.setattr("device_bench.bench.check_artifacts", passed)


def files_of(path):
    return {file.name: file.read_bytes() for file in path.iterdir()}


@pytest.mark.parametrize("quantize_as", ["none", "int8"])
def test_an_updated_bundle_is_what_the_updated_checkpoint_exports_to(
    folder, tmp_path, run, quick_checks, quantize_as
):
    app = tmp_path / "app.glint"
    asked = ("--target", "onnx,c", "--quantize", quantize_as, "--top-k", 10, "--offline")
    assert run("export", folder, *asked, "--spare-items", 2, "--out", app)[0] == 0
    untouched = files_of(app)
    code, out, err = run("catalogue", "add", app, "--item", "new", "--like", "k2,k3", "--json")
    assert code == 0, err
    values = json.loads(out)
    assert (values["version"], values["spare"], values["converted"]) == (2, 1, False)
    second = tmp_path / "app.v2.glint"
    code, _, err = run("catalogue", "retire", second, "--item", "k7", "--item", "k1", "--json")
    assert code == 0, err
    third = load_bundle(tmp_path / "app.v3.glint")
    assert files_of(app) == untouched

    again = tmp_path / "again.glint"
    checkpoint = tmp_path / "app.v3.checkpoint"
    code, _, err = run(
        "export", checkpoint, *asked, "--spare-items", 1, "--out", again, "--name", "app"
    )
    assert code == 0, err
    ours, theirs = files_of(third.path), files_of(again)
    for name in ("model.onnx", "model.glnt", "golden.json", "items.json"):
        assert ours[name] == theirs[name], name
    # ONNX Runtime writes the same .ort in another order each time.
    engine = find_engine("onnx")
    forms = [
        engine.load(path, third.config, 10, 1)
        for path in (third.path / "model.ort", again / "model.onnx")
    ]
    for history in HISTORIES:
        ort, onnx = (x.recommend(x.append_many(x.empty_state(), history)) for x in forms)
        np.testing.assert_array_equal(ort[0], onnx[0])
        np.testing.assert_allclose(ort[1], onnx[1], rtol=1e-5)
    catalogue = third.manifest["catalogue"]
    assert (catalogue["added"], catalogue["retired"], catalogue["spare"]) == (1, 2, 1)
    assert catalogue["order"].endswith("then the items added since, oldest first")
    assert third.manifest["model"]["items"] == 41
    assert third.manifest["checkpoint"]["sha256"] == load_checkpoint(checkpoint).sha256
    for part in ("quantization", "methods", "state", "model", "catalogue"):
        assert third.manifest[part] == load_bundle(again).manifest[part]
    # A checkpoint changed by the same commands is the same one.
    code, _, err = run("catalogue", "add", folder, "--item", "new", "--like", "k2,k3", "--out",
                       tmp_path / "run")  # fmt: skip
    assert code == 0, err
    code, _, err = run("catalogue", "retire", tmp_path / "run", "--item", "k7", "--item", "k1")
    assert code == 0, err
    assert files_of(tmp_path / "run.v3") == files_of(checkpoint)


def test_a_bundle_is_made_again_for_its_own_targets(folder, tmp_path):
    bundle = load_bundle(a_bundle(folder, tmp_path / "app.glint", names=("tflite", "onnx")))
    again = options_of(bundle, tmp_path / "again.glint", 0)
    assert sorted(again.target) == ["onnx", "tflite"]
    assert (again.quantize, again.top_k, again.chunk) == ("int8", 10, 7)


@pytest.fixture
def fixed(folder, tmp_path, quick_checks, fake_convert):
    """Such a bundle, and the programs that were converted since."""
    return a_bundle(folder, tmp_path / "fixed.glint"), fake_convert


@pytest.fixture(scope="module")
def unchanged(folder, tmp_path_factory):
    """Such a bundle, for requests that are refused."""
    return a_bundle(folder, tmp_path_factory.mktemp("unchanged") / "app.glint")


def test_without_spare_rows_it_converts_again_and_keeps_some(fixed, run, tmp_path):
    path, converted = fixed
    code, out, err = run("catalogue", "retire", path, "--item", "k7", "--json")
    assert code == 0, err
    assert "converting again" in err
    values = json.loads(out)
    assert (values["converted"], values["spare"]) == (True, 100)
    assert [program.spare_items for program in converted] == [100]


def test_more_items_than_spare_rows_convert_again(trained, folder, tmp_path):
    bundle = load_bundle(a_bundle(folder, tmp_path / "app.glint", spare=1))
    one, two = (
        add_items(trained, [NewItem(f"new {n}", ROW) for n in range(count)]) for count in (1, 2)
    )
    assert spare_after(bundle, one) == 0
    assert spare_after(bundle, two) is None


def test_a_file_that_is_not_what_the_model_says_is_one_line(folder, run, tmp_path, quick_checks):
    path = a_bundle(folder, tmp_path / "app.glint", spare=1)
    code, _, err = run("catalogue", "retire", path, "--item", "k7")
    assert code == 2
    assert "error: the item rows of the model are not in the file" in err
    assert [each.name for each in tmp_path.iterdir()] == ["app.glint"]


def test_fine_tuned_weights_are_in_no_checkpoint(trained, folder, run, tmp_path, quick_checks):
    tuned = FineTuned(trained.model, {"epochs": 3})
    path = a_bundle(folder, tmp_path / "app.glint", spare=1, fine_tuned=tuned)
    code, _, err = run("catalogue", "retire", path, "--item", "k7")
    assert code == 2
    assert "was fine-tuned (int8-qat)" in err
    assert [each.name for each in tmp_path.iterdir()] == ["app.glint"]


def test_a_failure_leaves_nothing_behind(fixed, run, tmp_path, monkeypatch):
    path, _ = fixed
    before = sorted(each.name for each in tmp_path.iterdir())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("converters.export.write_manifest", full)
    code, _, err = run("catalogue", "retire", path, "--item", "k7")
    assert code == 2
    assert "No space left" in err
    assert sorted(each.name for each in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("add", "--item", "x"), "one of --like, --vector and --log"),
        (("add", "--like", "k1"), "pass --item KEY"),
        (("add", "--item", "x", "--like", ","), "say what the new items are like"),
        (("add", "--item", "x", "--like", "nobody"), "'nobody' is not in the catalogue"),
        (("add", "--item", "x", "--item", "y", "--like", "k1"), "tells of one item"),
        (("add", "--item", "k1", "--like", "k2"), "'k1' is in the catalogue already"),
        (("add", "--item", "x", "--like", "k2", "--strength", "9"), "--strength must be"),
        (("add", "--item", "x", "--like", "k2", "--title", "a", "--title", "b"), "2 titles for 1"),
        (("add", "--item", "x", "--vector", "none.npy"), "none.npy"),
        (("add", "--item", "x", "--log", "log.csv"), "leave out --item"),
        (("retire",), "pass --item KEY"),
        (("retire", "--item", "nobody"), "'nobody' is not in the catalogue"),
        (("retire", "--item", "k1", "--item", "k1"), "retired already"),
        (("retire", *(x for n in range(1, 32) for x in ("--item", f"k{n}"))),
         "9 items would stay on offer, and a list holds 10"),
    ],
)  # fmt: skip
def test_a_bad_request_is_one_line(unchanged, run, words, says):
    folder = unchanged.parent
    before = sorted(each.name for each in folder.iterdir())
    code, out, err = run("catalogue", words[0], unchanged, *words[1:])
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.strip().splitlines()) == 1
    assert sorted(each.name for each in folder.iterdir()) == before


def test_what_stands_in_the_way_is_not_written_over(fixed, run, tmp_path):
    path, _ = fixed
    retire = ("catalogue", "retire", path, "--item", "k7")
    assert run(*retire)[0] == 0
    code, _, err = run(*retire)
    assert code == 2
    assert "fixed.v2.glint exists" in err
    (tmp_path / "mine.v2.checkpoint").mkdir()
    code, _, err = run(*retire, "--out", tmp_path / "mine.glint")
    assert code == 2
    assert "mine.v2.checkpoint exists and is no checkpoint" in err


def test_a_checkpoint_that_is_there_is_never_replaced(fixed, run, tmp_path):
    path, _ = fixed
    out = tmp_path / "mine.glint"
    folders = []
    for item in ("k7", "k8", "k8"):
        code, said, err = run("catalogue", "retire", path, "--item", item, "--out", out, "--json")
        assert code == 0, err
        folders.append(Path(json.loads(said)["checkpoint"]).name)
    assert folders == ["mine.v2.checkpoint", *["mine.v2-2.checkpoint"] * 2]
    retired = [load_checkpoint(tmp_path / name).catalogue.retired for name in folders]
    assert [set(each) for each in retired] == [{"k7"}, {"k8"}, {"k8"}]


def test_a_kill_between_the_renames_leaves_no_bundle_without_its_checkpoint(
    fixed, run, tmp_path, monkeypatch
):
    path, _ = fixed
    before = {each.name for each in tmp_path.iterdir()}
    whole, seen = change.put, []

    def shown():
        return {each.name for each in tmp_path.iterdir() if each.name[0] != "."} - before

    def put(*words):
        seen.append(shown())
        whole(*words)

    monkeypatch.setattr(change, "put", put)
    retire = ("catalogue", "retire", path, "--item", "k7")
    assert run(*retire)[0] == 0
    assert seen == [set(), {"fixed.v2.checkpoint"}]
    shutil.rmtree(tmp_path / "fixed.v2.glint")  # as a kill before the last rename leaves it
    assert run(*retire)[0] == 0
    assert shown() == {"fixed.v2.checkpoint", "fixed.v2.glint"}


def test_a_bundle_that_came_meanwhile_is_not_replaced(fixed, run, tmp_path, monkeypatch):
    path, _ = fixed
    whole = change.load_checkpoint

    def load(*words):
        (tmp_path / "fixed.v2.glint").mkdir()
        (tmp_path / "fixed.v2.glint" / "another").touch()
        return whole(*words)

    monkeypatch.setattr(change, "load_checkpoint", load)
    code, _, err = run("catalogue", "retire", path, "--item", "k7")
    assert code == 2
    assert "another process wrote" in err
    assert [each.name for each in (tmp_path / "fixed.v2.glint").iterdir()] == ["another"]
    assert not (tmp_path / "fixed.v2.checkpoint").exists()


def test_without_the_float_model_it_says_what_to_pass(fixed, run, folder, tmp_path, monkeypatch):
    path, _ = fixed
    moved = tmp_path / "elsewhere" / "app.glint"
    moved.parent.mkdir()
    path.rename(moved)
    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path / "another machine"))
    code, _, err = run("catalogue", "retire", moved, "--item", "k7")
    assert code == 2
    assert "pass its folder by --checkpoint" in err
    assert run("catalogue", "retire", moved, "--item", "k7", "--checkpoint", folder)[0] == 0


def test_lists_longer_than_what_stays_are_cut(folder, tmp_path, run, quick_checks):
    """Without `--top-k` a small catalogue's list is all of it."""
    app = tmp_path / "app.glint"
    asked = ("--target", "onnx", "--quantize", "none", "--spare-items", 2, "--offline")
    assert run("export", folder, *asked, "--out", app)[0] == 0
    assert load_bundle(app).top_k == 40
    code, out, err = run("catalogue", "retire", app, "--item", "k7", "--json")
    assert code == 0, err
    assert json.loads(out)["converted"]
    changed = Recommender.load(tmp_path / "app.v2.glint")
    assert changed.bundle.top_k == 39
    assert "k7" not in {one.key for one in changed.recommend(["k1"], None)}
