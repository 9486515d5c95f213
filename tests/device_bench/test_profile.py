"""Where an artifact's time goes: real profilers of real files, their parsers, table and picture."""

import io
import json
import re
import signal
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from rich.console import Console

from converters.targets import find_target
from device_bench.profiling import fine_clock as clock_module
from device_bench.profiling import profile as profile_module
from device_bench.profiling import worker as profile_worker
from device_bench.profiling.fine_clock import clock_speed, fine_clock, preloading
from device_bench.profiling.flame import OTHERS, areas_of, flame_svg
from device_bench.profiling.profile import Method, Operator, Profile, ProfileJob, profile
from device_bench.profiling.records import WARMUP, Record, Recording, method_of, typical
from device_bench.profiling.table import render_profile
from device_bench.profiling.xnnpack_names import kind_of
from glint_edge.checkpoints.checkpoint import Checkpoint, save_checkpoint
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.source import DataSource
from glint_edge.errors import BundleError, RunnerError

HISTORIES = [[5, 9, 77, 3, 8, 120], [1], []]
METHODS = ["append", "append_many", "recommend"]
SUFFIX = {"executorch": ".pte", "onnx": ".onnx", "tflite": ".tflite"}
# What must be found, by target: an int8 matrix product, and what picks the best.
PRODUCT = {
    "executorch": "Fully Connected int8",
    "onnx": "DynamicQuantizeMatMul",
    "tflite": "Fully Connected int8",
}
TOP_K = {"executorch": "topk", "onnx": "TopK", "tflite": "TOPK_V2"}

needs_fine_clock = pytest.mark.skipif(fine_clock() is None, reason="needs Linux and a C compiler")


# ---- real files ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(artifacts, tmp_path_factory):
    """One int8 program in every target's file."""
    pytest.importorskip("onnxruntime", reason="needs glint-edge[onnx]")
    pytest.importorskip("ai_edge_litert", reason="needs glint-edge[litert]")
    from converters import convert

    program, folder = artifacts["int8"].program, tmp_path_factory.mktemp("profiled")
    made = {"executorch": artifacts["int8"].path}
    for target in ("onnx", "tflite"):
        made[target] = folder / f"int8{SUFFIX[target]}"
        convert(program, find_target(target), made[target])
    return program, made


@pytest.fixture(scope="module")
def profiles(files):
    program, paths = files
    config = program.config.to_dict()
    return {
        target: profile(target, path, config, program.top_k, HISTORIES, runs=40)
        for target, path in paths.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("target", SUFFIX)
def test_operators_account_for_a_method_of_a_real_file(profiles, target):
    found = profiles[target]
    assert found.target == target
    assert re.search(r" \d+\.\d+", found.runtime)
    assert [method.name for method in found.methods] == METHODS
    for method in found.methods:
        assert all(operator.us >= 0 and operator.calls >= 1 for operator in method.operators)
        # Recording costs, on a shared machine all the more; a wrong unit is off by a thousand.
        assert 0.1 * method.method_us < method.operators_us < 8 * method.method_us
        assert method.operators_us < method.profiled_us
        assert sum(one.share for one in method.operators) <= 1 + 1e-9
        assert PRODUCT[target] in {one.kind for one in method.operators}
    assert TOP_K[target] in {one.kind for one in found.methods[-1].operators}
    assert found.note.endswith(".")


@pytest.mark.slow
@needs_fine_clock
@pytest.mark.parametrize("target", SUFFIX)
def test_nanoseconds_show_nearly_every_operator(profiles, target):
    found = profiles[target]
    assert found.resolution_ns == 1
    for method in found.methods:
        shown = [operator for operator in method.operators if operator.us > 0]
        assert len(shown) > 0.8 * len(method.operators)


@pytest.mark.slow
def test_who_runs_an_operator_is_told(profiles):
    providers = {
        target: {one.provider for method in found.methods for one in method.operators}
        for target, found in profiles.items()
    }
    assert providers == {
        "executorch": {"XNNPACK", "ExecuTorch"},
        "onnx": {"CPUExecutionProvider"},
        "tflite": {"XNNPACK", "LiteRT"},
    }


@pytest.mark.slow
def test_onnx_keeps_the_methods_of_its_one_graph_apart_and_fuses_the_recurrence(profiles):
    append, many, recommend = profiles["onnx"].methods
    for method in (append, many, recommend):
        assert f"{method.name}/GRU" in {operator.name for operator in method.operators}
    assert not any(one.kind == "TopK" for one in (*append.operators, *many.operators))
    assert not any(one.kind == "If" for one in many.operators)
    assert many.items == 25


@pytest.mark.slow
def test_a_chunk_has_its_steps(profiles):
    append, many, _ = profiles["executorch"].methods
    assert (append.items, many.items) == (1, 4)
    sigmoids = [
        sum(one.calls for one in method.operators if one.kind == "Sigmoid")
        for method in (append, many)
    ]
    assert sigmoids[1] >= sigmoids[0] + 3


@pytest.mark.slow
def test_xnnpack_has_its_set_up_on_every_call(profiles):
    for method in profiles["executorch"].methods:
        assert sum(one.us for one in method.operators if one.kind == "set-up") > 1


@pytest.mark.slow
def test_without_a_finer_clock_the_profile_says_so(files, monkeypatch):
    program, paths = files
    monkeypatch.setattr(profile_module, "fine_clock", lambda: None)
    found = profile("onnx", paths["onnx"], program.config.to_dict(), 10, HISTORIES, runs=20)
    assert found.resolution_ns == 1000
    assert "whole microseconds" in found.note
    assert all(method.operators_us > 0 for method in found.methods)


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
    found = profile_worker._profile(job)
    assert found.note == "The runtime's profiler failed (module 'json' has no attribute 'record')."
    assert all(method.method_us > 0 and not method.operators for method in found.methods)


def test_a_target_without_a_profiler_has_times_and_a_note(model, checkpoint):
    found = profile("torch", checkpoint, model.config.to_dict(), 5, HISTORIES)
    assert found.note == "There is no profiler for this target."
    assert [method.name for method in found.methods] == METHODS
    assert all(method.method_us > 1 and method.profiled_us is None for method in found.methods)
    assert "append: " in text_of(found)
    assert len(svg_of(found)) == 1  # its title


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


# ---- the finer clock ----------------------------------------------------------------------------

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


# ---- parsers ------------------------------------------------------------------------------------

Event = namedtuple("Event", "name instruction_id delegate_debug_id_str start_time end_time")


def block(*events, name="Execute"):
    return SimpleNamespace(
        name=name, events=[SimpleNamespace(profile_event=event) for event in events]
    )


def records(call):
    return [(one.name, one.kind, one.provider, one.ns) for one in call]


def test_etdump_gives_kernels_set_up_and_the_delegates_operators():
    pytest.importorskip("executorch", reason="needs glint-edge[executorch]")
    from device_bench.profiling.executorch_trace import records_of

    load = block(Event("Method::init", 0, None, 0, 9), name="Default")
    call = block(
        Event("native_call_clamp.out", 0, None, 100, 130),
        Event("OPERATOR_CALL", 0, None, 90, 140),
        Event(None, 1, "Slice (ND, X32) #1", 250, 260),
        Event(None, 1, "Fully Connected (NC, QDU8, F32, QC8W) GEMM #1", 260, 1260),
        Event("DELEGATE_CALL", 1, None, 150, 3000),
        Event("Method::execute", 0, None, 80, 3100),
    )
    assert [records(found) for found in records_of([load, call])] == [
        [
            ("clamp.out", "clamp", "ExecuTorch", 30),
            ("set-up #1", "set-up", "XNNPACK", 100),
            ("Slice (ND, X32) #1", "Slice", "XNNPACK", 10),
            (
                "Fully Connected (NC, QDU8, F32, QC8W) GEMM #1",
                "Fully Connected int8",
                "XNNPACK",
                1000,
            ),
        ]
    ]


def test_a_delegate_without_a_profiler_is_one_operator():
    pytest.importorskip("executorch", reason="needs glint-edge[executorch]")
    from device_bench.profiling.executorch_trace import records_of

    (call,) = records_of([block(Event("DELEGATE_CALL", 2, None, 150, 3000))])
    assert records(call) == [("DELEGATE_CALL #2", "DELEGATE_CALL", "delegate", 2850)]


def test_an_executorch_without_event_tracing_is_no_error(monkeypatch, tmp_path):
    pytest.importorskip("executorch", reason="needs glint-edge[executorch]")
    from device_bench.profiling import executorch_trace as profile_executorch

    monkeypatch.setattr(profile_executorch, "_run", lambda *_: [])
    recorded = profile_executorch.record(tmp_path, dict.fromkeys(METHODS, ()), 1, 5)
    assert not recorded.methods
    assert "built without event tracing" in recorded.note


def test_a_litert_without_a_profiler_is_no_error(monkeypatch, tmp_path):
    pytest.importorskip("ai_edge_litert", reason="needs glint-edge[litert]")
    from device_bench.profiling import tflite_trace as profile_tflite

    monkeypatch.setattr(profile_tflite, "has_profiler", lambda: False)
    recorded = profile_tflite.record(tmp_path, {}, 1, 5)
    assert not recorded.methods
    assert "has no profiler" in recorded.note


def node(name, kind, at, took):
    return {
        "cat": "Node", "name": f"{name}_kernel_time", "ts": at, "dur": took,
        "args": {"op_name": kind, "provider": "CPUExecutionProvider"},
    }  # fmt: skip


def test_onnx_traces_are_cut_into_calls_in_the_order_of_time_and_without_the_branches():
    pytest.importorskip("onnxruntime", reason="needs glint-edge[onnx]")
    from device_bench.profiling.onnx_trace import records_of

    end = {"cat": "Session", "name": "model_run", "ts": 0, "dur": 50}
    events = [
        {"cat": "Session", "name": "session_initialization", "ts": 0, "dur": 5},
        node("append/GRU", "GRU", 20, 7),
        node("append/Gather", "Gather", 10, 3),
        node("new_state", "If", 8, 22),
        end,
        node("append/GRU", "GRU", 90, 8),
        end,
        node("never finished", "GRU", 120, 8),
    ]
    assert [records(call) for call in records_of(events)] == [
        [
            ("append/Gather", "Gather", "CPUExecutionProvider", 3000),
            ("append/GRU", "GRU", "CPUExecutionProvider", 7000),
        ],
        [("append/GRU", "GRU", "CPUExecutionProvider", 8000)],
    ]


def test_litert_events_are_cut_into_calls_and_numbered():
    pytest.importorskip("ai_edge_litert", reason="needs glint-edge[litert]")
    from device_bench.profiling.litert_api import Event
    from device_bench.profiling.tflite_trace import records_of

    call = [
        Event("LiteRT::Run[buffer registration]", 1, 18),
        Event("Invoke", 1, 33),
        Event("Copy (NC, X32)", 8, 2),
        Event("MAXIMUM", 2, 1),
        Event("Copy (NC, X32)", 8, 0),
        Event("TfLiteXNNPackDelegate", 2, 5),
        Event("Invoke", 32, 4294967296),
        Event("LiteRT::Run[Buffer sync]", 1, 15),
    ]
    expected = [
        ("Copy (NC, X32) #1", "Copy", "XNNPACK", 2000),
        ("MAXIMUM #1", "MAXIMUM", "LiteRT", 1000),
        ("Copy (NC, X32) #2", "Copy", "XNNPACK", 0),
        ("TfLiteXNNPackDelegate #1", "TfLiteXNNPackDelegate", "XNNPACK", 5000),
    ]
    assert [records(found) for found in records_of(call * 2)] == [expected, expected]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Fully Connected (NC, QDU8, F32, QC8W) GEMM #12", "Fully Connected int8"),
        ("Fully Connected (NC, F32) GEMM #1", "Fully Connected"),
        ("Convert (NC, F32, QDU8) #2", "Convert int8"),
        ("Reciprocal Square Root (NC) #1", "Reciprocal Square Root"),
        ("TOPK_V2", "TOPK_V2"),
        ("something #3", "something"),
    ],
)
def test_an_operators_kind_is_read_off_its_name(name, kind):
    assert kind_of(name) == kind


def test_outliers_do_not_count_and_whole_numbers_average():
    assert typical([1, 1, 2, 2, 2, 1, 9000, 0]) == 1.5
    assert typical([3.0]) == 3.0


def test_operators_are_summed_by_call_and_freed_of_a_records_cost():
    copy, product = ("c", "Copy", "X"), ("p", "Product", "X")
    call = [Record(*product, 10_020), Record(*copy, 20), Record(*copy, 20)]
    warm_up = [[Record(*product, 10**9)]] * WARMUP
    recording = Recording([*warm_up, *([call] * 8)], [10.0**9] * WARMUP + [30_000.0] * 8)
    method = method_of("append", 1, 0.02, recording, clock_speed=1000)
    product, copy = method.operators
    assert (product.name, product.calls, product.us) == ("p", 1, pytest.approx(0.010))
    assert (copy.name, copy.calls, copy.us) == ("c", 2, 0)
    assert product.share == pytest.approx(0.5)
    assert method.record_us == pytest.approx(20e-6)
    assert method.profiled_us == pytest.approx(0.030)
    assert method.rest_us == pytest.approx(0.010)


# ---- a profile as JSON, table and picture -------------------------------------------------------


def made(kinds, method_us=100.0):
    """A method of (kind, provider, times of its operators)."""
    whole = max(method_us, sum(sum(times) for *_, times in kinds))
    operators = tuple(
        Operator(f"{kind} #{n}", kind, provider, 1, us, us / whole)
        for kind, provider, times in kinds
        for n, us in enumerate(times, 1)
    )
    return Method("recommend", 0, operators, method_us, 250.0, 0.03)


@pytest.fixture
def drawn():
    method = made(
        [
            ("Fully Connected int8", "XNNPACK", [5.0, 25.0]),
            ("A<b>&'\"", "XNNPACK", [10.0]),
            ("topk", "ExecuTorch", [20.0]),
            ("Slice", "XNNPACK", [0.1] * 30),
            *((f"kind {n}", "a provider whose name is far too long", [1.0]) for n in range(9)),
        ]
    )
    return Profile("executorch", "executorch 1.5.1", 1, (method,), "All of it.")


def test_a_profile_survives_json(drawn):
    text = json.dumps(drawn.to_dict())
    assert Profile.from_dict(json.loads(text)) == drawn
    method = json.loads(text)["methods"][0]
    assert method["operators_us"] == pytest.approx(72)
    assert method["rest_us"] == pytest.approx(28)


def test_operators_beyond_the_methods_time_leave_no_rest():
    method = made([("a", "X", [80.0, 40.0])])
    assert (method.whole_us, method.rest_us) == (120, 0)


def text_of(found, width=80):
    out = io.StringIO()
    Console(file=out, width=width).print(render_profile("executorch int8", found))
    return out.getvalue()


def test_the_table_fits_80_columns_and_adds_up(drawn):
    wide, text = text_of(drawn, 200), text_of(drawn)
    assert max(map(len, text.splitlines())) <= 80
    table = [line for line in wide.splitlines() if line.startswith(("│", "┃"))]
    assert table == [line for line in text.splitlines() if line.startswith(("│", "┃"))]
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table[1:]]
    assert rows[0][:4] == ["XNNPACK: Fully Connected int8", "2", "30.0", "30%"]
    assert rows[-1][:4] == ["in no operator", "", "28.0", "28%"]
    assert sum(float(row[2]) for row in rows) == pytest.approx(100)
    assert sum(int(row[1]) for row in rows[:-1]) == 43
    bars = [len(row[4]) for row in rows]
    assert bars[0] == max(bars) == 12
    assert "recommend: 100.0 µs, 72.0 in operators (profiled: 250.0)" in text
    assert "All of it." in text


def svg_of(found):
    return ElementTree.fromstring(flame_svg("executorch int8", found))


def tag(name):
    return f"{{http://www.w3.org/2000/svg}}{name}"


def test_the_picture_is_plain_svg_with_tooltips(drawn):
    svg = svg_of(drawn)
    tags = {element.tag for element in svg.iter()}
    assert tags == {tag(name) for name in ("svg", "title", "g", "rect", "text")}
    tooltips = [group.find(tag("title")).text for group in svg.iter(tag("g"))]
    assert "Fully Connected int8 #2: 25.00 µs (25.0%)" in tooltips
    assert "A<b>&'\": 1 calls, 10.00 µs (10.0%)" in tooltips
    assert "30 more of Slice: 3.00 µs (3.0%)" in tooltips
    assert svg.find(tag("title")).text == "executorch int8: time by operator"


def test_every_row_of_the_picture_lies_within_the_one_above(drawn):
    (method,) = drawn.methods
    colours = {operator.kind: 0 for operator in method.operators}
    areas = list(areas_of(method, colours))
    rows = [[area for area in areas if area.row == row] for row in range(4)]
    assert sum(area.width for area in rows[1]) == pytest.approx(1)
    assert sum(area.width for area in rows[2]) == pytest.approx(0.72)
    assert sum(area.width for area in rows[3]) == pytest.approx(0.72)
    for above, below in pairwise(rows):
        for area in below:
            assert any(
                over.left - 1e-9 <= area.left
                and area.left + area.width <= over.left + over.width + 1e-9
                for over in above
            )
    for row in rows:
        for one, after in pairwise(row):
            assert one.left + one.width <= after.left + 1e-9


def test_kinds_keep_their_colour_from_method_to_method_and_the_small_ones_share_one(drawn):
    twice = replace(drawn, methods=(*drawn.methods, made([("topk", "ExecuTorch", [50.0])])))
    svg = svg_of(twice)
    colours = {}
    for group in svg.iter(tag("g")):
        style = group.find(tag("rect")).get("style")
        name = re.match(r"(.*): \d+ calls", group.find(tag("title")).text)
        if name:
            colours.setdefault(name[1], set()).add(style)
    assert all(len(styles) == 1 for styles in colours.values())
    assert len({next(iter(colours[kind])) for kind in ("topk", "Fully Connected int8")}) == 2
    assert f"var(--flame-{OTHERS}, " in next(iter(colours["kind 8"]))
