"""A profile as JSON, table and picture."""

import io
import json
import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from rich.console import Console

from device_bench.profiling.flame import OTHERS, areas_of, flame_svg
from device_bench.profiling.profile import Method, Operator, Profile
from device_bench.profiling.table import render_profile


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
