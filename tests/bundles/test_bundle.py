import json
import shutil

import numpy as np
import pytest
import torch

from converters.export import export
from converters.options import ExportOptions, refuse_to_overwrite
from glint_edge.bundles.bundle import load_bundle, write_manifest
from glint_edge.bundles.golden import checksum, golden_of
from glint_edge.bundles.golden_histories import golden_histories
from glint_edge.bundles.shown import table_of
from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from glint_edge.checkpoints.of_bundle import find_checkpoint
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.errors import BundleError, ConfigError, MissingExtraError
from glint_edge.model.stream import empty_state, stream_program
from tests.conversions import no_conversion


@pytest.fixture(scope="session")
def checkpoint(make_model, tmp_path_factory):
    catalogue = Catalogue(("", *(f"k{n}" for n in range(1, 41))), {"k1": "Åse's film"})
    folder = tmp_path_factory.mktemp("checkpoints") / "run"
    source = DataSource("log.csv", "log.csv", attribution="By us.")
    save_checkpoint(Checkpoint(make_model(), catalogue, source), folder)
    return folder


def passed(artifacts, golden):
    return [
        {
            "target": artifact.target, "precision": artifact.precision, "ok": True, "users": 0,
            "file_bytes": file.stat().st_size, "max_score_error": None, "top10_overlap": None,
            "rank_weighted_overlap": None, "agreement": {}, "ndcg_at_10": None,
            "ndcg_at_10_float": None, "failures": [],
        }
        for artifact, file in artifacts
    ]  # fmt: skip


def make(checkpoint, out, *, quantize="int8", check=passed, chunk=25, **more):
    options = ExportOptions(("executorch",), quantize, 10, out, chunk=chunk)
    return export(load_checkpoint(checkpoint), options, folder=checkpoint, check=check, **more)


@pytest.fixture(scope="module")
def exported(checkpoint, tmp_path_factory):
    with no_conversion():
        return make(checkpoint, tmp_path_factory.mktemp("exported") / "app.glint")


@pytest.fixture
def bundle(exported, tmp_path, fake_convert):
    """A copy of one: a test may change it."""
    return load_bundle(shutil.copytree(exported.path, tmp_path / "app.glint"))


def test_a_bundle_holds_what_an_app_needs(bundle, checkpoint):
    assert {path.name for path in bundle.path.iterdir()} == {
        "manifest.json", "model.pte", "items.json", "golden.json", "README.md",
    }  # fmt: skip
    manifest = bundle.manifest
    assert manifest["name"] == "app"
    assert manifest["checkpoint"] == {"sha256": load_checkpoint(checkpoint).sha256, "path": None}
    assert find_checkpoint(bundle).folder == checkpoint
    size = manifest["state"]["shape"][1]
    assert size == empty_state(bundle.config).shape[1]
    assert sum(field["size"] for field in manifest["state"]["fields"]) == size
    assert manifest["methods"]["append"]["inputs"][1] == {
        "name": "item", "dtype": "int64", "shape": [1],
    }  # fmt: skip
    assert manifest["methods"]["recommend"]["outputs"][0]["shape"] == [1, 10]
    assert bundle.catalogue.keys[1] == "k1"
    assert bundle.catalogue.titles == {"k1": "Åse's film"}
    assert bundle.file(bundle.artifacts[0]).read_text() == "executorch int8"


def test_its_readme_names_the_real_numbers_and_leaves_nothing_open(bundle):
    readme = (bundle.path / "README.md").read_text()
    assert f"FloatArray({bundle.manifest['state']['shape'][1]})" in readme
    assert "By us." in readme
    assert "accuracy was not measured" in readme
    assert "${" not in readme.replace("$state zeros", "")


def test_golden_vectors_are_what_the_int8_stream_gives(bundle, make_model):
    from quantization import quantize

    program = quantize(stream_program(make_model(), 10))
    cases = bundle.golden.cases
    assert [case.history for case in cases] == [[], *golden_histories(bundle.config)]
    assert cases[0].items == list(range(1, 11))
    for case in cases:
        state = empty_state(bundle.config)
        for item in case.history:
            state = program.append(state, torch.tensor([item]))
        items, scores = program.recommend(state)
        assert case.items == items[0].tolist()
        assert case.scores == pytest.approx(scores[0].tolist())
        assert case.state_norm == pytest.approx(state.norm().item(), rel=1e-5)


def test_the_checksum_sees_a_change_in_one_float(make_model):
    state = np.random.default_rng(0).normal(size=(1, 100)).astype(np.float32)
    changed = state.copy()
    changed[0, 50] += 0.01
    assert checksum(state) != checksum(changed)


def test_golden_vectors_of_fp32_are_tighter(make_model, bundle):
    fp32 = golden_of(stream_program(make_model()), [[1, 2, 3], [40]], bundle.catalogue)
    assert 0 < fp32.score_error <= 1e-4


def test_the_layers_are_reported_with_their_bytes_and_errors(bundle):
    layers = {(x["method"], x["name"]): x for x in bundle.manifest["quantization"]["layers"]}
    for name in ("item.table", "item.item_in", "gru.conv_in", "gru.step_in", "gru.step_state"):
        layer = layers["append", name]
        assert layer["dtype"] == "int8"
        assert 0 < layer["error"] < 0.05
    table = layers["append", "item.table"]
    assert table["shape"] == [42, 16]
    assert table["bytes"] == 42 * 16 + 42 * 4
    assert layers["recommend", "norm"]["dtype"] == "float32"
    assert layers["recommend", "norm"]["error"] is None


def test_fp32_has_no_errors_to_report(checkpoint, tmp_path, fake_convert):
    bundle = make(checkpoint, tmp_path / "float.glint", quantize="none")
    layers = bundle.manifest["quantization"]["layers"]
    assert {layer["error"] for layer in layers} == {None}
    assert "int8" not in {layer["dtype"] for layer in layers}


@pytest.mark.parametrize("name", ["model.pte", "items.json", "golden.json", "README.md"])
@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda f: f.unlink(), "is missing"),
        (lambda f: f.write_bytes(f.read_bytes()[:-1]), "bytes, its manifest says"),
        (lambda f: f.write_bytes(bytes([f.read_bytes()[0] ^ 1]) + f.read_bytes()[1:]), "damaged"),
    ],
    ids=["missing", "truncated", "bit flipped"],
)
def test_a_damaged_file_is_one_clear_line(bundle, name, damage, says):
    damage(bundle.path / name)
    with pytest.raises(BundleError, match=says) as caught:
        load_bundle(bundle.path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_bit_of_the_manifest_can_flip_unseen(bundle):
    path = bundle.path / "manifest.json"
    whole = path.read_bytes()
    plain = json.loads(whole)
    rng = np.random.default_rng(0)
    for at, bit in zip(rng.integers(len(whole), size=300), rng.integers(8, size=300), strict=True):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << bit
        path.write_bytes(flipped)
        try:
            load_bundle(bundle.path)
        except BundleError as error:
            assert "\n" not in str(error)
        else:  # white space for white space: nothing changed
            assert json.loads(flipped) == plain


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "damaged"),
        ("[]", "damaged"),
        ("{}", "damaged"),
        ('{"schema_version": 99}', "upgrade glint-edge"),
    ],
)
def test_a_manifest_of_another_kind(bundle, text, says):
    (bundle.path / "manifest.json").write_text(text)
    with pytest.raises(BundleError, match=says):
        load_bundle(bundle.path)


def test_what_is_no_bundle(tmp_path):
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(BundleError, match="is not a bundle"):
            load_bundle(path)


@pytest.mark.parametrize("name", ["../evil", "a/b", ""])
def test_a_manifest_cannot_name_files_outside_its_folder(bundle, name):
    manifest = json.loads((bundle.path / "manifest.json").read_text())
    manifest["artifacts"][0]["file"] = name
    for field in ("schema_version", "files", "digest"):
        del manifest[field]
    with pytest.raises(Exception, match="does not match"):
        write_manifest(bundle.path, manifest)


def test_exporting_again_replaces_a_bundle_but_nothing_else(bundle, checkpoint, tmp_path):
    (bundle.path / "README.md").unlink()  # even a damaged one
    steps = []
    make(checkpoint, bundle.path, quantize="none", on_step=steps.append)
    assert steps[0] == f"{bundle.path} is there: it is replaced once the new one is whole"
    assert load_bundle(bundle.path).artifacts[0].precision == "fp32"
    (tmp_path / "photos.glint").mkdir()
    (tmp_path / "photos.glint/cat.jpg").touch()
    with pytest.raises(ConfigError, match="choose another --out"):
        refuse_to_overwrite(tmp_path / "photos.glint")


def test_the_chunk_is_the_files_and_is_told(checkpoint, tmp_path, fake_convert):
    for out, more, chunk in (("a.glint", {}, 25), ("b.glint", {"chunk": 3}, 3)):
        bundle = make(checkpoint, tmp_path / out, **more)
        assert fake_convert[-1].append_many.chunk == chunk
        assert bundle.manifest["methods"]["append_many"]["inputs"][1]["shape"] == [1, chunk]
    with pytest.raises(ConfigError, match="--chunk must be at least 1"):
        make(checkpoint, tmp_path / "c.glint", chunk=0)


def test_a_catalogue_of_one_item_is_a_bundle_too(make_model, tmp_path, fake_convert):
    """Its lists are shorter than the ten that an accuracy is measured of, which is said."""
    one = Checkpoint(make_model(items=1), Catalogue(("", "k1"), {}), DataSource("log", "log"))
    save_checkpoint(one, tmp_path / "run")
    options = ExportOptions(("executorch",), "int8", 1, tmp_path / "one.glint", chunk=25)
    bundle = export(
        load_checkpoint(tmp_path / "run"), options, folder=tmp_path / "run", check=passed
    )
    assert [case.items for case in bundle.golden.cases] == [[1]] * len(bundle.golden.cases)
    rows = {name: value for name, value in table_of(bundle).rows}
    assert rows["executorch int8"] == (
        "good; accuracy was not measured: NDCG@10 needs lists of 10 items, and these have 1"
    )


def test_a_failure_leaves_no_half_written_bundle(bundle, checkpoint, tmp_path, monkeypatch):
    def full(program, target, path, options):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("converters.export.convert", full)
    before = load_bundle(bundle.path).manifest["digest"]
    for out in (bundle.path, tmp_path / "new.glint"):
        with pytest.raises(OSError, match="No space left"):
            make(checkpoint, out)
    assert load_bundle(bundle.path).manifest["digest"] == before
    assert [path.name for path in tmp_path.iterdir()] == ["app.glint"]


def test_a_failed_check_is_in_the_manifest(checkpoint, tmp_path, fake_convert):
    def failed(artifacts, golden):
        wrong = {"ok": False, "failures": ["NDCG@10 fell"]}
        return [check | wrong for check in passed(artifacts, golden)]

    bundle = make(checkpoint, tmp_path / "bad.glint", check=failed)
    assert bundle.manifest["checks"][0]["ok"] is False
    assert "NOT GOOD: NDCG@10 fell" in (bundle.path / "README.md").read_text()


def test_the_check_sees_the_converted_file(checkpoint, tmp_path, fake_convert):
    seen = []

    def look(artifacts, golden):
        seen.extend((a.target, file.read_text(), len(golden.cases)) for a, file in artifacts)
        return passed(artifacts, golden)

    bundle = make(checkpoint, tmp_path / "app.glint", check=look)
    assert seen == [("executorch", "executorch int8", len(bundle.golden.cases))]


def test_a_bundle_can_move_with_its_checkpoint(bundle, checkpoint, tmp_path):
    shutil.copytree(bundle.path, tmp_path / "copy.glint")
    assert load_bundle(tmp_path / "copy.glint").manifest == bundle.manifest


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"target": ("coreml",)}, "choose one of c, executorch"),
        ({"quantize": "int4"}, "choose one of none, fp32, fp16"),
        ({"out": "app"}, "ends in .glint"),
        ({"top_k": 41}, "between 1 and 40"),
    ],
)
def test_impossible_options_are_refused(checkpoint, tmp_path, arguments, says):
    options = {"target": ("executorch",), "quantize": "int8", "top_k": 10, "out": "app.glint"}
    options |= arguments
    with pytest.raises(ConfigError, match=says):
        export(
            load_checkpoint(checkpoint),
            ExportOptions(**options | {"out": tmp_path / options["out"]}),
            folder=checkpoint, check=passed,
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_a_missing_toolchain_names_its_extra(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'glint-edge\[executorch\]'"):
        make(checkpoint, tmp_path / "app.glint")
