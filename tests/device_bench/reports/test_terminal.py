"""What a run reads like in the terminal."""

import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from device_bench.judge.rows import BenchResult, Row
from device_bench.measure.machine import Conditions, condition_warnings
from device_bench.measure.statistics import Latency, busy_warnings, speed_warnings, warnings_of
from device_bench.reports.terminal import render
from tests.device_bench.makers import printed
from tests.device_bench.reports.documents import document_of, row_of


def test_the_report_tells_everything_at_80_columns(reference):
    failed = Row(
        target="executorch", precision="int8", file_bytes=378_824, ok=False, threads=1,
        failures=("the [bold]executorch[/] process died with signal 11 (SIGSEGV)", "and more"),
    )  # fmt: skip
    result = replace(reference, rows=(failed, *reference.rows))
    text = printed(result)
    for failure in result.failures:
        assert failure in text
    for words in (
        "torch fp32",
        "executorch int8",
        "379",
        "threads 1; rounds 3; from Python, unless named",
        "24 held",
        "✗ failed",
        "✓ good",
        "For Android, iOS and C++: none. executorch int8 failed.",
        f"{reference.rows[0].ndcg_at_10:.4f}",
    ):
        assert words in text
    assert "not measured" not in text
    assert text.count("verdict") == 1, "one table"


@pytest.mark.parametrize(("width", "cut"), [(30, True), (80, False), (200, False)])
def test_no_figure_is_cut_at_80_columns_and_no_sentence_at_any(reference, width, cut):
    failed = replace(reference.rows[0], ok=False, failures=("it died of something long to tell",))
    text = printed(replace(reference, rows=(failed,)), width=width)
    assert ("…" in text) is cut
    assert "it died of something long to tell" in text
    assert "NDCG@10: over 24 held-out histories." in text


def test_bundles_stand_side_by_side(reference):
    times = {"20": Latency(1, 2, 3), "50": Latency(456, 500, 600)}
    common = {"target": "onnx", "ok": True, "threads": 1, "cold_start_us": times}
    small = Row(
        precision="int8", file_bytes=254_000, agreement={"tflite": 0.9884, "x": 0.99}, **common
    )
    large = Row(precision="fp16", file_bytes=470_000, **common)
    one, other = (replace(reference, name=row.precision, rows=(row,)) for row in (small, large))
    text = printed(one, other)
    for words in ("int8, fp16", "onnx int8", "onnx fp16", "254", "470", "456",
                  "onnx and tflite (int8) share 98.8% of their top 10."):  # fmt: skip
        assert words in text
    assert text.count("threads 1") == 1, "notes are said once"
    assert "beyond" not in text, "all of a history counts"
    rows = [row for result in (one, other) for row in result.to_dict()["rows"]]
    assert [row["bundle"] for row in rows] == ["int8", "fp16"]
    assert json.loads(json.dumps(rows))[0]["cold_start_us"]["50"] == {
        "p50": 456, "p90": 500, "p99": 600,
    }  # fmt: skip


def test_the_report_says_why_accuracy_was_not_measured():
    assert "Accuracy was not measured: no data." in printed(BenchResult("app", (), 1, "no data"))


def shown(document, width):
    console = Console(width=width)
    with console.capture() as said:
        console.print(render(document))
    return said.get()


def warned(*rows):
    """Lines of warnings below the tables."""
    made = [
        Row(target=f"target{n}", precision="int8", file_bytes=1, ok=True, threads=1, rounds=1,
            append_us=Latency(1, 1, 1), interval_us={"append": (1, 1)}, warnings=tuple(warnings))
        for n, warnings in enumerate(rows)
    ]  # fmt: skip
    rows = BenchResult("app", tuple(made), 1, "").to_dict()["rows"]
    lines = shown(document_of(*rows), width=200).splitlines()
    return [line.rstrip()[2:] for line in lines if line.startswith("! ")]


def test_warnings_of_one_cause_are_said_once():
    assert warned([], []) == []
    assert warned(["append: slow"], []) == ["target0 int8: append: slow"]
    assert warned(["it was hot"], ["it was hot"]) == ["it was hot"]
    assert warned([], *[["it was hot"]] * 5) == [
        "target1 int8, target2 int8, target3 int8 and 2 more: it was hot"
    ]
    fewer = "{}: {} timed calls only, the time budget was used up"
    assert warned([fewer.format("append", 37)], [], [fewer.format("append", 8)]) == [
        "target0 int8, target2 int8: append: 8 timed calls only, the time budget was used up"
    ]


def test_a_noisy_machine_is_one_line():
    """In the words of what measures, whatever they are."""
    quiet, loud = (Conditions(load, 2000.0, None, 0) for load in (0.1, 5.3))
    slow = np.array([1e5] * 90 + [9e5] * 10)
    said = [
        *condition_warnings(loud, replace(quiet, megahertz=1000.0, throttled=3, celsius=90.0)),
        *busy_warnings([(slow, 6e4)]),
        *speed_warnings([slow, 2 * slow]),
        *warnings_of("append", [slow, 3 * slow], 0),
        "append: the times were not steady after the warm-up",
        "recommend was still not steady after 400 calls",
    ]
    assert len(said) == 10
    assert warned(said, said) == [
        "noisy machine: load 5.3, its speed changed by 100 %, 33 % of the CPU, rounds 3.0 times "
        "apart, 5 % slow calls, never steady, a clock that fell, heat, 90 °C",
        "20 warnings in all; --html and --json have each",
    ]


def test_many_causes_are_not_all_told():
    many = warned(*([f"cause {'x' * n}"] for n in range(20)))
    assert len(many) == 7
    assert many[-1].startswith("20 warnings in all")


def test_there_are_bars_where_they_have_room_and_the_best_is_marked():
    rows = row_of(), row_of("onnx", times=2.0, file_bytes=254_000), row_of("torch", times=50.0)
    wide, narrow = (shown(document_of(*rows), width=width).splitlines() for width in (120, 80))
    taps = [line for line in wide if line.startswith(("tflite", "onnx", "torch int8"))][:3]
    assert [" ".join(line.split()[2:]) for line in taps] == [
        "★ 38.0 ± 1.5 ████ ★ 200 303 ★ 23.4 ★ 0.0597 ✓ good",
        "76.0 ± 3.0 ████████ 400 ★ 254 ★ 23.4 ★ 0.0597 ✓ good",
        "1,900 ± 76 ███████» 10,000 303 23.4 0.0597 ✓ good",
    ]  # fmt: skip
    assert not any("█" in line for line in narrow)
    assert sum("★" in line for line in narrow) == 3
