"""Where an artifact's time goes: real profilers of real files, and what goes wrong."""

import io
import re
import signal
import sys
from functools import cache
from xml.etree import ElementTree

import pytest
from rich.console import Console

from converters.targets import find_target
from device_bench.profiling import profile as profile_module
from device_bench.profiling import worker as profile_worker
from device_bench.profiling.fine_clock import fine_clock
from device_bench.profiling.flame import flame_svg
from device_bench.profiling.profile import ProfileJob, profile
from device_bench.profiling.table import render_profile
from glint_edge.checkpoints.checkpoint import Checkpoint, save_checkpoint
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.errors import BundleError, RunnerError
from tests import conversions
from tests.converters.programs import OPTIONS, small_program

HISTORIES = [[5, 9, 77, 3, 8, 120], [1], []]
METHODS = ["append", "append_many", "recommend"]
TARGETS = (pytest.param("executorch", marks=pytest.mark.full), "onnx", "tflite")
# What must be found, by target: an int8 matrix product, and what picks the best.
PRODUCT = {
    "executorch": "Fully Connected int8",
    "onnx": "DynamicQuantizeMatMul",
    "tflite": "Fully Connected int8",
}
TOP_K = {"executorch": "topk", "onnx": "TopK", "tflite": "TOPK_V2"}

needs_fine_clock = pytest.mark.skipif(fine_clock() is None, reason="needs Linux and a C compiler")


@pytest.fixture(scope="module")
def files(artifacts, model, tmp_path_factory):
    """An int8 program and its file, by target: those of the slow ones have other tests too."""
    pytest.importorskip("onnxruntime", reason="needs glint-edge[onnx]")
    pytest.importorskip("ai_edge_litert", reason="needs glint-edge[litert]")
    program, small = artifacts["int8"].program, small_program("int8")
    onnx = tmp_path_factory.mktemp("profiled") / "int8.onnx"
    conversions.convert(program, find_target("onnx"), onnx)
    return {
        "executorch": (program, artifacts["int8"].path),
        "onnx": (program, onnx),
        "tflite": (small, conversions.converted(small, "tflite", OPTIONS)),
    }


@pytest.fixture(scope="module")
def profiles(files):
    """By target, each made when a test first asks for it."""

    def make(target):
        program, path = files[target]
        return profile(target, path, program.config.to_dict(), program.top_k, HISTORIES, runs=40)

    return cache(make)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_operators_account_for_a_method_of_a_real_file(profiles, target):
    profiled = profiles(target)
    assert profiled.target == target
    assert re.search(r" \d+\.\d+", profiled.runtime)
    assert [method.name for method in profiled.methods] == METHODS
    for method in profiled.methods:
        assert all(operator.us >= 0 and operator.calls >= 1 for operator in method.operators)
        # Recording costs, on a shared machine all the more; a wrong unit is off by a thousand.
        assert 0.1 * method.method_us < method.operators_us < 8 * method.method_us
        assert method.operators_us < method.profiled_us
        assert sum(one.share for one in method.operators) <= 1 + 1e-9
        assert PRODUCT[target] in {one.kind for one in method.operators}
    assert TOP_K[target] in {one.kind for one in profiled.methods[-1].operators}
    assert profiled.note.endswith(".")


@pytest.mark.slow
@needs_fine_clock
@pytest.mark.parametrize("target", TARGETS)
def test_nanoseconds_show_nearly_every_operator(profiles, target):
    profiled = profiles(target)
    assert profiled.resolution_ns == 1
    for method in profiled.methods:
        shown = [operator for operator in method.operators if operator.us > 0]
        assert len(shown) > 0.8 * len(method.operators)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_who_runs_an_operator_is_told(profiles, target):
    methods = profiles(target).methods
    assert {one.provider for method in methods for one in method.operators} == {
        "executorch": {"XNNPACK", "ExecuTorch"},
        "onnx": {"CPUExecutionProvider"},
        "tflite": {"XNNPACK", "LiteRT"},
    }[target]


@pytest.mark.slow
def test_onnx_keeps_the_methods_of_its_one_graph_apart_and_fuses_the_recurrence(profiles):
    append, many, recommend = profiles("onnx").methods
    for method in (append, many, recommend):
        assert f"{method.name}/GRU" in {operator.name for operator in method.operators}
    assert not any(one.kind == "TopK" for one in (*append.operators, *many.operators))
    assert not any(one.kind == "If" for one in many.operators)
    assert many.items == 25


@pytest.mark.full
@pytest.mark.slow
def test_a_chunk_has_its_steps(profiles):
    append, many, _ = profiles("executorch").methods
    assert (append.items, many.items) == (1, 4)
    sigmoids = [
        sum(one.calls for one in method.operators if one.kind == "Sigmoid")
        for method in (append, many)
    ]
    assert sigmoids[1] >= sigmoids[0] + 3


@pytest.mark.full
@pytest.mark.slow
def test_xnnpack_has_its_set_up_on_every_call(profiles):
    for method in profiles("executorch").methods:
        assert sum(one.us for one in method.operators if one.kind == "set-up") > 1


@pytest.mark.slow
def test_without_a_finer_clock_the_profile_says_so(files, monkeypatch):
    program, path = files["onnx"]
    monkeypatch.setattr(profile_module, "fine_clock", lambda: None)
    profiled = profile("onnx", path, program.config.to_dict(), program.top_k, HISTORIES, runs=20)
    assert profiled.resolution_ns == 1000
    assert "whole microseconds" in profiled.note
    assert all(method.operators_us > 0 for method in profiled.methods)


def test_a_file_of_something_else_is_refused_in_a_sentence(model, tmp_path):
    pytest.importorskip("onnxruntime", reason="needs glint-edge[onnx]")
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no model at all" * 9)
    with pytest.raises(RunnerError, match="export it again") as caught:
        profile("onnx", path, model.config.to_dict(), 10, HISTORIES)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_refused(model, tmp_path):
    with pytest.raises(BundleError, match="does not exist; export it again"):
        profile("onnx", tmp_path / "model.onnx", model.config.to_dict(), 10, HISTORIES)


@pytest.fixture
def checkpoint(model, tmp_path):
    """The float stream in torch: a target that needs no conversion and has no profiler."""
    keys = ("", *(f"k{n}" for n in range(1, 41)))
    save_checkpoint(Checkpoint(model, Catalogue(keys, {}), DataSource("x", "x")), tmp_path)
    return tmp_path


def test_a_profiler_that_fails_leaves_the_times(model, checkpoint, monkeypatch):
    monkeypatch.setitem(profile_worker.MODULES, "torch", "json")  # has no `record`
    monkeypatch.setattr(profile_worker, "pin", lambda threads: None)  # this process goes on
    job = ProfileJob("torch", str(checkpoint), model.config.to_dict(), 5, [[1, 2]], 5, 1)
    profiled = profile_worker._profile(job)
    assert (
        profiled.note == "The runtime's profiler failed (module 'json' has no attribute 'record')."
    )
    assert all(method.method_us > 0 and not method.operators for method in profiled.methods)


@pytest.mark.full
def test_a_target_without_a_profiler_has_times_and_a_note(model, checkpoint):
    profiled = profile("torch", checkpoint, model.config.to_dict(), 5, HISTORIES, runs=20)
    assert profiled.note == "There is no profiler for this target."
    assert [method.name for method in profiled.methods] == METHODS
    assert all(method.method_us > 1 and method.profiled_us is None for method in profiled.methods)
    shown = io.StringIO()
    Console(file=shown, width=80).print(render_profile("torch fp32", profiled))
    assert "append: " in shown.getvalue()
    assert len(ElementTree.fromstring(flame_svg("torch fp32", profiled))) == 1  # its title


def worker(monkeypatch, code):
    monkeypatch.setattr(profile_module, "WORKER", (sys.executable, "-c", code))


def test_a_process_that_dies_is_told_by_its_signal(model, tmp_path, monkeypatch):
    worker(monkeypatch, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(RunnerError, match=f"died with signal {signal.SIGKILL.value} "):
        profile("onnx", tmp_path, model.config.to_dict(), 10, HISTORIES)


def test_a_process_without_a_result_is_told_by_its_last_line(model, tmp_path, monkeypatch):
    worker(monkeypatch, "import sys; sys.exit('no memory\\nfor this')")
    with pytest.raises(RunnerError, match="exit code 1 and no result: for this"):
        profile("onnx", tmp_path, model.config.to_dict(), 10, HISTORIES)


def test_a_process_that_hangs_is_stopped(model, tmp_path, monkeypatch):
    worker(monkeypatch, "import time; time.sleep(60)")
    monkeypatch.setattr(profile_module, "TIMEOUT", 0.5)
    with pytest.raises(RunnerError, match="and was stopped"):
        profile("onnx", tmp_path, model.config.to_dict(), 10, HISTORIES)
