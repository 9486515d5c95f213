"""Where numpy and a runtime are all that is installed: what works, and what says what it lacks.

As in an environment of `glint-edge[runtime-onnx]`, which test_packaging.py makes in full; here
other packages are merely out of sight.
"""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.skips import require
from tests.small import small_bundle

ROOT = Path(__file__).parents[1]
THERE = ("numpy", "numpy.libs", "onnxruntime", "flatbuffers", "packaging", "google")

USES = """
import sys
import glint_edge as ge

folder = sys.argv[1]
for bundle in (ge.load(folder), ge.Recommender.load(folder)):
    items = bundle.recommend(["k1"], 3)
    assert [one.key for one in items] == [one.key for one in ge.recommend(folder, ["k1"], k=3)]
    assert "<td" in items._repr_html_() and repr(bundle)
assert not {"torch", "typer", "rich", "polars"} & set(sys.modules)
"""
LACKS = """
import glint_edge as ge
from glint_edge.errors import MissingExtraError

for name in ge.__all__:
    try:
        getattr(ge, name)
    except MissingExtraError as error:
        assert "pip install" in str(error), error
        print(name)
for call in (ge.load, lambda: ge.recommend(None), lambda: ge.load("hf://o/n"),
             lambda: ge.load(%r)):
    try:
        call()
    except MissingExtraError as error:
        assert "pip install 'glint-edge" in str(error), error
    else:
        raise AssertionError("a checkpoint was run without torch")
"""


@pytest.fixture(scope="module")
def bundle(make_model, tmp_path_factory):
    require("onnxscript", "onnx")
    return small_bundle(make_model(), tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def alone(tmp_path):
    """Run Python with what an application that only runs bundles has."""
    installed = Path(metadata.distribution("numpy").locate_file(""))
    for name in THERE:
        if (installed / name).exists():
            (tmp_path / name).symlink_to(installed / name)
    for name in ("glint_edge", "quantization", "converters", "device_bench"):
        (tmp_path / name).symlink_to(ROOT / name)

    def run(*words):
        return subprocess.run(
            [sys.executable, "-S", *map(str, words)], cwd=tmp_path, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(tmp_path)}, check=False,
        )  # fmt: skip

    return run


def test_a_bundle_is_loaded_and_recommends(alone, bundle):
    done = alone("-c", USES, bundle)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_needs_more_says_what_to_install(alone, bundle):
    done = alone("-c", LACKS % str(bundle.parent / "run"))
    assert (done.returncode, done.stderr) == (0, "")
    assert {"train", "export", "GlintRU", "load_bundle"} <= set(done.stdout.split())
    assert not {"load", "recommend", "Recommender", "BundleStore"} & set(done.stdout.split())


@pytest.mark.parametrize("words", ["", "recommend x.glint", "--help"])
def test_the_command_line_is_one_line(words, alone):
    done = alone("-m", "glint_edge", *words.split())
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "only the runtime is installed" in line and "pip install 'glint-edge[" in line
