"""Rows that hold several items, such as an order or an event of analytics: each item is a row."""

import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glint_edge.data.log import load_log
from glint_edge.errors import DataError
from tests.data.logs import read_both

GA4 = [
    {"event_date": "20261103", "event_timestamp": f"{at}000000", "event_name": name,
     "event_params": [{"key": "ga_session_id", "value": {"int_value": "7"}}],
     "user_id": None, "user_pseudo_id": "1.2",
     "items": [{"item_id": one, "item_name": f"A {one}", "price": 2.5} for one in items]}
    for at, name, items in (
        (1793700300, "purchase", "yz"),
        (1793700100, "page_view", ""),
        (1793700200, "view_item", "x"),
    )
]  # fmt: skip  # a row an event
FORMS = {
    "GA4": (GA4, {"1.2": ["x", "y", "z"]},
            "columns: user = user_pseudo_id, item = items.item_id, time = event_timestamp"),
    "Segment": (
        [{"event": "Order Completed", "userId": "u", "timestamp": "2026-11-03T09:00:00Z",
          "properties": {"order_id": "9", "products": [{"product_id": 7, "sku": "S-7"},
                                                       {"product_id": 8, "sku": "S-8"}]}},
         {"event": "Product Viewed", "userId": "u", "timestamp": "2026-11-03T08:00:00Z",
          "properties": {"products": [{"product_id": 9, "sku": "S-9"}]}}],
        {"u": ["9", "7", "8"]},
        "columns: user = userId, item = properties.products.product_id, time = timestamp",
    ),
    "Shopify's orders": (
        [{"id": 450789469, "email": "u@x.org", "created_at": "2026-11-03T09:00:00+01:00",
          "line_items": [{"id": 466157049, "variant_id": 1, "product_id": 632910392},
                         {"id": 518995019, "variant_id": 2, "product_id": 632910393},
                         {"id": 703073504, "variant_id": 3, "product_id": None}]},
         {"id": 450789470, "email": "u@x.org", "created_at": "2026-11-03T10:00:00+01:00",
          "line_items": [{"id": 466157050, "variant_id": 1, "product_id": 632910394}]}],
        {"u@x.org": ["632910392", "632910393", "632910394"]},
        "left out: 1 row without an item",
    ),
    "products by id": (
        [{"user": "u", "coupons": [{"id": "c"}], "products": [{"id": i}]} for i in "xyz"],
        {"u": ["x", "y", "z"]}, "columns: user = user, item = products.id",
    ),
    "lists of keys": (
        [{"user": 1, "item_ids": [3, "b", 3]}, {"user": 1, "item_ids": []},
         {"user": 1, "item_ids": None}, {"user": 1, "item_ids": "c"}],
        {"1": ["3", "b", "3", "c"]}, "left out: 2 rows without an item",
    ),
}  # fmt: skip  # a table


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("listed", [False, True])
def test_an_event_with_several_items_is_read_as_it_comes(tmp_path, form, listed):
    rows, expected, said = FORMS[form]
    lines = map(json.dumps, rows)
    path = tmp_path / "events.json"
    path.write_text("[" + ",\n".join(lines) + "]" if listed else "\n".join(lines))
    log = read_both(path)
    assert log.sequences() == expected
    assert said in "\n".join((*log.warnings, *log.notes))


def test_columns_beside_a_list_are_named_and_its_own_is_not(tmp_path):
    path = tmp_path / "events.parquet"
    pl.DataFrame(GA4).write_parquet(path)
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, GA4)))
    unused = "columns not used: event_date, event_name, event_params, user_id"
    sources = [path, tmp_path / "events.jsonl", pl.DataFrame(GA4)]
    for source in [*sources, pytest.importorskip("pandas").DataFrame(GA4)]:
        log = load_log(source)
        assert log.sequences() == {"1.2": ["x", "y", "z"]}
        assert unused in log.notes
        assert load_log(source, item="items.item_name").sequences() == {
            "1.2": ["A x", "A y", "A z"]
        }
        with pytest.raises(DataError, match=r"'items', the item, .*choose .* from items\.item_id"):
            load_log(source, item="items")
        with pytest.raises(DataError, match=r"no column 'items\.id'; did you mean items\.item_id"):
            load_log(source, item="items.id")


def test_a_plain_value_among_lists_is_a_list_of_itself():
    rows, expected, said = FORMS["lists of keys"]
    log = load_log(pytest.importorskip("pandas").DataFrame(rows))
    assert log.sequences() == expected and said in log.notes


KEYS = st.sampled_from([None, "a", "b", "c", "7", "[x]"])
BASKETS = st.lists(
    st.tuples(st.sampled_from("uvw"), st.none() | st.lists(KEYS, max_size=4)),
    min_size=1,
    max_size=9,
)


@settings(max_examples=25, deadline=None)
@given(BASKETS)
def test_a_list_is_as_many_rows_as_it_has_items(tmp_path_factory, baskets):
    """However they are stored: the same sequences and the same rows left out."""
    baskets = [("u", ["a", "b", "c"]), *baskets]
    folder = tmp_path_factory.mktemp("baskets")
    flat = [
        (user, item, at) for at, (user, items) in enumerate(baskets) for item in items or [None]
    ]
    expected = load_log(pl.DataFrame(flat, schema=["user", "item", "time"], orient="row"))
    plain = [{"user": user, "items": items, "time": at} for at, (user, items) in enumerate(baskets)]
    inner = [
        {**row, "items": row["items"] and [{"n": 1, "in": {"sku": item}} for item in row["items"]]}
        for row in plain
    ]
    pandas = pytest.importorskip("pandas")
    schemas = (
        pl.List(pl.String),
        pl.List(pl.Struct({"n": pl.Int64, "in": pl.Struct({"sku": pl.String})})),
    )
    for rows, dtype in zip((plain, inner), schemas, strict=True):
        frame = pl.DataFrame(rows, schema={"user": pl.String, "items": dtype, "time": pl.Int64})
        (folder / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
        (folder / "log.json").write_text(json.dumps(rows))
        sources = (frame, pandas.DataFrame(rows), *sorted(folder.iterdir()))
        for source in sources:
            log = load_log(source)
            assert log.sequences() == expected.sequences()
            assert log.notes[1:] == expected.notes[1:]
