"""The main job on the shipped checkpoint: real artifacts, prefixes of all users, the real gate.

With a small chunk and few prefixes; the usual chunk is lowered in `benchmarks/test_benchmarks.py`.
"""

from functools import cache

import pytest

from converters.export import export
from converters.options import ALL, ExportOptions
from converters.targets import targets
from device_bench.bench import check_artifacts
from glint_edge.checkpoints.checkpoint import DEFAULT_CHECKPOINT, load_checkpoint
from glint_edge.data.prefixes import prefixes
from glint_edge.data.source import held_out, in_catalogue
from tests.conversions import CHUNK, TOP_K
from tests.skips import require

pytestmark = pytest.mark.slow

NAME = "ml-100k"
TARGETS = sorted(targets())
POSITIONS = 1000  # some one a user


@pytest.fixture(scope="module")
def bundle_of(ml_100k, tmp_path_factory):
    """The default checkpoint as a bundle of a precision, with every target in it."""
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

    @cache
    def make(precision):
        quantize = "none" if precision == "fp32" else precision
        return export(
            checkpoint,
            ExportOptions(
                (ALL,), quantize, TOP_K, folder / f"{precision}.glint", name=NAME, chunk=CHUNK
            ),
            folder=DEFAULT_CHECKPOINT,
            check=check,
        )

    folder = tmp_path_factory.mktemp("default")
    return make


@pytest.fixture
def int8(bundle_of):
    return bundle_of("int8")


def figures(bundle, target):
    (check,) = (check for check in bundle.manifest["checks"] if check["target"] == target)
    return check


def test_every_target_is_in_it(int8):
    assert [artifact.target for artifact in int8.artifacts] == TARGETS


@pytest.mark.full
@pytest.mark.parametrize("target", TARGETS)
def test_fp32_is_the_float_model(bundle_of, target):
    check = figures(bundle_of("fp32"), target)
    assert check["ok"], check["failures"]
    assert check["users"] == 943
    assert check["max_score_error"] < 1e-4
    assert check["top10_overlap"] == 1.0


@pytest.mark.parametrize("target", TARGETS)
def test_int8_keeps_the_accuracy(int8, target):
    check = figures(int8, target)
    assert check["ok"], check["failures"]
    assert check["ndcg_loss"]["positions"] == pytest.approx(POSITIONS, abs=943)
    assert check["ndcg_at_10"] == pytest.approx(check["ndcg_at_10_float"], rel=0.01)
    assert check["top10_overlap"] >= 0.95


@pytest.mark.parametrize("target", TARGETS)
def test_int8_artifacts_agree_with_one_another(int8, target):
    agreement = figures(int8, target)["agreement"]
    assert set(agreement) == {*TARGETS} - {target}
    assert min(agreement.values()) >= 0.98


@pytest.mark.full
@pytest.mark.parametrize("target", TARGETS)
def test_int8_is_a_third_of_the_size(bundle_of, int8, target):
    bundles = (int8, bundle_of("fp32"))
    small, large = (figures(bundle, target)["file_bytes"] for bundle in bundles)
    assert small <= 0.35 * large


def test_a_bundle_of_the_shipped_checkpoint_names_no_path(int8):
    assert int8.manifest["checkpoint"]["path"] is None


def test_its_readme_tells_how_to_load_each(int8):
    readme = (int8.path / "README.md").read_text()
    for words in ("## ExecuTorch", "## ONNX Runtime", "## LiteRT", "model.tflite"):
        assert words in readme
