"""How the native runner is built, and why it is not."""

import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from device_bench.native import build as building
from device_bench.native.build import PROGRAM, Toolchain, build, find_packages
from glint_edge.errors import MissingExtraError, RunnerError

pytestmark = pytest.mark.slow


@pytest.fixture
def executorch(require_native):
    """Its runner is built, so it can be."""
    return require_native("executorch")


@pytest.mark.parametrize("target", ["executorch", "onnx", "tflite"])
def test_the_folder_is_all_that_is_needed(require_native, target, tmp_path):
    """Copied elsewhere, the program loads the libraries beside it and no package's."""
    folder = tmp_path / "copy"
    shutil.copytree(require_native(target), folder)
    listed = subprocess.run(
        ["ldd", folder / PROGRAM], capture_output=True, text=True, check=True, env={}
    ).stdout
    libraries = {file.name for file in (folder / "lib").iterdir()}
    found = {line.split()[0]: line.split()[2] for line in listed.splitlines() if " => " in line}
    assert libraries
    for library in libraries:
        assert found[library] == str(folder / "lib" / library)
    assert "site-packages" not in listed


def test_it_is_built_once(executorch):
    steps = []
    assert build("executorch", on_step=steps.append) == build("executorch")
    assert steps == []


def test_two_that_want_it_at_once_build_it_once(executorch, empty_cache, monkeypatch):
    built = []

    def slow(what, source, to, options):
        built.append(what)
        time.sleep(0.3)
        (to / PROGRAM).touch()

    monkeypatch.setattr(building, "cmake", slow)
    threads = [threading.Thread(target=build, args=["executorch"]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == ["native executorch runner"]
    assert (build("executorch") / PROGRAM).is_file()


@pytest.fixture
def sources(monkeypatch, tmp_path):
    """A copy that may be changed."""
    shutil.copytree(building.SOURCES, tmp_path / "native")
    monkeypatch.setattr(building, "SOURCES", tmp_path / "native")
    return tmp_path / "native"


def test_other_sources_are_built_anew_and_an_error_is_one_line(executorch, sources, empty_cache):
    (sources / "src/timing.cpp").write_text('#include "timing.h"\nint broken( { return 1; }\n')
    steps = []
    with pytest.raises(RunnerError) as caught:
        build("executorch", on_step=steps.append)
    message = str(caught.value)
    assert message.startswith("the native executorch runner cannot be built: ")
    assert "timing.cpp:2:" in message
    assert "error: " in message
    assert "\n" not in message
    assert len(steps) == 1
    assert not list(empty_cache.rglob(PROGRAM))  # nor half of one
    assert [path.suffix for path in (empty_cache / "native").iterdir()] == [".lock"]


def test_elsewhere_than_on_linux_it_says_so(executorch, empty_cache, monkeypatch):
    monkeypatch.setattr(building.sys, "platform", "win32")
    with pytest.raises(RunnerError, match="is built on Linux; use the python runner here"):
        build("executorch")


def test_without_cmake_the_extra_is_named(executorch, empty_cache, monkeypatch):
    monkeypatch.setattr(building.shutil, "which", lambda name, path=None: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'glint-edge\[native\]'"):
        build("executorch", Toolchain("other", cmake_file=Path(__file__)))
    with pytest.raises(RunnerError, match="no C\\+\\+ compiler was found; install one"):
        build("executorch")


def test_an_old_cmake_is_none(executorch, empty_cache, monkeypatch, tmp_path):
    old = tmp_path / "cmake"
    old.write_text("#!/bin/sh\necho cmake version 3.25.1\n")
    old.chmod(0o755)
    which = shutil.which
    monkeypatch.setattr(
        building.shutil, "which",
        lambda name, path=None: str(old) if name == "cmake" else which(name, path=path),
    )  # fmt: skip
    with pytest.raises(MissingExtraError, match=r"glint-edge\[native\]"):
        build("executorch")


def test_a_cache_that_cannot_be_written_is_told(executorch, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path / "file"))
    with pytest.raises(RunnerError, match="set GLINT_EDGE_CACHE to a folder you can write"):
        build("executorch")


def test_unknown_targets_and_foreign_folders_are_refused(tmp_path):
    known = "there is no native runner for coreml; it runs c, executorch, onnx, tflite"
    with pytest.raises(RunnerError, match=known):
        build("coreml")
    with pytest.raises(RunnerError, match="holds no onnxruntime; unpack its wheel"):
        find_packages("onnx", tmp_path)
