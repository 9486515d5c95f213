import re

import pytest
from rich.console import Console

from glint_edge.tables import columns, counted, pairs

HOSTILE = "<b>[red]:heart:&"


def as_text(table):
    console = Console(width=200, record=True, file=None, quiet=False)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_words_are_shown_as_they_are_in_both_forms():
    for table in (
        columns(HOSTILE, ("a", HOSTILE), [(HOSTILE, HOSTILE)]),
        pairs(HOSTILE, [("a", HOSTILE)]),
    ):
        assert HOSTILE in as_text(table)
        shown = table._repr_html_()
        assert "<b>" not in shown
        assert "&lt;b&gt;[red]:heart:&amp;" in shown


def test_a_notebook_sees_what_a_terminal_sees():
    table = columns("sizes", ("file", "bytes"), [("model.onnx", "1,024"), ("items.json", "90")])
    cells = re.findall(r"<t[hd](?: [^>]*)?>([^<]*)<", table._repr_html_())
    assert cells == ["file", "bytes", "model.onnx", "1,024", "items.json", "90"]
    assert all(cell in as_text(table) for cell in cells)


def test_figures_are_right_aligned_and_texts_are_not():
    shown = columns("", ("a", "b", "c"), [("1", "2", "x"), ("3", "−4", "5")])._repr_html_()
    assert re.findall(r"text-align:(\w+)", shown) == ["left", "right", "left"] * 2


def test_a_title_is_one_line_above_a_narrow_table():
    title = "after a history whose keys are longer than the table is wide"
    assert as_text(columns(title, ("a",), [("1",)])).splitlines()[0] == title


def test_an_empty_table_has_a_header():
    assert "<th>a</th>" in columns("none", ("a",), [])._repr_html_()
    assert "a" in as_text(columns("none", ("a",), []))


@pytest.mark.parametrize(
    ("count", "what", "shown"),
    [
        (0, "rows", "0 rows"),
        (1, "rows", "1 row"),
        (1, "rows of other events", "1 row of other events"),
        (1, "exact duplicate rows", "1 exact duplicate row"),
        (1_200, "users without items", "1,200 users without items"),
    ],
)
def test_one_is_no_plural(count, what, shown):
    assert counted(count, what) == shown
