"""The docs point at things that are there."""

import json
import re
import runpy
from pathlib import Path

import pytest

from device_bench.document import write_document
from tests.device_bench.reports.documents import document_of, row_of

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page
    for folder in (".", "docs", "benchmarks", "tests", "examples")
    for page in (ROOT / folder).glob("*.md")
)
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
# A file of this repository, as prose and code blocks name it.
FILE = re.compile(
    r"(?<![\w./-])((?:glint_edge|quantization|converters|device_bench|benchmarks|scripts|tests)"
    r"/[\w./-]*\w\.(?:py|md|sh|json|cpp|j2))(?!\w)"
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_and_file_name_leads_somewhere(page):
    text = page.read_text("utf-8")
    broken = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    broken += [name for name in FILE.findall(text) if not (ROOT / name).exists()]
    assert broken == []


def test_tables_of_figures_are_what_the_measured_json_says():
    script = runpy.run_path(str(ROOT / "scripts/docs_tables.py"))
    for page in script["PAGES"]:
        text = page.read_text("utf-8")
        assert text == script["with_tables"](text), (
            f"{page.name}: run python scripts/docs_tables.py"
        )
        for name in re.findall(r"<!-- table (\S+ \S+) -->", text):
            assert text.count(f"{name} -->") == 1
    assert "| 2.0% | 0.0% / 0.0% / 100.0% |" in (ROOT / "docs/bench.md").read_text("utf-8")


def test_a_run_becomes_the_docs_tables(tmp_path):
    """A table is written anew where its run is there, and left as it stands where it is not."""
    script = runpy.run_path(str(ROOT / "scripts/docs_tables.py"))
    write_document(document_of(row_of(), row_of("onnx", runner="native")), tmp_path / "app.json")
    page = "a\n<!-- table {} app -->\nnot yet\n<!-- end of table -->\nb"
    script["with_tables"].__globals__["MEASURED"] = tmp_path
    for kind in ("bench", "runners"):
        text = script["with_tables"](page.format(kind))
        assert "not yet" not in text
        assert "| tflite int8, python | 8.00" in text
        assert "| onnx int8, native | 8.00" in text
    row = {"target": "onnx", "items": 1683, "bytes": 266_098, "before_bytes": None,
           "before_us": None, "plain_us": 81.4, "left_out_us": 84, "similar_us": 79}  # fmt: skip
    (tmp_path / "app.json").write_text(json.dumps({"rows": [row]}))
    assert "| onnx, 1,683 items | – | 81.4 | 84.0 | 79.0 | – | 266 |" in script["with_tables"](
        page.format("filters")
    )
    script["with_tables"].__globals__["MEASURED"] = tmp_path / "none"
    assert script["with_tables"](page.format("bench")) == page.format("bench")
