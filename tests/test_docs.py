"""The docs point at things that are there."""

import re
from pathlib import Path

import pytest

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
