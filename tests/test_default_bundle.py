"""The main job on the shipped checkpoint: real artifacts, all test users, the real gate."""

import pytest

from converters.export import ExportOptions, export
from device_bench.bench import check_artifact
from glint_edge.checkpoint import DEFAULT_CHECKPOINT, load_checkpoint
from glint_edge.sources import held_out, in_catalogue, some_histories

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundles(ml_100k, tmp_path_factory):
    """The default checkpoint as an fp32 and an int8 bundle."""
    pytest.importorskip("executorch", reason="needs glint-edge[executorch]")
    checkpoint = load_checkpoint()
    test_items = held_out(in_catalogue(ml_100k, checkpoint.catalogue), "test")

    def check(artifact, file, golden):
        return check_artifact(
            artifact.target, artifact.precision, file,
            model=checkpoint.model, top_k=10, held_out=test_items, golden=golden,
        )  # fmt: skip

    folder = tmp_path_factory.mktemp("default")
    return {
        precision: export(
            checkpoint,
            ExportOptions("executorch", quantize, 10, folder / f"{precision}.glint"),
            folder=DEFAULT_CHECKPOINT,
            histories=some_histories(test_items, checkpoint.model.config),
            check=check,
        )
        for precision, quantize in (("fp32", "none"), ("int8", "int8"))
    }


def figures(bundle):
    return bundle.manifest["checks"][0]


def test_fp32_is_the_float_model(bundles):
    check = figures(bundles["fp32"])
    assert check["ok"], check["failures"]
    assert check["users"] == 943
    assert check["max_score_error"] < 1e-4
    assert check["top10_overlap"] == 1.0


def test_int8_keeps_the_accuracy(bundles):
    check = figures(bundles["int8"])
    assert check["ok"], check["failures"]
    assert check["ndcg_at_10"] == pytest.approx(check["ndcg_at_10_float"], rel=0.01)
    assert check["top10_overlap"] >= 0.95


def test_int8_is_a_third_of_the_size(bundles):
    sizes = {
        name: bundle.file(bundle.artifacts[0]).stat().st_size for name, bundle in bundles.items()
    }
    assert sizes["int8"] <= 0.35 * sizes["fp32"]


def test_a_bundle_of_the_shipped_checkpoint_names_no_path(bundles):
    assert bundles["int8"].manifest["checkpoint"]["path"] is None
