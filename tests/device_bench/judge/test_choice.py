"""Which artifact an app of each platform takes, and why."""

from dataclasses import replace

import pytest

from device_bench.document import SCHEMA
from device_bench.judge.choice import choices
from glint_edge.apps.module import find_platform
from tests.device_bench.reports.documents import row_of

RUN = {
    "web": ("onnx", "tflite"), "android": ("executorch", "tflite", "onnx"),
    "ios": ("executorch",), "cpp": ("executorch",), "python": ("onnx", "tflite"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _platforms(monkeypatch):
    """What each can run, whatever it may run one day."""
    monkeypatch.setattr(
        "device_bench.judge.choice.find_platform",
        lambda name: replace(find_platform(name), targets=RUN[name]),
    )


def said(*rows):
    return [str(choice) for choice in choices(rows)]


def test_the_quickest_is_taken_where_it_runs():
    rows = row_of(), row_of("onnx", times=4.0), row_of("executorch", times=2.0)
    assert said(*rows) == [
        "For the web, Android and Python: tflite int8, 38.0 µs a tap (from Python), 303 KB, ranks "
        "as the float model: 0.0597 of 0.0599. The quickest: executorch int8 takes 2.00 times as "
        "long.",
        "For iOS and C++: executorch int8, 76.0 µs a tap (from Python), 303 KB, ranks as the float "
        "model: 0.0597 of 0.0599. The only one here that runs there.",
    ]


def test_of_those_that_are_not_told_apart_the_smallest_is_taken():
    rows = row_of(), row_of("onnx", times=1.05, file_bytes=254_000)
    (first, second) = said(*rows)
    assert "Python: onnx int8, 39.9 µs a tap (from Python), 254 KB" in first
    assert "Smaller than tflite int8, and this run cannot tell which is quicker." in first
    assert second == "For iOS and C++: none. It runs executorch: export one of them."


def test_rounds_that_scatter_tell_nothing_apart():
    def timed(target, rounds, **figures):
        return row_of(target, medians_us={"append": rounds, "recommend": rounds}, **figures)

    steady = timed("onnx", [40.0, 41.0, 39.0], times=2.0, file_bytes=254_000)
    quick, wild = (timed("tflite", rounds) for rounds in ([20.0, 20.5, 19.5], [5.0, 20.0, 45.0]))
    assert "tflite int8, 38.0 µs" in said(quick, steady)[0]
    assert "2.00 (1.89 to 2.12) times" in said(quick, steady)[0]
    assert "onnx int8, 76.0 µs" in said(wild, steady)[0]


def test_what_is_nearest_to_the_platform_decides():
    native = row_of("onnx", runner="native", times=0.5)
    phone = row_of("onnx", runner="adb", device="Pixel 8", times=3.0)
    emulated = row_of("onnx", runner="arm64", device="cortex-a76", times=None)
    by_platform = {
        platform: choice.row["runner"]
        for choice in choices([row_of("onnx"), native, phone, emulated])
        for platform in choice.platforms
        if choice.row
    }
    assert by_platform == {"the web": "adb", "Android": "adb", "Python": "python"}
    web = choices([row_of("onnx"), native, emulated])[0]
    assert (web.platforms[0], web.row) == ("the web", native)
    (untimed, *_) = said(emulated)
    assert "onnx int8, not timed, 303 KB, ranks as the float model" in untimed


def test_nothing_bad_is_taken_and_it_is_said_why():
    failed = row_of(ok=False, failures=["wrong"])
    stock = row_of("onnx", "fp32", runner="stock", times=0.1)
    assert said(failed, stock)[0] == "For the web, Android and Python: none. tflite int8 failed."
    assert said(stock, row_of("torch", "fp32")) == said() == []
    open_question = row_of(cannot_tell=["cannot tell with these few histories"])
    assert "as the float model, as far as so few histories tell: 0.0597" in said(open_question)[0]
    unknown = row_of(ndcg_at_10=None, ndcg_at_10_float=None)
    assert "303 KB, gives the golden lists. " in said(unknown)[0]


@pytest.mark.parametrize(("of_float", "several"), [(0.0599, False), (0.07, True)])
def test_bundles_of_one_model_are_chosen_from_together(of_float, several):
    small = row_of(bundle="small", times=0.5, ndcg_at_10_float=of_float)
    first = said(row_of(bundle="large"), small)[0]
    if several:
        assert first.startswith("large: For the web, Android and Python: tflite int8, 38.0 µs")
    else:
        assert first.startswith("For the web, Android and Python: tflite int8 of small, 19.0 µs")
        assert "The quickest: tflite int8 of large takes 2.00 times" in first


def test_programs_are_told_too():
    told = choices([row_of()])[0].to_dict()
    assert told["platforms"] == ["the web", "Android", "Python"]
    assert (told["target"], told["runner"], told["bundle"]) == ("tflite", "python", "app")
    assert all(f'"{name}"' in SCHEMA.read_text("utf-8") for name in told)
