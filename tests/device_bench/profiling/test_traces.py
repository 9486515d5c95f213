"""What the runtimes' profilers record, parsed into operators."""

from collections import namedtuple
from types import SimpleNamespace

import pytest

from device_bench.profiling.records import WARMUP, Record, Recording, method_of, typical
from device_bench.profiling.xnnpack_names import kind_of

METHODS = ["append", "append_many", "recommend"]

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
    assert [records(actual) for actual in records_of(call * 2)] == [expected, expected]


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
