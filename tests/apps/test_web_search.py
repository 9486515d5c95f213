"""What the page's search field finds, in Node.js."""

import pytest

from tests.apps.web_node import run_node

pytestmark = pytest.mark.slow

ABOVE = """
import { readFileSync } from 'node:fs';
import { find, index } from './src/demo/search';
const values = JSON.parse(readFileSync(0));
"""
TITLES = {
    "luchs-3p": "Wildbach Luchs 3P Tarp",
    "luchs-2p": "Wildbach Luchs 2P Tarp",
    "café-9": "Crème brûlée, für Zwölf",
    "tarp-peg": "Peg of steel",
    "mat": "Tarpaulin mat",
    "bare": None,
}


def test_every_word_is_somewhere_in_a_title_or_a_key(tmp_path):
    asked = {
        "tarp wildbach": ["luchs-3p", "luchs-2p"],
        "  TARP \t 3p wild ": ["luchs-3p"],
        "luchs 2p": ["luchs-2p"],
        "zwolf creme": ["café-9"],
        "BRÛLÉE": ["café-9"],
        "tarp": ["luchs-3p", "luchs-2p", "mat", "tarp-peg"],  # those that need their key come last
        "ildbach arp": ["luchs-3p", "luchs-2p"],
        "cafe": ["café-9"],
        "tarp-peg": ["tarp-peg"],
        "arp-p": ["tarp-peg"],
        "steel tarp": ["tarp-peg"],
        "bar": ["bare"],
        "mat tarp": ["mat"],
        "tarp zelt": [],
        "toString": [],
        " ": [],
    }
    matches = run_node(
        tmp_path,
        """const entries = index(values.items);
        return values.asked.map((text) => find(entries, text).map(({ key }) => key));""",
        {"items": [{"key": key, "title": title} for key, title in TITLES.items()],
         "asked": [*asked]},
        above=ABOVE,
    )  # fmt: skip
    assert dict(zip(asked, matches, strict=True)) == asked


def test_the_nearest_of_many_come_first_and_in_the_catalogues_order(tmp_path):
    titles = ["Hard to die", "Try hard, diehards", "Diehard", "Die Hard", "Die Hard 2"]
    items = [{"key": f"x{number}", "title": title} for number, title in enumerate(titles)]
    more = [{"key": f"y{number}", "title": "Die harder"} for number in range(9)]
    script = "return find(index(values), 'die hard').map(({ key }) => key);"
    matches = run_node(tmp_path, script, [*items, *more], above=ABOVE)
    assert matches == ["x3", "x4", *(f"y{number}" for number in range(6))]
    (tmp_path / "few").mkdir()
    matches = run_node(tmp_path / "few", script, items, above=ABOVE)
    assert matches == ["x3", "x4", "x0", "x1", "x2"]
