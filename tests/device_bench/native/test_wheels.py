"""Wheels of another machine, fetched by pip and unpacked."""

import zipfile
from pathlib import Path

import pytest

from device_bench.native import wheels
from glint_edge.errors import RunnerError


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
    wheels.fetch_wheel("thing==1.0", wheels.AARCH64, folder)
    assert (folder / "thing" / "lib.so").read_bytes() == b"machine code"
    wheel.write_bytes(wheel.read_bytes()[:-30])
    with pytest.raises(RunnerError, match=r"could not download|is damaged"):
        wheels.fetch_wheel("thing==1.0", wheels.AARCH64, no_setup / "again")
    assert not (no_setup / "again").exists()


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
