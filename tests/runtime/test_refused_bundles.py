"""Bundles that are not whole, or not for what is installed."""

import json
import subprocess
import sys

import pytest

from glint_edge.bundles.manifest import digest_of
from glint_edge.errors import (
    BundleError,
    ConfigError,
    MissingExtraError,
)
from glint_edge.runtime import Recommender
from tests.runtime.windowed import KEYS

pytestmark = pytest.mark.slow
TARGETS = ("onnx", "tflite")


def rewritten(folder, **changes):
    """A manifest with other values, and the digest that fits them."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text("utf-8")) | changes
    manifest["digest"] = digest_of(manifest)
    path.write_text(json.dumps(manifest), "utf-8")


@pytest.mark.parametrize("name", ["items.json", "artifact"])
def test_a_damaged_file_is_refused(copy, target, name):
    file = copy / (f"model.{target}" if name == "artifact" else name)
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(BundleError, match="sha256"):
        Recommender.load(copy)
    file.write_bytes(whole[:-1])
    with pytest.raises(BundleError, match="bytes, its manifest says"):
        Recommender.load(copy)
    file.unlink()
    with pytest.raises(BundleError, match="is missing"):
        Recommender.load(copy)


def test_a_manifest_that_was_edited_or_is_newer_is_refused(copy):
    text = (copy / "manifest.json").read_text("utf-8")
    (copy / "manifest.json").write_text(text.replace('"top_k": 12', '"top_k": 11'), "utf-8")
    with pytest.raises(BundleError, match="digest does not match"):
        Recommender.load(copy)
    rewritten(copy, schema_version=3)
    with pytest.raises(BundleError, match="upgrade glint-edge"):
        Recommender.load(copy)
    rewritten(copy, schema_version=1)
    with pytest.raises(BundleError, match="know no filters; export it again"):
        Recommender.load(copy)
    rewritten(copy, schema_version=2, files="none")
    with pytest.raises(BundleError, match=r"damaged at \$\.files"):
        Recommender.load(copy)
    (copy / "manifest.json").write_text("[1", "utf-8")
    with pytest.raises(BundleError, match="damaged"):
        Recommender.load(copy)
    (copy / "manifest.json").unlink()
    with pytest.raises(BundleError, match="is not a bundle"):
        Recommender.load(copy)


def test_a_target_the_bundle_lacks_is_refused(bundle, target):
    other = next(name for name in TARGETS if name != target)
    with pytest.raises(BundleError, match=f"no artifact for {other} .*--target {other}"):
        Recommender.load(bundle, target=other)
    with pytest.raises(ConfigError, match="'nonesuch' has no runtime here"):
        Recommender.load(bundle, target="nonesuch")


def test_a_missing_runtime_is_named(bundle, target, monkeypatch):
    monkeypatch.setattr("glint_edge.runtime.app_bundle.missing", lambda packages: packages)
    extra = {"onnx": "runtime-onnx", "tflite": "runtime-litert"}[target]
    with pytest.raises(MissingExtraError, match=rf"glint-edge\[{extra}\]"):
        Recommender.load(bundle)


def test_it_runs_without_torch(bundle):
    """Nothing of the toolkit's own is imported: a block stands in the way of each."""
    script = f"""
import sys
for name in ("torch", "polars", "jsonschema", "typer", "rich", "matplotlib", "onnx", "jinja2"):
    sys.modules[name] = None  # importing it fails
from glint_edge.runtime import BundleStore, Recommender, replay_golden
print(Recommender.load({str(bundle)!r}).recommend(["k1", "k2"], 1)[0].key)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in KEYS
