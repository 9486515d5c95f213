"""The main job on the shipped checkpoint: real artifacts, prefixes of all users, the real gate.

With a small chunk and few prefixes; the usual chunk is lowered in `benchmarks/test_benchmarks.py`.
"""

import pytest

from converters.export import export
from converters.options import ALL, ExportOptions
from converters.targets import targets
from device_bench.bench import check_artifacts
from glint_edge.checkpoints.checkpoint import DEFAULT_CHECKPOINT, load_checkpoint
from glint_edge.data.prefixes import prefixes
from glint_edge.data.source import held_out, in_catalogue, some_histories
from tests.conversions import CHUNK, TOP_K
from tests.skips import require

pytestmark = pytest.mark.slow

NAME = "ml-100k"
TARGETS = sorted(targets())
POSITIONS = 1000  # some one a user
# That a slow target's fp32 file is the float model, its own tests say of small models.
FLOAT_TARGETS = [
    pytest.param(target, marks=[] if target == "onnx" else pytest.mark.full) for target in TARGETS
]


@pytest.fixture(scope="module")
def bundles(ml_100k, tmp_path_factory, pytestconfig):
    """The default checkpoint as an fp32 and an int8 bundle; every target is in the int8 one."""
    require("executorch", "executorch")
    require("onnxscript", "onnx")
    require("litert_torch", "litert")
    checkpoint = load_checkpoint()
    known = held_out(in_catalogue(ml_100k, checkpoint.catalogue), "validation")
    positions = prefixes(known, checkpoint.model.config.max_length, POSITIONS)

    def check(artifacts, golden):
        return check_artifacts(
            artifacts, model=checkpoint.model, top_k=TOP_K, window=200, held_out=positions,
            golden=golden, catalogue=checkpoint.catalogue, spare_items=None,
        )  # fmt: skip

    def make(precision, quantize, target=ALL):
        return export(
            checkpoint,
            ExportOptions(
                (target,), quantize, TOP_K, folder / f"{precision}.glint", name=NAME, chunk=CHUNK
            ),
            folder=DEFAULT_CHECKPOINT,
            histories=some_histories(known, checkpoint.model.config),
            check=check,
        )

    folder = tmp_path_factory.mktemp("default")
    floats = ALL if pytestconfig.getoption("--full") else "onnx"
    return {"fp32": make("fp32", "none", floats), "int8": make("int8", "int8")}


def figures(bundle, target):
    (check,) = (check for check in bundle.manifest["checks"] if check["target"] == target)
    return check


def test_every_target_is_in_it(bundles):
    assert [artifact.target for artifact in bundles["int8"].artifacts] == TARGETS


@pytest.mark.parametrize("target", FLOAT_TARGETS)
def test_fp32_is_the_float_model(bundles, target):
    check = figures(bundles["fp32"], target)
    assert check["ok"], check["failures"]
    assert check["users"] == 943
    assert check["max_score_error"] < 1e-4
    assert check["top10_overlap"] == 1.0


@pytest.mark.parametrize("target", TARGETS)
def test_int8_keeps_the_accuracy(bundles, target):
    check = figures(bundles["int8"], target)
    assert check["ok"], check["failures"]
    assert check["ndcg_loss"]["positions"] == pytest.approx(POSITIONS, abs=943)
    assert check["ndcg_at_10"] == pytest.approx(check["ndcg_at_10_float"], rel=0.01)
    assert check["top10_overlap"] >= 0.95


@pytest.mark.parametrize("target", TARGETS)
def test_int8_artifacts_agree_with_one_another(bundles, target):
    agreement = figures(bundles["int8"], target)["agreement"]
    assert set(agreement) == {*TARGETS} - {target}
    assert min(agreement.values()) >= 0.98


@pytest.mark.parametrize("target", FLOAT_TARGETS)
def test_int8_is_a_third_of_the_size(bundles, target):
    sizes = {name: figures(bundle, target)["file_bytes"] for name, bundle in bundles.items()}
    assert sizes["int8"] <= 0.35 * sizes["fp32"]


def test_a_bundle_of_the_shipped_checkpoint_names_no_path(bundles):
    assert bundles["int8"].manifest["checkpoint"]["path"] is None


def test_its_readme_tells_how_to_load_each(bundles):
    readme = (bundles["int8"].path / "README.md").read_text()
    for words in ("## ExecuTorch", "## ONNX Runtime", "## LiteRT", "model.tflite"):
        assert words in readme
