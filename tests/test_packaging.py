"""The wheel: what is in it, and that it works away from the checkout."""

import re
import subprocess
import sys
import tarfile
import textwrap
import zipfile
from pathlib import Path

import pytest

from glint_edge.apps.module import embed, find_platform
from glint_edge.apps.wheel import write_wheel
from glint_edge.bundles.bundle import load_bundle
from tests.environments import install, make_environment
from tests.skips import require

ROOT = Path(__file__).parent.parent
PACKAGES = ("glint_edge", "quantization", "converters", "device_bench")

pytestmark = pytest.mark.slow


def build(what, out, source=ROOT):
    # The backend of this environment: a test fetches nothing.
    command = [sys.executable, "-m", "build", "--no-isolation", f"--{what}", "--outdir", str(out)]
    subprocess.run([*command, str(source)], check=True, capture_output=True)
    return next(iter(sorted(out.iterdir())))


@pytest.fixture(scope="module")
def checkouts_wheel(tmp_path_factory):
    return build("wheel", tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module", params=["checkout", pytest.param("sdist", marks=pytest.mark.full)])
def wheel(request, checkouts_wheel, tmp_path_factory):
    if request.param == "checkout":
        return checkouts_wheel
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build("sdist", folder / "sdist")) as archive:
        archive.extractall(folder, filter="data")
    source = next(path for path in folder.iterdir() if path.name.startswith("glint_edge-"))
    return build("wheel", folder / "wheel", source)


def test_the_wheel_holds_the_four_packages_whole(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    rest = {name for name in inside if ".dist-info/" not in name}
    assert rest == expected
    assert {f"{package}/py.typed" for package in PACKAGES} <= rest
    for name in ("config.json", "items.json", "model.safetensors"):
        assert f"glint_edge/checkpoints/default/{name}" in rest
    assert any(name.endswith("licenses/LICENSE") for name in inside)


def test_the_wheel_runs_from_a_neutral_folder(wheel, tmp_path):
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    script = (
        f"import sys; sys.path.insert(0, {str(site)!r}); import glint_edge.cli.app as cli;"
        "assert cli.__file__.startswith(sys.path[0]), cli.__file__;"
        "sys.argv = ['glint-edge', 'evaluate', '--help']; cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "held-out items" in done.stdout


def test_the_wheel_that_embed_carries_along_is_the_built_one(checkouts_wheel, tmp_path):
    carried = write_wheel(tmp_path / "wheels")
    assert carried.name == checkouts_wheel.name
    with zipfile.ZipFile(carried) as ours, zipfile.ZipFile(checkouts_wheel) as built:
        assert {*ours.namelist()} == {*built.namelist()}
        for name in ours.namelist():
            if ".dist-info/" not in name:
                assert ours.read(name) == built.read(name), name
    assert carried.read_bytes() == write_wheel(tmp_path / "again").read_bytes()


@pytest.mark.parametrize(
    ("extra", "target"),
    [
        ("runtime-onnx", "onnx"),
        pytest.param("runtime-litert", "tflite", marks=pytest.mark.full),
    ],
)
@pytest.mark.golden
def test_the_runtime_alone_replays_the_golden_vectors(extra, target, tmp_path):
    """A clean environment of what `embed` wrote: no torch, and the command says what it lacks."""
    require({"onnx": "onnxscript", "tflite": "litert_torch"}[target], target)
    bundle = make_bundle(target, tmp_path / "app.glint")
    module = tmp_path / "module"
    embed(load_bundle(bundle), find_platform("python"), module)
    python = make_environment(tmp_path / "env")
    done = install(python, "--requirement", module / "requirements.txt")
    if done.returncode:
        pytest.skip(f"pip could not install {extra}: {done.stderr.strip().splitlines()[-1]}")

    done = subprocess.run([python, "-c", REPLAY, bundle], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([python, module / "test_golden.py"], capture_output=True, text=True)
    assert done.stdout == "the artifact computes here what golden.json says\n", done.stderr
    there = {path.name for path in (tmp_path / "env").glob("lib*/python*/site-packages/*")}
    assert not there & {"torch", "polars", "matplotlib", "typer", "jsonschema", "onnx"}
    assert there & {"onnxruntime", "ai_edge_litert"} == {LOADS[target]}

    done = subprocess.run(
        [tmp_path / "env/bin/glint-edge", "bench"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "pip install 'glint-edge[toolkit]'" in line


def test_what_the_release_tries_of_its_wheel_holds(tmp_path, monkeypatch):
    text = (ROOT / ".github/workflows/release.yml").read_text()
    (lines,) = re.findall(r'bin/python -c "\n(.*?)"\n', text, re.DOTALL)
    make_bundle("c", tmp_path / "try.glint")
    monkeypatch.chdir(tmp_path)
    exec(textwrap.dedent(lines), {})


LOADS = {"onnx": "onnxruntime", "tflite": "ai_edge_litert"}
REPLAY = """
import sys
from glint_edge.runtime import Recommender, replay_golden
recommender = Recommender.load(sys.argv[1])
assert replay_golden(recommender) == ()
assert len(recommender.recommend(["50", "181"], 5)) == 5
assert "torch" not in sys.modules
"""


def make_bundle(target, out):
    from converters.export import export
    from converters.options import ExportOptions
    from glint_edge.checkpoints.checkpoint import DEFAULT_CHECKPOINT, load_checkpoint

    return export(
        load_checkpoint(), ExportOptions((target,), "none", 10, out, chunk=2),
        folder=DEFAULT_CHECKPOINT, check=lambda *_: [],
    ).path  # fmt: skip
