"""Markdown: a table with failures below."""

import re

from device_bench.reports.html import html
from device_bench.reports.markdown import markdown
from tests.device_bench.reports.documents import EVIL, document_of, row_of


def test_generated_models_are_told_apart_by_their_shape(scaled):
    page, text = html(scaled), markdown(scaled)
    assert page.count("<small>10,000 × 64</small>") == 2 * 2  # in each table a target each
    assert "|  | tap µs | cold 200 µs | file KB | added MB | verdict |" in text
    assert "| onnx int8 1,000 × 64 | 88.0 ± 3.5 | 4,400 | **64** | – | ✅ good |" in text
    assert "| onnx int8 1,000,000 × 64 | – | – | – | – | ❌ not made |" in text
    assert "For " not in text, "weights drawn at random choose nothing"
    assert "- ❌ onnx int8 1,000,000 × 64: too large" in text


def test_markup_in_a_document_is_text_in_markdown():
    lines = markdown(document_of(
        row_of(EVIL, failures=[f"one\n\n# {EVIL}"], warnings=[EVIL], ok=False, note=EVIL)
    )).splitlines()  # fmt: skip
    text = "\n".join(lines)
    assert "<script" not in text
    assert not re.search(r"(?<!\\)[`*]", text)
    assert not any(line.startswith("# ") for line in lines)
    header, _, row, *_ = (line for line in lines if line.startswith("|"))
    cells = re.compile(r"(?<!\\)\|")
    assert len(cells.findall(row)) == len(cells.findall(header))


def test_taps_beyond_the_window_have_columns_where_they_were_timed():
    tap = {"tap_beyond_us": {"p50": 61.2, "p90": 70, "p99": 80},
           "tap_anew_us": {"p50": 1050, "p90": 1100, "p99": 1200},
           "interval_us": {"tap_beyond": [60.2, 61.7], "tap_anew": [1040, 1060]}}  # fmt: skip
    document = document_of(row_of(**tap), row_of("onnx"))
    text, page = markdown(document), html(document)
    assert "| recommend µs | tap beyond N µs | tap anew µs | cold 20 µs |" in text
    assert "| tflite int8 | 38.0 | 8.00 | 30.0 | 61.2 ± 1.0 | 1,050 ± 10 | 90.0 | 200 |" in text
    assert "| onnx int8 | 38.0 ± 1.5 | 8.00 ± 0.32 | 30.0 ± 1.2 | – | – | 90.0 | 200 |" in text
    assert "tap beyond N" in page
    assert "60.2–61.7" in page
    assert "beyond" not in markdown(document_of(row_of())) + html(document_of(row_of()))


def test_markdown_is_a_table_with_failures_below(full):
    text = markdown(full)
    assert "| app: onnx int8 | 190 ± 8 | 1,000 | **254** | **23.4** | 0.0596 (0.0599) |" in text
    assert (
        "| app: tflite int8 | **38.0 ± 1.5** | **200** | 303 | **23.4** | **0.0597 (0.0599)** |"
        in text
    )
    assert "app: tflite int8 (arm64 cortex-a76)" in text
    assert "- ❌ other: onnx int8: the process died of SIGSEGV" in text
    assert "<summary>1 warning, and notes</summary>" in text
    assert text.count("✅ good |") == 6
    assert text.index("- For ") < text.index("| ") < text.index("<summary>All figures")
