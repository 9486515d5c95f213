"""Which bundle a command takes when none is named, and that tests leave the user's note alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from glint_edge.cli.last_bundle import last_bundle, remember_bundle
from glint_edge.errors import BundleError

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder without bundles, and a user who never wrote one."""
    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path / "cache"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)


def write(path, created):
    path.mkdir()
    (path / "manifest.json").write_text(json.dumps({"created": created}))
    return path


def test_without_any_bundle_it_says_what_to_do():
    with pytest.raises(BundleError, match="run glint-edge export first"):
        last_bundle()


@pytest.mark.parametrize("cache", ["/proc/none", "/dev/null/cache"])
def test_a_cache_that_takes_no_note_is_no_error(tmp_path, monkeypatch, cache, caplog):
    monkeypatch.setenv("GLINT_EDGE_CACHE", cache)
    remember_bundle(write(tmp_path / "a.glint", "2026-01-01T00:00:00+00:00"))
    assert "no note is kept" in caplog.text
    with pytest.raises(BundleError, match="run glint-edge export first"):
        last_bundle()


def test_elsewhere_it_is_the_one_the_user_wrote_last(tmp_path):
    for name in ("a.glint", "b.glint"):
        remember_bundle(write(tmp_path / name, "2026-01-01T00:00:00+00:00"))
    assert last_bundle() == tmp_path / "b.glint"


def test_a_remembered_bundle_that_is_gone_is_not_taken(tmp_path):
    remember_bundle(write(tmp_path / "a.glint", "2026-01-01T00:00:00+00:00"))
    (tmp_path / "a.glint").rename(tmp_path / "b.glint")
    with pytest.raises(BundleError, match="is gone"):
        last_bundle()


def test_the_newest_in_this_folder_goes_before_the_remembered_one(tmp_path):
    remember_bundle(write(tmp_path / "later.glint", "2027-01-01T00:00:00+00:00"))
    write(Path("b.glint"), "2026-01-02T00:00:00+00:00")
    write(Path("a.glint"), "2026-01-03T00:00:00+00:00")
    write(Path("c.glint"), "2026-01-01T00:00:00+00:00")
    assert last_bundle() == Path("a.glint")


def test_of_the_same_second_the_one_written_later_counts():
    for name, at in (("b.glint", 2), ("a.glint", 1)):
        manifest = write(Path(name), "2026-01-01T00:00:00+00:00") / "manifest.json"
        os.utime(manifest, ns=(at, at))
    assert last_bundle() == Path("b.glint")


@pytest.mark.parametrize("text", [None, "{", "[]", "{}"])
def test_a_folder_that_is_no_bundle_is_passed_over(text, tmp_path):
    remember_bundle(write(tmp_path / "good.glint", "2026-01-01T00:00:00+00:00"))
    Path("bad.glint").mkdir()
    if text is not None:
        Path("bad.glint/manifest.json").write_text(text)
    assert last_bundle() == tmp_path / "good.glint"


@pytest.mark.full
def test_a_session_of_tests_leaves_the_users_cache_as_it_is(tmp_path):
    user = tmp_path / "user"
    user.mkdir()
    (user / "last_bundle").write_text("mine\n")
    inner = tmp_path / "test_inner.py"
    inner.write_text(
        "from glint_edge.cli.last_bundle import remember_bundle\n"
        "from glint_edge.files import cache_folder\n"
        "def test_it(tmp_path):\n"
        "    remember_bundle(tmp_path)\n"
        "    (cache_folder() / 'stock').mkdir()\n"
        "    (cache_folder() / 'data' / 'kept').touch()\n"
    )
    environment = {**os.environ, "GLINT_EDGE_CACHE": str(user)}
    environment.pop("PYTEST_XDIST_WORKER", None)  # a session of its own
    child = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c",
         ROOT / "pyproject.toml", "--rootdir", ROOT, "-p", "tests.conftest", inner],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert child.returncode == 0, child.stdout
    assert (user / "last_bundle").read_text() == "mine\n"
    assert not (user / "stock").exists()
    assert (user / "data" / "kept").is_file()  # what takes minutes is kept for the next session
