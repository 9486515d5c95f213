"""Items added and retired after training, in a checkpoint and in the files of a bundle."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from converters import convert
from converters.catalogue import change
from converters.catalogue.rewrite import rewrite
from converters.catalogue.update import options_of, spare_after
from converters.export import FineTuned, write_bundle
from converters.options import ExportOptions
from converters.targets import find_target, targets
from glint_edge.bundles.bundle import Artifact, load_bundle
from glint_edge.checkpoints.changes import NewItem, add_items, retire_items
from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from glint_edge.checkpoints.near_items import items_of_log, mean_of, read_rows
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.log import load_log
from glint_edge.data.record import DataSource
from glint_edge.errors import (
    CheckpointError,
    ConfigError,
    ConversionError,
    DataError,
    UnknownItemError,
)
from glint_edge.model.stream import empty_state, stream_program
from glint_edge.runtime import Recommender
from glint_edge.runtime.engines import find_engine
from quantization import quantize
from tests.conversions import converted
from tests.converters.programs import extreme_model, extreme_program
from tests.skips import require

HISTORIES = [[1, 2, 3], [40], [5, 5, 0, 7], list(range(1, 41)), [41, 3], [7, 7, 7]]


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


def lists(program, history):
    state = empty_state(program.config)
    for item in history:
        state = program.append(state, torch.tensor([item]))
    items, scores = program.recommend(state)
    return items[0].tolist(), scores[0]


# ---- the float model ----------------------------------------------------------------------------


def test_ids_stay_and_new_items_come_last(trained, changed):
    assert changed.catalogue.keys == (*trained.catalogue.keys, "new")
    assert changed.catalogue.titles == {"k1": "One", "new": "A new one"}
    assert (changed.catalogue.added, changed.catalogue.version) == (1, 3)
    old, new = trained.model.embedding.weight, changed.model.embedding.weight
    assert torch.equal(new[:-1], old)
    direction = torch.cosine_similarity(new[-1], old[[2, 3]].mean(dim=0), dim=0)
    assert direction.item() == pytest.approx(1.0, abs=1e-6)
    assert new[-1].norm().item() == pytest.approx(0.8 * old[[2, 3]].norm(dim=1).mean().item())
    assert trained.model.config.items == 40 and not trained.model.retired
    # Figures of another catalogue are nobody's.
    assert changed.metrics == {}


def test_a_mean_may_be_left_as_it_comes_out(trained):
    rows = trained.model.embedding.weight
    assert torch.equal(mean_of(trained, ["k2", "k3"], 0.0), rows[[2, 3]].mean(dim=0))


def test_a_retired_item_serves_histories_and_is_in_no_list(trained, changed):
    items, lengths = torch.tensor([[7, 1, 7, 3]]), torch.tensor([4])
    before, after = (each.model.score(items, lengths) for each in (trained, changed))
    stays = [n for n in range(1, 41) if n not in (1, 7)]
    assert torch.equal(after[:, stays], before[:, stays])
    assert torch.isinf(after[:, [0, 1, 7]]).all()


def test_a_changed_checkpoint_is_stored_and_read_again(changed, tmp_path):
    save_checkpoint(changed, tmp_path / "run")
    again = load_checkpoint(tmp_path / "run")
    assert again.catalogue == changed.catalogue
    assert again.model.retired == (7, 1)
    assert torch.equal(again.model.embedding.weight, changed.model.embedding.weight)
    assert add_items(again, [NewItem("x", torch.ones(16))]).model.retired == (7, 1)


def test_a_retired_item_that_is_not_there_is_a_damaged_checkpoint(changed, tmp_path):
    broken = replace(changed, catalogue=replace(changed.catalogue, retired=("nobody",)))
    save_checkpoint(broken, tmp_path / "run")
    with pytest.raises(CheckpointError, match="nobody"):
        load_checkpoint(tmp_path / "run")


ROW = torch.ones(16)


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ([], "no item was named"),
        ([NewItem("", ROW)], "key is empty"),
        ([NewItem("k3", ROW)], "'k3' is in the catalogue already;"),
        ([NewItem("k7", ROW)], "'k7' is in the catalogue already, and retired"),
        ([NewItem("x", ROW), NewItem("x", ROW)], "'x' is in the catalogue already"),
        ([NewItem("x", torch.ones(15))], "vector of 15 numbers, the model's have 16"),
        ([NewItem("x", ROW * torch.nan)], "not finite"),
        ([NewItem("x", ROW * torch.inf)], "not finite"),
        ([NewItem("x", ROW * 0)], "all zeros"),
    ],
)
def test_what_cannot_be_added(changed, items, says):
    with pytest.raises(ConfigError, match=says):
        add_items(changed, items)


@pytest.mark.parametrize(
    ("keys", "least", "error", "says"),
    [
        ([], 1, ConfigError, "no item was named"),
        (["nobody"], 1, UnknownItemError, "'nobody' is not in the catalogue"),
        (["k7"], 1, ConfigError, "retired already"),
        (["k3", "k3"], 1, ConfigError, "retired already"),
        (["new"], 39, ConfigError, "38 items would stay on offer, and a list holds 39"),
        ([*(f"k{n}" for n in range(2, 41) if n != 7), "new"], 1, ConfigError, "0 items would stay"),
    ],
)
def test_what_cannot_be_retired(changed, keys, least, error, says):
    with pytest.raises(error, match=says):
        retire_items(changed, keys, least=least)


# ---- from a log ---------------------------------------------------------------------------------


def test_new_items_of_a_log_are_the_mean_of_what_stands_near_them(trained, tmp_path):
    path = tmp_path / "new.txt"
    # Two places are near: a has k1 k2 before and k3 after it, and k2 once more; b knows nobody.
    path.write_text("u1 k9 k1 k2 a k3\nu2 a k2\nu3 b c\n")
    log = load_log(path, min_length=2).whole
    found, left_out = items_of_log(trained, log, within=2, strength=0.0)
    assert [item.key for item in found] == ["a"]
    assert sorted(left_out) == ["b", "c"]
    rows = trained.model.embedding.weight.detach()
    torch.testing.assert_close(found[0].row, rows[[1, 2, 2, 3]].mean(dim=0))
    near = items_of_log(trained, log, within=1, strength=1.0)[0][0].row
    mean = rows[[2, 2, 3]].mean(dim=0)
    torch.testing.assert_close(near, mean / mean.norm() * rows[[2, 2, 3]].norm(dim=1).mean())


@pytest.mark.parametrize(
    ("text", "says"),
    [("u k1 k2 k3\n", "every item .* already"), ("u a b c\n", "no new item .* known one")],
)
def test_a_log_that_brings_nothing(trained, tmp_path, text, says):
    path = tmp_path / "log.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=says):
        items_of_log(trained, load_log(path, min_length=2).whole)


@pytest.mark.parametrize("content", [np.array(["a"]), np.ones((1, 1, 16)), None])
def test_a_file_of_rows_that_is_none(tmp_path, content):
    path = tmp_path / "rows.npy"
    if content is None:
        path.write_bytes(b"no")
    else:
        np.save(path, content)
    with pytest.raises(DataError, match=r"rows\.npy"):
        read_rows(path)


# ---- the stream ---------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8-table", "int8"])
def test_spare_rows_change_no_list(make_model, precision):
    model = make_model()
    fixed = quantize(stream_program(model), precision)
    roomy = quantize(stream_program(model, spare_items=5), precision)
    for history in [[], *HISTORIES, [44], [45], [46], [10**9]]:
        items, scores = lists(fixed, history)
        again, scores_again = lists(roomy, history)
        assert again == items
        torch.testing.assert_close(scores_again, scores, rtol=0, atol=1e-5)


def test_the_stream_recommends_as_the_changed_model_does(changed):
    program = stream_program(changed.model, top_k=39, spare_items=3)
    assert set(lists(program, [])[0]) == set(range(1, 42)) - {1, 7}
    assert lists(program, [])[0] == [n for n in range(1, 42) if n not in (1, 7)]
    for history in ([41, 7], [1, 2, 3], [7]):
        items, scores = lists(program, history)
        wanted = changed.model.score(torch.tensor([history]), torch.tensor([len(history)]))
        torch.testing.assert_close(scores, wanted[0, items], rtol=1e-4, atol=1e-4)
        assert set(items) == set(range(1, 42)) - {1, 7}


def test_a_list_cannot_be_longer_than_what_is_on_offer(changed):
    with pytest.raises(ConfigError, match="between 1 and 39"):
        stream_program(changed.model, top_k=40)


# ---- the files ----------------------------------------------------------------------------------


def programs(trained, changed, precision):
    before = stream_program(trained.model, 10, spare_items=4)
    after = stream_program(changed.model, 10, spare_items=3)
    return quantize(before, precision), quantize(after, precision)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8-table", "int8"])
def test_an_onnx_file_written_over_is_the_one_converted_again(
    trained, changed, precision, tmp_path
):
    require("onnxscript", "onnx")
    before, after = programs(trained, changed, precision)
    target = find_target("onnx")
    for name, program in (("before", before), ("after", after)):
        convert(program, target, tmp_path / f"{name}.onnx")
    old = (tmp_path / "before.onnx").read_bytes()
    new = (tmp_path / "after.onnx").read_bytes()
    assert old != new
    assert rewrite(old, before, after) == new
    assert rewrite(new, after, before) == old


@pytest.mark.slow
@pytest.mark.parametrize("target", ["tflite", pytest.param("executorch", marks=pytest.mark.full)])
def test_a_file_written_over_recommends_as_the_changed_program(trained, target, tmp_path):
    try:
        converter = find_target(target)
    except Exception as error:
        pytest.skip(str(error))
    # Of a model that is converted anyway, in the converters' own tests.
    extreme = replace(trained, model=extreme_model())
    changed = retire_items(add_items(extreme, [NewItem("new", torch.ones(64))]), ["k7", "k1"])
    before, after = extreme_program(extreme.model, 4), extreme_program(changed.model, 3)
    path = tmp_path / f"model{converter.suffix}"
    path.write_bytes(rewrite(converted(before, target).read_bytes(), before, after))
    runtime = find_engine(target).load(path, changed.model.config, 39, 1)
    for history in [[], *HISTORIES]:
        state = runtime.empty_state()
        for item in history:
            state = runtime.append(state, item)
        items, scores = (runtime.to_numpy(x)[0] for x in runtime.recommend(state))
        wanted, wanted_scores = lists(after, history)
        # The whole offer is in the list, so it is the order that may differ, by rounding alone.
        assert set(items.tolist()) == set(wanted)
        by_item = dict(zip(wanted, wanted_scores.tolist(), strict=True))
        largest = max(map(abs, by_item.values()))
        for item, score in zip(items.tolist(), scores.tolist(), strict=True):
            assert score == pytest.approx(by_item[item], abs=0.03 * largest)
        if not history:
            assert items.tolist() == wanted


def test_a_file_of_other_weights_is_refused(trained, changed, make_model):
    before, after = programs(trained, changed, "int8")
    with pytest.raises(ConversionError, match=r"item rows .* convert again"):
        rewrite(b"no such rows", before, after)
    with pytest.raises(ConversionError, match="rows, the file has"):
        rewrite(b"", before, quantize(stream_program(changed.model, spare_items=9)))
    with pytest.raises(ConversionError, match="fixed"):
        rewrite(b"", quantize(stream_program(trained.model)), after)


# ---- the command --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def folder(trained, tmp_path_factory):
    require("onnxscript", "onnx")
    folder = tmp_path_factory.mktemp("catalogue") / "run"
    save_checkpoint(trained, folder)
    return folder


def passed(artifacts, *_, **__):
    """What is tested is what is written; that `check_artifacts` finds faults is test_bench's."""
    return [
        {
            "target": artifact.target, "precision": artifact.precision, "ok": True, "users": 0,
            "max_score_error": None, "top10_overlap": None, "ndcg_at_10": None,
            "ndcg_at_10_float": None, "failures": [],
        }
        for artifact, _ in artifacts
    ]  # fmt: skip


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


def a_bundle(folder, out, spare=None, names=("onnx",), **more):
    """A bundle whose files are none: what is tested is what happens before they are read."""
    artifacts = [
        Artifact(target, "int8", f"model.{target}", targets()[target].runtime) for target in names
    ]
    options = ExportOptions(names, "int8", 10, out, spare_items=spare, chunk=7)
    write_bundle(
        load_checkpoint(folder), options, artifacts,
        lambda program, artifact, file: file.write_bytes(b"converted"),
        folder=folder, histories=HISTORIES[:2], check=passed, **more,
    )  # fmt: skip
    return out


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
