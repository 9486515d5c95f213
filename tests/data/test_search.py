"""What people type is looked up among keys and titles, and among fields and their values."""

import re

import pytest

from glint_edge.checkpoints.checkpoint import load_checkpoint
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.search import find_keys, near, require_values
from glint_edge.errors import ConfigError, UnknownItemError

SHOP = Catalogue(
    ("", "a1", "b2", "c3", "d4"),
    {"a1": "Oak Chair", "b2": "Oak Table (1999)", "c3": "Lamp", "d4": "lamp"},
    fields={"category": {"a1": "Chairs", "b2": "Tables", "c3": "Lamps"}, "brand": {"a1": "Nord"}},
)


@pytest.fixture(scope="module")
def films():
    return load_checkpoint().catalogue


def test_keys_come_first_and_then_titles_whatever_their_case(caplog):
    caplog.set_level("INFO", "glint_edge")
    assert find_keys(SHOP, ["b2", "oak  CHAIR", "a1"]) == ["b2", "a1", "a1"]
    assert caplog.messages == ["'Oak Chair' is item a1"]
    titled = Catalogue(("", "1", "2"), {"1": "2", "2": "x"})
    assert find_keys(titled, ["2"]) == ["2"]


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("star wrs", "did you mean 50 Star Wars (1977)?"),
        ("Star Wars", "did you mean 50 Star Wars (1977)?"),
        ("jedi", "did you mean 181 Return of the Jedi (1983)?"),
        ("terminatr", "did you mean 195 Terminator, The (1984) or 96 Terminator 2: Judgment Day"),
        ("alien 1979", "did you mean 183 Alien (1979)?"),
        ("xyzzy", "pass a key or a title, such as 50"),
    ],
)
def test_what_is_neither_is_one_line_with_what_is_near(films, word, says):
    with pytest.raises(UnknownItemError, match=f"^no item {word!r}; {re.escape(says)}"):
        find_keys(films, [word])


def test_a_title_of_several_items_and_a_catalogue_without_titles():
    with pytest.raises(UnknownItemError, match="'LAMP' is the title of 2 items; say which: c3, d4"):
        find_keys(SHOP, ["LAMP"])
    plain = Catalogue(("", "sku-100", "sku-200"), {})
    with pytest.raises(UnknownItemError, match=r"did you mean sku-100\?"):
        find_keys(plain, ["sku-10"])
    with pytest.raises(UnknownItemError, match="pass a key, as there are no titles, such as sku-1"):
        find_keys(plain, ["?"])


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ({"categry": ["Chairs"]}, "no item has the field 'categry'; did you mean category?"),
        ({"colour": ["red"]}, "no item has the field 'colour'; the fields are category, brand"),
        ({"category": ["Chars"]}, "no item has the category 'Chars'; did you mean Chairs?"),
        ({"category": ["chairs"]}, "no item has the category 'chairs'; did you mean Chairs?"),
        ({"category": ["Lamps", "?"]}, "no item has the category '?'; there is Chairs, Tables"),
    ],
)
def test_fields_and_values_that_no_item_has_are_one_line(where, says):
    require_values(SHOP, {"category": ["Lamps", "Chairs"], "brand": ["Nord"]})
    with pytest.raises(ConfigError, match=re.escape(says)):
        require_values(SHOP, where)
    with pytest.raises(ConfigError, match="'colour'; this bundle has no fields"):
        require_values(Catalogue(("", "1"), {}), {"colour": ["red"]})


@pytest.mark.parametrize("word", ["", " ", "a", "\u0130", "(", "x" * 5000])
def test_any_word_is_looked_for(films, word):
    assert len(near(word, films.titles)) <= 3
    with pytest.raises(UnknownItemError):
        find_keys(films, [word])
