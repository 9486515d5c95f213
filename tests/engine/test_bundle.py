"""A bundle with the engine's file: made, held to its golden vectors exactly, and run."""

import json

import numpy as np
import pytest

from device_bench.bench import bench
from glint_edge.bundles.bundle import load_bundle, write_manifest
from glint_edge.bundles.manifest import GOLDEN, MANIFEST
from glint_edge.errors import BundleError, MissingExtraError
from glint_edge.runtime import Recommender
from glint_edge.runtime.engines import engines, load_artifact
from glint_edge.runtime.replay import replay_golden
from tests.small import small_bundle


@pytest.fixture(scope="module", params=["none", "int8"])
def path(request, make_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    return small_bundle(make_model(), folder, "c", quantize=request.param)


def with_golden(path, change):
    """A copy of a bundle's golden vectors changed, its digests right."""
    golden = json.loads((path / GOLDEN).read_text())
    change(golden["cases"][-1])
    (path / GOLDEN).write_text(json.dumps(golden))
    manifest = json.loads((path / MANIFEST).read_text())
    (path / MANIFEST).unlink()
    write_manifest(path, {k: v for k, v in manifest.items() if k not in ("files", "digest")})


def test_its_golden_vectors_hold_to_the_last_bit(path):
    recommender = Recommender.load(path)
    assert recommender.bundle.target == "c"
    assert replay_golden(recommender) == ()
    case = load_bundle(path).golden.cases[-1]
    assert case.exact.items == case.items or path.parent.name.startswith("int8")
    assert np.allclose(case.exact.scores, case.scores, rtol=0.02)


@pytest.mark.parametrize("part", ["state", "scores", "items"])
def test_what_is_a_bit_beside_is_refused(make_model, tmp_path, part):
    path = small_bundle(make_model(), tmp_path, "c")

    def change(case):
        value = case["exact"][part]
        if part == "state":
            case["exact"][part] = f"{int(value, 16) ^ 1:08x}"
        elif part == "scores":
            value[3] = float(np.nextafter(np.float32(value[3]), np.float32(np.inf)))
        else:
            value[3:5] = value[4:2:-1]

    with_golden(path, change)
    wrong = [sentence for sentence in replay_golden(recommend_anyway(path)) if part[:4] in sentence]
    assert len(wrong) == 2  # by append and by append_many
    assert ("bit" in wrong[0]) or ("hash" in wrong[0]) or ("one for one" in wrong[0])


def recommend_anyway(path):
    """A load that does not try its golden case."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glint_edge.runtime.recommender.require_golden", lambda recommender: None)
        return Recommender.load(path)


def test_a_bench_row_is_judged_like_any(path, in_process):
    (row,) = bench(load_bundle(path), checkpoint=None, held_out=None).rows
    assert (row.target, row.ok, row.golden_ok) == ("c", True, True)


def test_a_session_goes_on_in_the_engine(path):
    recommender = Recommender.load(path)
    session = recommender.start(["k1", "k2"])
    session.append("k9")
    again = recommender.resume(session.save())
    assert session.top(5, without=["k3"]) == again.top(5, without=["k3"])
    assert len(session.top(35, exclude_seen=True)) == 35  # longer than the artifact's own
    assert [one.key for one in recommender.similar("k4", 3)]


def test_without_its_library_it_says_what_builds_it(path, monkeypatch):
    monkeypatch.setattr(
        "glint_edge.runtime.engines.missing",
        lambda packages: [p for p in packages if "_glint" in p],
    )
    with pytest.raises(MissingExtraError, match=r"running c needs .*python -m glint_edge\.engine"):
        load_artifact("c", path / "model.glnt", load_bundle(path).config, None, 1)


def test_an_app_that_does_not_choose_gets_the_engine(path):
    assert next(iter(engines())) == "c"
    with pytest.raises(BundleError, match="no artifact for onnx"):
        Recommender.load(path, target="onnx")
