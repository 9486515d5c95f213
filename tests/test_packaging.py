"""The wheel: what is in it, and that it works away from the checkout."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("glint_edge", "quantization", "converters", "device_bench")

pytestmark = pytest.mark.slow


def build(what, out, source=ROOT):
    # The backend of this environment: a test fetches nothing.
    command = [sys.executable, "-m", "build", "--no-isolation", f"--{what}", "--outdir", str(out)]
    subprocess.run([*command, str(source)], check=True, capture_output=True)
    return next(iter(sorted(out.iterdir())))


@pytest.fixture(scope="module", params=["checkout", "sdist"])
def wheel(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "checkout":
        return build("wheel", folder / "wheel")
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
        assert f"glint_edge/default_checkpoint/{name}" in rest
    assert any(name.endswith("licenses/LICENSE") for name in inside)


def test_the_wheel_runs_from_a_neutral_folder(wheel, tmp_path):
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    script = (
        f"import sys; sys.path.insert(0, {str(site)!r}); import glint_edge.cli as cli;"
        "assert cli.__file__.startswith(sys.path[0]), cli.__file__;"
        "sys.argv = ['glint-edge', 'evaluate', '--help']; cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "held-out items" in done.stdout
