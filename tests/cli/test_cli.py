"""The command line as a user meets it: run in process, through `main`, exit codes and streams."""

import json
import re
import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from glint_edge.bundles.bundle import load_bundle
from glint_edge.checkpoints.checkpoint import DEFAULT_CHECKPOINT, load_checkpoint
from glint_edge.cli import app as cli
from glint_edge.errors import ConfigError
from glint_edge.model.stream import stream_program

ROOT = Path(__file__).parents[2]
SUBCOMMANDS = {
    "bench": ("diff", "report", "scale"),
    "catalogue": ("add", "retire"),
    "device": ("list", "setup", "check"),
}


@pytest.fixture(scope="module")
def taps(tmp_path_factory):
    """30 users on 25 items, with titles nowhere."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("log") / "taps.csv"
    rows = ["user,item,time"]
    for user in range(30):
        walk = (rng.integers(25) + np.arange(rng.integers(6, 20))) % 25
        rows += [f"u{user},i{item},{time}" for time, item in enumerate(walk)]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def trained(taps, tmp_path_factory):
    """A small checkpoint, trained by the command line."""
    out = tmp_path_factory.mktemp("runs") / "taps"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", [
            "glint-edge", "train", "--data", str(taps), "--out", str(out), "--d", "16",
            "--max-length", "12", "--epochs", "3", "--batch-positions", "64",
            "--learning-rate", "0.01", "--threads", "1", "--json",
        ])  # fmt: skip
        with pytest.raises(SystemExit, match="0"):
            cli.main()
    return out


@pytest.fixture(scope="module")
def bundle(trained, tmp_path_factory):
    """The trained checkpoint as an int8 bundle, made by the command line."""
    out = tmp_path_factory.mktemp("bundles") / "taps.glint"
    with pytest.MonkeyPatch.context() as patch:
        # Small chunks: each step of a chunk adds a second to a conversion.
        patch.setattr("converters.export.stream_program", partial(stream_program, chunk=4))
        patch.setenv("GLINT_EDGE_CACHE", str(out.parent / "cache"))
        patch.setattr("sys.argv", ["glint-edge", "export", str(trained), "--out", str(out)])
        with pytest.raises(SystemExit) as end:
            cli.main()
    assert end.value.code in (0, None, 1)  # so small a model may miss the accuracy bar
    return out


def only_line(err):
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]


# ---- train and evaluate -------------------------------------------------------------------------


def test_train_prints_json_and_says_what_it_read(taps, run, tmp_path):
    code, out, err = run(
        "train", "--data", taps, "--out", tmp_path / "run", "--d", 8, "--heads", 2, "--epochs", 2,
        "--batch-positions", 64, "--json",
    )  # fmt: skip
    assert code == 0, err
    assert set(json.loads(out)["test"]) == {"recall_at_10", "mrr_at_10", "ndcg_at_10", "users"}
    assert "30 users, 25 items" in err
    assert re.search(r"epoch 1/2: loss \d\.\d+, validation NDCG@10 0\.\d{4}", err)
    assert load_checkpoint(tmp_path / "run").model.config.d == 8


def test_evaluate_prints_exactly_what_scripts_rely_on(trained, run):
    code, out, _ = run("evaluate", trained, "--json")
    figures = json.loads(out)
    assert code == 0
    own = ["recall_at_10", "mrr_at_10", "ndcg_at_10", "users"]
    assert list(figures) == [*own, "unbounded", "baselines", "slices"]
    stored = load_checkpoint(trained).metrics["test"]
    assert {name: figures[name] for name in own} == pytest.approx(stored)
    assert set(figures["baselines"]) == {"popularity", "neighbours"}
    assert sum(s["users"] for s in figures["slices"] if s["by"] == "history") == figures["users"]


def test_evaluate_draws_what_it_tells(trained, run, tmp_path):
    code, out, err = run("evaluate", trained, "--slices", "--plot", tmp_path / "slices.svg")
    assert code == 0, err
    assert "neighbours" in out
    assert "all users" in out
    assert "<svg" in (tmp_path / "slices.svg").read_text("utf-8")
    for name, says in (("a.pdf", ".png or .svg"), ("none/a.png", "there is no folder")):
        code, _, err = run("evaluate", trained, "--plot", tmp_path / name)
        assert code == 2
        assert says in only_line(err)  # before anything is ranked: no other line


def test_the_protocols_and_splits_differ(trained, taps, run):
    variants = [
        run("evaluate", trained, "--data", taps, "--json", *more)[1]
        for more in ([], ["--split", "validation"], ["--protocol", "sampled-pop100"])
    ]
    assert len(set(variants)) == 3


# ---- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("train --data nothing.csv --out new", "no such file"),
        ("train --data taps.csv --out new --heads 3", "heads (3) must divide d (64)"),
        ("train --data taps.csv --out new --d 7 --heads 7", "d must be even"),
        ("train --data taps.csv --out new --user-column nobody", "nobody"),
        ("train --data taps.csv --out . ", "exists and is not empty"),
        ("train --data taps.csv --out new --resume", "no unfinished run"),
        ("evaluate nothing", "is not a checkpoint"),
        ("evaluate --data taps.csv", "shares no item"),
        ("export --target coreml", "choose one of executorch"),
        ("export --quantize int4", "choose one of none, fp16"),
        ("export --out app", "ends in .glint"),
        ("export --top-k 2000", "between 1 and 1682"),
        ("bench nothing", "is not a bundle"),
        ("bench", "run glint-edge export first"),
        ("bench --compare torch", "--compare 'torch' is unknown; it takes stock"),
        ("inspect .", "is not a bundle"),
        ("recommend nothing", "is not a bundle"),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_2(line, says, taps, run, tmp_path, monkeypatch):
    (tmp_path / "taps.csv").write_bytes(taps.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path / "cache"))
    more = ["--offline"] if line.startswith("export") else []
    code, out, err = run(*shlex.split(line), *more)
    assert code == 2
    assert says in only_line(err)
    assert out == ""
    assert {path.name for path in tmp_path.iterdir()} <= {"taps.csv", "cache"}


def test_verbose_adds_the_traceback(run):
    _, _, err = run("evaluate", "nothing", "--verbose")
    assert "Traceback" in err
    assert "is not a checkpoint" in err


def test_a_full_disk_is_one_line(trained, taps, run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("glint_edge.files.os.fsync", full)
    code, _, err = run("train", "--data", taps, "--out", tmp_path / "run", "--d", 8, "--epochs", 1)
    assert code == 2
    assert "No space left on device" in only_line(err)


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
    monkeypatch.setattr("glint_edge.bundles.target.importlib.util.find_spec", lambda name: None)
    code, _, err = run("export", trained, "--out", tmp_path / "x.glint")
    assert code == 2
    assert "pip install 'glint-edge[executorch]'" in only_line(err)
    code, out, _ = run("doctor")
    assert "no" in out


@pytest.mark.parametrize("command", ["train", "import", "evaluate", "export", "bench", "recommend",
                                     "push", "pull", "inspect", "doctor"])  # fmt: skip
def test_every_command_has_json_verbose_and_help(command, run):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert "--json" in out
    assert "--verbose" in out


def test_usage_errors_are_exit_code_2(run):
    assert run("export", "--nonsense")[0] == 2


def test_version(run):
    assert re.match(r"glint-edge \d+\.\d+", run("--version")[1])


# ---- a real bundle ------------------------------------------------------------------------------


@pytest.mark.slow
def test_export_writes_a_bundle_that_loads(bundle):
    loaded = load_bundle(bundle)
    check = loaded.manifest["checks"][0]
    assert check["users"] == 30
    assert check["top10_overlap"] > 0.8
    assert loaded.artifacts[0].precision == "int8"


@pytest.mark.slow
def test_bench_prints_exactly_what_scripts_rely_on(bundle, run):
    code, out, err = run("bench", bundle, "--rounds", "1", "--json")
    assert code in (0, 1), err
    rows = json.loads(out)["rows"]
    artifact = next(row for row in rows if row["target"] == "executorch")
    assert set(artifact) >= {
        "target", "precision", "runner", "append_us", "recommend_us", "load_ms",
        "peak_memory_bytes", "file_bytes", "ndcg_at_10", "ndcg_at_10_float", "top10_overlap",
        "max_score_error", "ok",
    }  # fmt: skip
    for name in ("append_us", "recommend_us"):
        figures = artifact[name]
        assert 0 < figures["p50"] <= figures["p90"] <= figures["p99"]
    assert artifact["file_bytes"] == (bundle / "model.pte").stat().st_size
    assert code == (0 if artifact["ok"] else 1)


@pytest.mark.slow
def test_bench_without_data_checks_the_golden_vectors_alone(bundle, run, monkeypatch):
    monkeypatch.setattr("glint_edge.data.source.is_at_hand", lambda source: False)
    code, out, err = run("bench", bundle, "--rounds", "1", "--offline")
    assert code == 0, err
    assert "accuracy" in out + err
    assert "not measured" in " ".join((out + err).split())


@pytest.mark.slow
def test_stock_rows_take_the_float_model(bundle, run, monkeypatch):
    monkeypatch.setattr("glint_edge.checkpoints.of_bundle.find_checkpoint", lambda *_: None)
    code, out, err = run("bench", bundle, "--compare", "stock")
    assert (code, out) == (2, "")
    assert only_line(err).endswith("pass --checkpoint")


@pytest.mark.slow
def test_recommend_names_items_and_refuses_unknown_keys(bundle, run):
    code, out, _ = run("recommend", bundle, "--history", "i1,i2,i3", "--json")
    assert code == 0
    items = json.loads(out)["items"]
    assert len(items) == 10
    assert all(re.fullmatch(r"i\d+", item["key"]) for item in items)
    assert [item["score"] for item in items] == sorted(
        (item["score"] for item in items), reverse=True
    )
    code, _, err = run("recommend", bundle, "--history", "i1,what")
    assert code == 2
    assert "item 'what' is not in the catalogue" in only_line(err)


@pytest.mark.slow
def test_a_long_history_is_cut_or_kept_as_the_user_says(bundle, run):
    length = load_bundle(bundle).config.max_length
    last = [f"i{1 + n % 7}" for n in range(length)]
    long = ["i9", "i8", "i9", "i8", *last]

    def items(history, *options):
        code, out, _ = run(
            "recommend", bundle, "--history", ",".join(history), "--json", *options
        )  # fmt: skip
        assert code == 0
        return json.loads(out)["items"]

    assert items(long) == items(long, "--window", "sliding") == items(last)
    assert items(long, "--window", "unbounded") != items(last)
    assert items(last, "--window", "unbounded") == items(last)
    code, _, err = run("recommend", bundle, "--history", "i1", "--window", "all")
    assert code == 2
    assert "choose one of sliding, unbounded" in only_line(err)


@pytest.mark.slow
def test_no_history_is_the_most_popular(bundle, run):
    _, out, _ = run("recommend", bundle, "--json")
    keys = load_bundle(bundle).catalogue.keys
    assert [item["key"] for item in json.loads(out)["items"]] == list(keys[1:11])


@pytest.mark.slow
def test_inspect_shows_each_layer(bundle, run):
    code, out, _ = run("inspect", bundle)
    assert code == 0
    for name in ("append.gru.step_state", "recommend.scores", "model.pte"):
        assert name in out
    assert json.loads(run("inspect", bundle, "--json")[1])["schema_version"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("command", ["bench", "recommend", "inspect"])
@pytest.mark.parametrize("name", ["model.pte", "manifest.json"])
def test_a_damaged_bundle_is_one_line(bundle, run, tmp_path, command, name):
    for path in bundle.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    data = bytearray((tmp_path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / name).write_bytes(data)
    code, out, err = run(command, tmp_path)
    assert code == 2
    assert "damaged" in only_line(err)
    assert out == ""
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    assert run(command, tmp_path)[0] == 2


# ---- the README ---------------------------------------------------------------------------------


def commands_of(text):
    """Every `glint-edge …` line in an indented block."""
    return re.findall(r"^    (glint-edge .*?)(?:\s+#.*)?$", text, flags=re.MULTILINE)


@pytest.mark.parametrize(
    "page", ["README.md", *sorted(p.name for p in (ROOT / "docs").glob("*.md"))]
)
def test_the_options_in_the_docs_exist(page, run):
    text = next(p for p in (ROOT / page, ROOT / "docs" / page) if p.is_file()).read_text()
    for line in commands_of(text):
        _, command, *words = shlex.split(line)
        inner = [words.pop(0)] if words and words[0] in SUBCOMMANDS.get(command, ()) else []
        _, out, _ = run(command, *inner, "--help")
        for word in words:
            if word.startswith("--"):
                assert word in out, line


def test_the_default_checkpoint_is_the_default(run):
    assert load_checkpoint(None).sha256 == load_checkpoint(DEFAULT_CHECKPOINT).sha256


# ---- precisions and windows, by the target that converts fastest ---------------------------------


@pytest.fixture
def export_onnx(trained, run, tmp_path, monkeypatch):
    """Export to ONNX with more options; returns the bundle and what was said."""
    pytest.importorskip("onnxscript", reason="needs glint-edge[onnx]")
    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path / "cache"))

    def call(*options, name="app"):
        out = tmp_path / f"{name}.glint"
        code, _, err = run("export", trained, "--target", "onnx", "--out", out, *options)
        assert code in (0, 1), err  # so small a model may miss the accuracy bar
        return load_bundle(out), err

    return call


def test_quantization_aware_training_says_what_it_won(export_onnx):
    pytest.importorskip("torchao", reason="needs glint-edge[qat]")
    bundle, err = export_onnx("--quantize", "int8-qat")
    assert "validation NDCG@10: float" in err
    won = bundle.manifest["quantization"]["fine_tuning"]
    assert won["ndcg_after"] >= won["ndcg_before"]
    assert bundle.artifacts[0].precision == "int8"


def test_bundles_of_other_precisions_are_seen_side_by_side(export_onnx, run):
    names = ("int8", "fp16")
    for precision in names:
        bundle, _ = export_onnx("--quantize", precision, name=precision)
    folder = bundle.path.parent
    code, out, err = run(
        "bench", "--rounds", "1", *(folder / f"{name}.glint" for name in names), "--json"
    )
    assert code in (0, 1), err
    rows = [row for row in json.loads(out)["rows"] if row["target"] == "onnx"]
    assert [(row["bundle"], row["precision"]) for row in rows] == [(name, name) for name in names]
    for row in rows:
        assert row["file_bytes"] > 0
        assert row["append_us"]["p50"] > 0
        assert set(row["cold_start_us"]) == {"20", "50", "200"}
        assert row["ndcg_at_10"] is not None


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


def test_every_target_that_is_named_counts(trained, run, tmp_path):
    code, _, err = run("export", trained, "--target", "coreml", "--target", "onnx",
                       "--out", tmp_path / "x.glint")  # fmt: skip
    assert code == 2
    assert "'coreml' is unknown" in only_line(err)


def test_an_opset_out_of_range_is_one_line_and_leaves_nothing(trained, run, tmp_path):
    pytest.importorskip("onnxscript", reason="needs glint-edge[onnx]")
    code, _, err = run("export", trained, "--target", "onnx", "--opset", "7", "--quantize", "none",
                       "--out", tmp_path / "x.glint")  # fmt: skip
    assert code == 2
    assert "choose one from 18" in only_line(err)
    assert not list(tmp_path.iterdir())
