"""What is left out of a log, and which ids its items get."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.logs import ROWS, as_dict, check, delimited, expected, load, same, write_inter


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, k=st.integers(1, 4))
def test_k_core_leaves_nothing_rarer_than_k_and_is_the_largest_such_log(rows, k):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.inter"
        write_inter(path, rows)
        read_log = check(lambda **options: load(path, **options), rows, k_core=k, min_length=1)
    if read_log:
        assert min(np.bincount(read_log.ids)[1:]) >= k
        assert min(np.diff(read_log.offsets)) >= k


def test_ties_in_time_keep_the_file_s_order(tmp_path):
    path = tmp_path / "log.csv"
    rows = [("u", str(n), 5 - n // 40) for n in range(200)]  # 40 at each time, latest first
    delimited(path, ["user", "item", "time"], rows)
    items = as_dict(load(path))["u"]
    assert items == [str(n) for start in (160, 120, 80, 40, 0) for n in range(start, start + 40)]


def test_nanosecond_times_are_not_rounded_to_a_float(tmp_path):
    path = tmp_path / "log.csv"
    start = 1_600_000_000_000_000_000
    delimited(path, ["user", "item", "time"], [("u", str(n), start - n) for n in range(5)])
    assert as_dict(load(path))["u"] == ["4", "3", "2", "1", "0"]


def test_ids_are_popularity_ranks(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("a x y z\nb z y q\nc z w q\n")
    read_log = load(path)
    # z twice where nothing is held out; x once; the others never, y before q before w
    assert read_log.keys == ("", "z", "x", "y", "q", "w")
    assert read_log.ids.tolist() == [2, 3, 1, 1, 3, 4, 1, 5, 4]
    assert read_log.item_count == 5 and len(read_log) == 3
    assert read_log.interactions == 9 and read_log.mean_length == 3.0
    assert repr(read_log) == "Sequences('log.txt': 3 users, 5 items, 9 interactions)"


def test_equally_popular_items_rank_as_they_come_in_a_long_log_too(tmp_path):
    path = tmp_path / "log.csv"
    rows = [(f"u{n % 50}", str(n * n % 997), n % 7) for n in range(1500)]
    delimited(path, ["user", "item", "time"], rows)
    same(load(path), *expected(rows))


def test_an_item_at_another_time_is_no_duplicate(tmp_path):
    path = tmp_path / "log.inter"
    write_inter(path, [("u", "x", 1), ("u", "x", 2), ("u", "x", 1), ("u", "y", 1), ("v", "x", 1)])
    read_log = load(path)
    assert as_dict(read_log) == {"u": ["x", "y", "x"]}
    assert read_log.dropped == {"exact duplicate rows": 1, "users with fewer than 3 items": 1}


def test_short_users_and_the_k_core_are_repeated_until_both_hold(tmp_path):
    path = tmp_path / "log.txt"
    # d is too short; without d, z is in one history alone; without z, a is too short
    path.write_text("a x y z\nb x y x\nc x y x y\nd z x\n")
    read_log = load(path, k_core=2, min_length=3)
    assert as_dict(read_log) == {"b": ["x", "y", "x"], "c": ["x", "y", "x", "y"]}
    assert read_log.dropped == {
        "interactions outside the 2-core": 1,
        "users with fewer than 3 items": 2,
    }
