"""A shop's log as it is, and every option of reading, in memory and in shards alike."""

import csv
import tempfile
from collections import Counter
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from glint_edge.data.log import load_log
from glint_edge.data.options import load_options
from glint_edge.data.sharded.sharding import make_shards
from glint_edge.errors import DataError
from tests.data.logs import read_both
from tests.data.naive import naive
from tests.data.shop import write_shop

WEIGHTS = {"view": 1.0, "cart": 2.0, "buy": 4.0}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The folder of the shop's log, and the troubles in it."""
    folder = tmp_path_factory.mktemp("shop")
    return folder, write_shop(folder)


def rows_of(path):
    with path.open(newline="") as file:
        return [
            {
                "user": row["customer_id"], "item": row["sku"], "session": row["session_id"],
                "event": row["event_type"], "rating": row["price"],
                "time": datetime.fromisoformat(row["event_time"]).timestamp(),
            }
            for row in csv.DictReader(file)
        ]  # fmt: skip


def with_weights(log):
    whole = log.whole
    weights = np.ones(len(whole.ids)) if whole.weights is None else whole.weights
    return {
        user: [
            (whole.keys[whole.ids[at]], weights[at])
            for at in range(whole.offsets[number], whole.offsets[number + 1])
        ]
        for number, user in enumerate(whole.users)
    }


def test_the_shop_has_every_trouble(shop):
    assert len(shop[1]) == 6 and all(shop[1].values()), shop[1]


@pytest.mark.parametrize(
    ("options", "rules"),
    [
        ({}, {}),
        ({"session": "session_id", "collapse_repeats": True}, {"session": True, "collapse": True}),
        (
            {"weights": WEIGHTS, "session_gap": "1h", "min_rating": 20, "rating": "price"},
            {"weights": WEIGHTS, "gap": 3600, "min_rating": 20},
        ),
        ({"only": "cart,buy"}, {"only": ("cart", "buy")}),
    ],
)
def test_a_shops_log_is_read_as_the_rules_say_in_memory_and_in_shards(
    shop, tmp_path, options, rules
):
    path = tmp_path / "taps.csv"
    path.write_bytes((shop[0] / "taps.csv").read_bytes())
    log = read_both(path, parts=3, **options)
    expected, _ = naive(rows_of(path), **rules)
    assert with_weights(log) == expected


def test_what_is_said_of_a_shops_log(shop):
    folder, troubles = shop
    rows = rows_of(folder / "taps.csv")
    log = load_log(folder / "taps.csv")
    histories, dropped = naive(rows)
    warning, of_session = log.warnings
    assert of_session == (
        f"left out: {dropped['user']:,} rows without a user; --session-column session_id takes "
        "the session instead"
    )
    assert warning.startswith("column event_type is not used (")
    assert set(warning.partition("(")[2].partition(")")[0].split(", ")) == set(WEIGHTS)
    assert log.notes[:3] == (
        "columns: user = customer_id, item = sku, time = event_time",
        "columns not used: event_type, session_id, price",
        f"left out: {dropped['user']:,} rows without a user",
    )
    assert dropped["user"] >= troubles["no customer, but a session"]
    assert f"left out: {dropped['item']:,} rows without an item" in log.notes
    assert f"left out: {dropped['duplicate']:,} exact duplicate rows" in log.notes
    pairs = [(a, b) for taps in histories.values() for a, b in pairwise(taps)]
    repeated = sum(
        item in {before for before, _ in taps[:at]}
        for taps in histories.values() for at, (item, _) in enumerate(taps)
    )  # fmt: skip
    assert log.source.repeats == repeated / len(pairs)
    at_once = sum(a == b for a, b in pairs) / len(pairs)
    assert log.notes[-1] == (
        f"repeats: {100 * repeated / len(pairs):.1f} % of targets repeat an earlier item of their "
        f"own history, {100 * at_once:.1f} % the one just before"
    )
    assert any("of neighbouring items of a user have the same time" in note for note in log.notes)


ROW = st.fixed_dictionaries(
    {
        "user": st.sampled_from(["a", "b", "c d", "", "NULL", "session:1"]),
        "item": st.sampled_from(["x", "y", "z", "é", "NA", ""]),
        "time": st.integers(0, 9).map(lambda n: 1_577_836_800 + 10 * n),
        "session": st.sampled_from(["1", "2", ""]),
        "event": st.sampled_from(["view", "cart", "buy"]),
        "rating": st.sampled_from(["1", "3.5", "4", ""]),
    }
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "session": st.just(True),
        "keep_missing": st.just(True),
        "only": st.sampled_from([("view",), ("view", "buy")]),
        "weights": st.sampled_from([WEIGHTS, {"view": 1.0, "buy": 0.0}]),
        "min_rating": st.sampled_from([2.0, 4.0]),
        "gap": st.sampled_from([10, 25]),
        "collapse": st.just(True),
    },
)
NAMES = {"gap": "session_gap", "collapse": "collapse_repeats"}


def a_row(user, seconds):
    return {"user": user, "item": "x", "time": 1577836800 + seconds, "session": "1",
            "event": "view", "rating": "1"}  # fmt: skip


# Only the second part has rows of one time.
LATER_DUPLICATES = [*(a_row("a", seconds) for seconds in (0, 0, 10, 20)), a_row("b", 0)]


@settings(max_examples=15, deadline=None)
@given(rows=st.lists(ROW, min_size=1, max_size=40), rules=OPTIONS)
@example(rows=LATER_DUPLICATES, rules={})
def test_with_all_options_a_log_in_memory_and_in_shards_is_that_of_the_rules(rows, rules):
    rules = {"shortest": 3, **rules}
    options = {NAMES.get(n, n): v for n, v in rules.items() if n != "shortest"}
    if "session" in options:
        options["session"] = "session"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        expected, _ = naive(rows, **rules)
        if not expected:
            for read in (load_log, lambda log, **o: make_shards(
                log, Path(folder) / "s", options=load_options(**o))):  # fmt: skip
                with pytest.raises(DataError, match=r"no user is left|no row is of an event"):
                    read(path, **options)
            return
        log = read_both(path, parts=2, **options)
        assert with_weights(log) == expected


@settings(max_examples=15, deadline=None)
@given(rows=st.lists(ROW, min_size=1, max_size=40), k_core=st.integers(0, 3))
def test_the_core_and_repeats_are_left_out_until_nothing_changes(rows, k_core):
    expected, _ = naive(rows, k_core=k_core, collapse=True)
    columns = {name: [row[name] for row in rows] for name in ("user", "item", "time")}
    import polars as pl

    frame = pl.DataFrame(columns)
    if expected:
        log = load_log(frame, k_core=k_core, collapse_repeats=True)
        assert with_weights(log) == expected
        counts = Counter(key for taps in expected.values() for key, _ in taps)
        assert log.whole.item_count == len(counts)
    else:
        with pytest.raises(DataError, match="no user is left"):
            load_log(frame, k_core=k_core, collapse_repeats=True)
