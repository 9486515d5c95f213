"""Wheels of another machine, fetched by pip and unpacked."""

import re
import zipfile

import pytest

from device_bench.native import wheels
from device_bench.native.build import PACKAGES
from glint_edge.errors import RunnerError
from glint_edge.files import sha256


def test_a_wheel_that_pip_cannot_bring_is_told(no_setup):
    folder = no_setup / "wheel"
    with pytest.raises(RunnerError, match=r"could not download executorch==1\.5\.1 for manylinux"):
        wheels.fetch_wheel("executorch==1.5.1", wheels.AARCH64, folder)
    assert not folder.exists()


@pytest.fixture
def wheel(no_setup, monkeypatch):
    """A wheel on the one shelf that pip looks at."""
    shelf = no_setup / "shelf"
    shelf.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    path = shelf / "thing-1.0-py3-none-manylinux2014_aarch64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("thing/lib.so", b"machine code")
        archive.writestr(
            "thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n"
        )
        archive.writestr(
            "thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-manylinux2014_aarch64\n"
        )
        archive.writestr("thing-1.0.dist-info/RECORD", "")
    return path


@pytest.fixture
def pin(monkeypatch):
    """Know these wheels of thing==1.0, by their sha256."""
    return lambda sums: monkeypatch.setattr(wheels, "PINNED", {"thing==1.0": sums})


def test_a_wheel_is_unpacked_whole_or_not_at_all(wheel, pin, tmp_path):
    folder = tmp_path / "unpacked"
    pin({wheel.name: sha256(wheel)})
    wheels.fetch_wheel("thing==1.0", wheels.AARCH64, folder)
    assert (folder / "thing" / "lib.so").read_bytes() == b"machine code"
    wheel.write_bytes(wheel.read_bytes()[:-30])
    pin({wheel.name: sha256(wheel)})
    with pytest.raises(RunnerError, match=r"could not download|is damaged"):
        wheels.fetch_wheel("thing==1.0", wheels.AARCH64, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_wheel_of_another_sum_stays_packed(wheel, pin, tmp_path):
    folder = tmp_path / "unpacked"
    for sums in ({wheel.name: 64 * "0"}, {"thing-1.0-other.whl": sha256(wheel)}):
        pin(sums)
        with pytest.raises(RunnerError, match=r"sha256 differs.*check pip's index"):
            wheels.fetch_wheel("thing==1.0", wheels.AARCH64, folder)
    with pytest.raises(RunnerError, match=r"no wheel of thing==2\.0 is known.*'thing==1\.0'"):
        wheels.fetch_wheel("thing==2.0", wheels.AARCH64, folder)
    assert not folder.exists()


def test_the_wheels_of_the_versions_that_this_project_takes_are_pinned():
    named = {requirement.partition("==")[0] for requirement in wheels.PINNED}
    assert named == {package.distribution for package in PACKAGES.values()}
    for files in wheels.PINNED.values():
        assert {name.split("-")[2] for name in files} >= {"cp311", "cp312", "cp313"}
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in files.values())
