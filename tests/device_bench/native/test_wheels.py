"""Wheels of another machine, fetched by pip and unpacked."""

import re
import zipfile
from pathlib import Path

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


def test_a_wheel_is_unpacked_whole_or_not_at_all(no_setup, monkeypatch):
    shelf, folder = no_setup / "shelf", no_setup / "unpacked"
    shelf.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    wheel = shelf / "thing-1.0-py3-none-manylinux2014_aarch64.whl"
    _write_wheel(wheel)
    monkeypatch.setattr(wheels, "PINNED", {"thing==1.0": {wheel.name: sha256(wheel)}})
    wheels.fetch_wheel("thing==1.0", wheels.AARCH64, folder)
    assert (folder / "thing" / "lib.so").read_bytes() == b"machine code"
    wheel.write_bytes(wheel.read_bytes()[:-30])
    monkeypatch.setattr(wheels, "PINNED", {"thing==1.0": {wheel.name: sha256(wheel)}})
    with pytest.raises(RunnerError, match=r"could not download|is damaged"):
        wheels.fetch_wheel("thing==1.0", wheels.AARCH64, no_setup / "again")
    assert not (no_setup / "again").exists()


def test_a_wheel_of_another_sum_stays_packed(no_setup, monkeypatch):
    shelf, folder = no_setup / "shelf", no_setup / "unpacked"
    shelf.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    wheel = shelf / "thing-1.0-py3-none-manylinux2014_aarch64.whl"
    _write_wheel(wheel)
    for pinned in ({wheel.name: 64 * "0"}, {"thing-1.0-other.whl": sha256(wheel)}):
        monkeypatch.setattr(wheels, "PINNED", {"thing==1.0": pinned})
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


def _write_wheel(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("thing/lib.so", b"machine code")
        archive.writestr(
            "thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n"
        )
        archive.writestr(
            "thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-manylinux2014_aarch64\n"
        )
        archive.writestr("thing-1.0.dist-info/RECORD", "")
