"""`glint-edge export`."""

from dataclasses import replace
from pathlib import Path

import pytest

from glint_edge.bundles.bundle import load_bundle
from glint_edge.checkpoints.checkpoint import load_checkpoint
from glint_edge.errors import ConfigError
from tests.cli.streams import only_line
from tests.skips import require


def test_export_writes_a_bundle_that_loads(bundle):
    loaded = load_bundle(bundle)
    check = loaded.manifest["checks"][0]
    assert check["users"] == 30
    assert check["top10_overlap"] > 0.8
    assert loaded.artifacts[0].precision == "int8"


@pytest.mark.parametrize(
    ("data", "name"), [("ml-100k", "ml-100k.glint"), ("a/taps.csv", "taps.glint")]
)
def test_a_bundle_is_named_after_the_data(trained, run, tmp_path, monkeypatch, data, name):
    seen = []

    def stop(checkpoint, options, **_):
        seen.append(options.out)
        raise ConfigError("enough")

    loaded = load_checkpoint(trained)
    source = replace(loaded.data, name=Path(data).name, source="gone")
    monkeypatch.setattr("converters.export.export", stop)
    monkeypatch.setattr(
        "glint_edge.checkpoints.checkpoint.load_checkpoint",
        lambda path: replace(loaded, data=source),
    )
    monkeypatch.chdir(tmp_path)
    assert run("export", "--offline")[0] == 2
    assert seen == [Path(name)]


def test_a_missing_extra_is_one_line(trained, run, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, err = run("export", trained, "--out", tmp_path / "x.glint")
    assert code == 2
    assert "pip install 'glint-edge[executorch]'" in only_line(err)
    code, out, _ = run("doctor")
    assert "no" in out


def test_quantization_aware_training_says_what_it_won(export_onnx):
    require("torchao", "qat")
    bundle, err = export_onnx("--quantize", "int8-qat")
    assert "validation NDCG@10: float" in err
    won = bundle.manifest["quantization"]["fine_tuning"]
    assert won["ndcg_after"] >= won["ndcg_before"]
    assert bundle.artifacts[0].precision == "int8"


def test_a_bundle_has_the_name_and_window_that_were_asked_for(export_onnx):
    bundle, _ = export_onnx("--quantize", "none", "--name", "shop", "--window", "unbounded",
                            "--opset", "20")  # fmt: skip
    assert bundle.name == "shop"
    assert bundle.window is None
    assert "keep all" in (bundle.path / "README.md").read_text()
    import onnx

    model = onnx.load(bundle.file(bundle.artifacts[0]))
    assert model.opset_import[0].version == 20
    assert {p.key: p.value for p in model.metadata_props}["name"] == "shop"


def test_an_opset_out_of_range_is_one_line_and_leaves_nothing(trained, run, tmp_path):
    require("onnxscript", "onnx")
    code, _, err = run("export", trained, "--target", "onnx", "--opset", "7", "--quantize", "none",
                       "--out", tmp_path / "x.glint")  # fmt: skip
    assert code == 2
    assert "choose one from 18" in only_line(err)
    assert not list(tmp_path.iterdir())


def test_names_are_taken_as_people_type_them(export_onnx):
    bundle, _ = export_onnx("--target", "ORT,Onnx", "--quantize", "fp32")
    assert [(a.target, a.precision) for a in bundle.artifacts] == [("onnx", "fp32")]


def test_the_log_of_the_checks_is_read_as_the_flags_say(trained, taps, run, tmp_path):
    pytest.importorskip("onnxscript", reason="needs glint-edge[onnx]")
    log = tmp_path / "other.csv"
    log.write_text(taps.read_text().replace("user,item,time", "who,what,when", 1))
    words = ("export", trained, "--target", "onnx", "--out", tmp_path / "x.glint", "--data", log)
    code, _, err = run(*words)
    assert code == 2
    assert "column" in only_line(err)
    code, _, err = run(*words, "--user-column", "who", "--item-column", "what")
    assert code in (0, 1), err
    assert load_bundle(tmp_path / "x.glint").manifest["checks"][0]["users"] == 30
