"""What a run reads like in the terminal."""

import json
from dataclasses import replace

import pytest
from rich.console import Console

from device_bench.judge.rows import BenchResult, Row
from device_bench.measure.statistics import Latency
from device_bench.reports.terminal import render
from tests.device_bench.makers import printed
from tests.device_bench.reports.documents import document_of


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
        "threads: 1",
        "runner: python",
        "24 held",
        "app: µs a tap, in a session longer than its window of N items",
        "tap beyond N",
        "tap anew",
    ):
        assert words in text
    assert "not measured" not in text
    assert "✗" in text
    assert "✓" in text
    assert f"{reference.rows[0].ndcg_at_10:.4f} ({reference.rows[0].ndcg_at_10_float:.4f})" in text


@pytest.mark.parametrize(("width", "cut"), [(30, True), (80, False), (200, False)])
def test_no_figure_is_cut_at_80_columns_and_no_sentence_at_any(reference, width, cut):
    failed = replace(reference.rows[0], ok=False, failures=("it died of something long to tell",))
    text = printed(replace(reference, rows=(failed,)), width=width)
    assert ("…" in text) is cut
    assert "it died of something long to tell" in text
    assert "Compared with the float model over 24 held-out histories." in text


def test_bundles_stand_side_by_side(reference):
    times = {"20": Latency(1, 2, 3), "50": Latency(456, 500, 600)}
    common = {"target": "onnx", "ok": True, "threads": 1, "cold_start_us": times}
    small = Row(
        precision="int8", file_bytes=254_000, agreement={"tflite": 0.9884, "x": 0.99}, **common
    )
    large = Row(precision="fp16", file_bytes=470_000, **common)
    one, other = (replace(reference, name=row.precision, rows=(row,)) for row in (small, large))
    text = printed(one, other)
    for words in ("int8, fp16: µs a call", "onnx int8", "onnx fp16", "254", "470", "456", "0.9884"):
        assert words in text
    assert text.count("threads: 1") == 1, "notes are said once"
    assert "beyond" not in text, "all of a history counts"
    rows = [row for result in (one, other) for row in result.to_dict()["rows"]]
    assert [row["bundle"] for row in rows] == ["int8", "fp16"]
    assert json.loads(json.dumps(rows))[0]["cold_start_us"]["50"] == {
        "p50": 456, "p90": 500, "p99": 600,
    }  # fmt: skip


def test_the_report_says_why_accuracy_was_not_measured():
    assert "Accuracy was not measured: no data." in printed(BenchResult("app", (), 1, "no data"))


def warned(*rows):
    """Lines of warnings below the tables."""
    made = [
        Row(target=f"target{n}", precision="int8", file_bytes=1, ok=True, threads=1, rounds=1,
            append_us=Latency(1, 1, 1), interval_us={"append": (1, 1)}, warnings=tuple(warnings))
        for n, warnings in enumerate(rows)
    ]  # fmt: skip
    text = Console(width=200)
    with text.capture() as said:
        text.print(render(document_of(*BenchResult("app", tuple(made), 1, "").to_dict()["rows"])))
    return [line.rstrip()[2:] for line in said.get().splitlines() if line.startswith("! ")]


def test_few_warnings_are_all_told():
    assert warned([], []) == []
    assert warned(["append: slow"], []) == ["target0 int8: append: slow"]
    assert warned(["the machine was busy"], ["the machine was busy"]) == ["the machine was busy"]


def test_many_warnings_are_a_line_a_row_what_explains_others_first():
    busy = ["append: 3%", "append: 9%", "the clock fell", "hot"]
    assert warned(busy, ["append: 1%", "hot"]) == [
        "hot", "target0 int8: the clock fell (and 2 more)", "target1 int8: append: 1%",
        "5 warnings in all; --html and --json have each",
    ]  # fmt: skip
    many = warned(*([f"append: {n}"] for n in range(20)))
    assert len(many) == 7
    assert many[-1].startswith("20 warnings in all")
