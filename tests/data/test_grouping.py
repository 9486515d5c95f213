"""Which fields group items, and what becomes of one that does not."""

import logging

import polars as pl
import pytest

from glint_edge.data.catalogue import Catalogue
from glint_edge.data.grouping import groups
from glint_edge.data.items import ItemFile, describing

# By name: how many items have each value of a field, and whether it groups them.
FIELDS = {
    "categories": ({"Shoes": 3, "Hats": 3}, True),
    "authors": ({**{f"of one book, {chr(97 + n)}": 1 for n in range(20)}, "of many": 20}, True),
    "names": ({f"Shoe {chr(97 + n)}": 1 + n % 3 // 2 for n in range(26)}, False),
    "shelves": ({"A1": 2, "B2": 2}, True),
    "a few common ones among rare ones": ({"Shoes": 10, "Hats": 1, "Bags": 1}, True),
    "prices": ({f"{n},95": 3 for n in range(380)}, False),
    "prices with a currency": ({f"{n}.95 EUR": 3 for n in range(10, 300)}, False),
    "prices, some on request": ({"auf Anfrage": 9, "9,95": 2, "8,95": 2}, False),
    "years": ({f"{n}": 23 for n in range(1922, 1999)}, True),
    "dates": ({f"2024-05-{n:02}": 4 for n in range(1, 31)}, False),
    "sizes in words": ({"size 38": 4, "size 40": 4}, True),
    "Arabic digits": ({"٣٨": 4, "٤٠": 4}, False),
    "nothing": ({}, True),
}


@pytest.mark.parametrize(("counts", "is_group"), FIELDS.values(), ids=FIELDS)
def test_a_field_groups_items_if_its_values_are_shared(counts, is_group):
    assert groups(value for value, count in counts.items() for _ in range(count)) == is_group


def test_a_price_is_shown_and_neither_learned_nor_unsaid(caplog):
    caplog.set_level(logging.INFO)
    keys = [f"k{n}" for n in range(60)]
    table = pl.DataFrame({
        "sku": keys, "kind": [f"c{n % 4}" for n in range(60)],
        "VK-Preis": [f"{n % 15},95" for n in range(60)],
    })  # fmt: skip
    items = ItemFile(table, fields=("kind", "VK-Preis"))
    of_table = describing(Catalogue(("", *keys), {}), items)
    assert set(of_table.catalogue.fields) == {"kind", "VK-Preis"}
    assert {field for field, _ in of_table.features(items).pairs} == {"kind"}
    assert of_table.notes[-1] == (
        "the DataFrame: VK-Preis: 15 values of 60 items: shown with the items; not learned, no "
        "filter"
    )
    assert not any("kind:" in note for note in of_table.notes)
    assert of_table.notes[-1] in caplog.messages
    alone = ItemFile(table, fields=("VK-Preis",))
    assert describing(Catalogue(("", *keys), {}), alone).features(alone) is None
    assert "no field groups items" in caplog.text


def test_some_rows_of_a_catalogue_do_not_make_a_field_rare():
    keys = [f"k{n}" for n in range(20)]
    before = Catalogue(
        ("", *keys), {}, fields={"kind": {key: "ab"[int(key[1:]) % 2] for key in keys}}
    )
    some = pl.DataFrame({"sku": ["k1", "k2"], "kind": ["b", "a"]})
    assert not any("not learned" in note for note in describing(before, ItemFile(some)).notes)
    assert not any(
        "not learned" in note for note in describing(before, ItemFile(some), ["k1"]).notes
    )
