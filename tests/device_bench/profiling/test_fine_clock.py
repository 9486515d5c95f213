"""The finer clock: built, preloaded, done without."""

import subprocess
import sys

import pytest

from device_bench.profiling import fine_clock as clock_module
from device_bench.profiling.fine_clock import clock_speed, fine_clock, preloading

needs_fine_clock = pytest.mark.skipif(fine_clock() is None, reason="needs Linux and a C compiler")


SPEED = "from device_bench.profiling.fine_clock import clock_speed; print(clock_speed())"


def test_this_process_has_the_plain_clock():
    assert clock_speed() == 1


@needs_fine_clock
def test_a_process_with_the_finer_clock_knows_it():
    environment = {"PYTHONPATH": ":".join(sys.path), **preloading(fine_clock())}
    done = subprocess.run(
        [sys.executable, "-c", SPEED], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1000"


@pytest.mark.parametrize("compiler", ["/nowhere/cc", "false"])
def test_without_a_compiler_there_is_no_finer_clock(compiler, monkeypatch, tmp_path):
    monkeypatch.setenv("CC", compiler)
    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path))
    assert fine_clock() is None
    assert not list(tmp_path.rglob("*.so"))
    assert preloading(None) == {}


@needs_fine_clock
def test_the_finer_clock_is_built_once(monkeypatch, tmp_path):
    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path))
    library = fine_clock()
    monkeypatch.setattr(clock_module, "_build", pytest.fail)
    assert fine_clock() == library
    assert library.is_file()


def test_other_preloaded_libraries_stay(monkeypatch, tmp_path):
    monkeypatch.setenv("LD_PRELOAD", "/lib/other.so")
    assert preloading(tmp_path / "clock.so") == {"LD_PRELOAD": f"{tmp_path}/clock.so:/lib/other.so"}
