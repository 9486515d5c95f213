"""Logs for the tests of this room, and a plain-Python reading of the rules."""

import csv
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import polars as pl
import pytest
from hypothesis import strategies as st

from glint_edge.data.log import load_log
from glint_edge.data.options import load_options
from glint_edge.data.reading.columns import USUAL_NAMES
from glint_edge.data.sharded.sharding import make_shards
from glint_edge.errors import DataError


def load(source, *, columns=USUAL_NAMES, **options):
    """The sequences of a log."""
    chosen = {"user": columns.user, "item": columns.item, "time": columns.time}
    return load_log(source, **chosen, **options).whole


def csv_of(*rows, header="user,item,time"):
    """The text of a CSV."""
    return "\n".join([header, *rows]) + "\n"


def read_both(path, parts=1, **options):
    """The log, from memory; made of it, shards that hold the same sequences and weights."""
    log = load_log(path, **options)
    folder = path.with_name(path.name + ".shards")
    shards = make_shards(
        path, folder, options=load_options(**options), parts=parts, held_out=parts * len(log)
    )
    whole = log.whole
    expected = Counter()
    for user in range(len(log)):
        at = slice(whole.offsets[user], whole.offsets[user + 1])
        weights = () if whole.weights is None else tuple(whole.weights[at].tolist())
        expected[tuple(whole.keys[item] for item in whole.ids[at]), weights] += 1
    held = pl.read_parquet(folder / "held_out.parquet")
    weights = held["weights"] if "weights" in held.columns else [()] * len(held)
    assert expected == Counter(
        (tuple(shards.keys[item] for item in items), tuple(each))
        for items, each in zip(held["items"], weights, strict=True)
    )
    assert shards.keys == whole.keys
    assert shards.summary == log.source.summary
    source = load_log(folder).source
    assert source.columns == log.source.columns
    assert list(source.notes) == list(log.source.notes)
    assert source.repeats == log.source.repeats
    return log


# The rules in plain Python: rows are (user, item, time), time None where the log has none.


def expected(rows, k_core=0, min_length=3):
    """Users with their items in order, and the popularity order of items."""
    rows = [
        row for at, row in enumerate(rows) if row[2] is None or row not in rows[:at]
    ]  # exact duplicates
    while True:
        users, items = Counter(r[0] for r in rows), Counter(r[1] for r in rows)
        kept = [r for r in rows if users[r[0]] >= k_core and items[r[1]] >= k_core]
        if kept == rows:
            kept = [r for r in rows if users[r[0]] >= min_length]
        if kept == rows:
            break
        rows = kept
    histories = {}
    for user, item, time in rows:
        histories.setdefault(user, []).append((time or 0, item))
    histories = {
        user: [item for _, item in sorted(seen, key=lambda pair: pair[0])]
        for user, seen in histories.items()
    }
    learnt = Counter(
        item for seen in histories.values() for item in (seen[:-2] if len(seen) > 2 else seen)
    )
    in_file = list(dict.fromkeys(item for _, item, _ in rows))
    return histories, sorted(in_file, key=lambda item: -learnt[item])


def as_dict(sequences):
    """The histories in the user's own keys, by way of the arrays."""
    return {
        user: [sequences.keys[i] for i in sequences.history(u)]
        for u, user in enumerate(sequences.users)
    }


def same(sequences, histories, ranked):
    assert list(sequences.users) == list(histories)
    assert as_dict(sequences) == histories
    assert sequences.keys == ("", *ranked)
    assert sequences.ids.dtype == sequences.offsets.dtype == np.int64
    assert sequences.offsets[0] == 0 and sequences.offsets[-1] == len(sequences.ids)


def moment(time):
    return datetime(2020, 1, 1) + timedelta(microseconds=1, hours=time)


def delimited(path, header, rows, separator=","):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerow(header)
        writer.writerows(rows)


def write_inter(path, rows):
    head = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    path.write_text(head + "".join(f"{u}\t{i}\t3\t{t}\n" for u, i, t in rows), encoding="utf-8")


def write_u_data(path, rows):
    path.write_text("".join(f"{u}\t{i}\t3\t{t}\n" for u, i, t in rows), encoding="utf-8")


def write_dat(path, rows):
    path.write_text("".join(f"{u}::{i}::3::{t}\n" for u, i, t in rows), encoding="utf-8")


def write_csv(path, rows):
    delimited(
        path, ["userId", "movieId", "rating", "timestamp"], [(u, i, 3, t) for u, i, t in rows]
    )


def write_fractions(path, rows):
    delimited(path, ["Item ID", "User-ID", "ts"], [(i, u, t + 0.5) for u, i, t in rows])


def write_dates(path, rows):
    delimited(path, ["date", "user", "item"], [(moment(t), u, i) for u, i, t in rows])


def write_zones(path, rows):
    """The same moments, each in another time zone."""
    zoned = [
        (u, i, moment(t).replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=at % 5))))
        for at, (u, i, t) in enumerate(rows)
    ]
    delimited(path, ["user", "item", "time"], [(u, i, t.isoformat()) for u, i, t in zoned])


def write_tsv(path, rows):
    delimited(path, ["visitorid", "product_id", "time"], rows, separator="\t")


def write_parquet(path, rows):
    user, item, time = zip(*rows, strict=True)
    frame = pl.DataFrame({"user": user, "item": item, "time": time})
    frame.with_columns(pl.col("item").cast(pl.Categorical)).write_parquet(path)


def write_parquet_dates(path, rows):
    user, item, time = zip(*rows, strict=True)
    pl.DataFrame({"user": user, "item": item, "time": map(moment, time)}).write_parquet(path)


WRITERS = {
    "log.inter": write_inter,
    "u.data": write_u_data,
    "ratings.dat": write_dat,
    "ratings.csv": write_csv,
    "fractions.csv": write_fractions,
    "dates.csv": write_dates,
    "zones.csv": write_zones,
    "log.tsv": write_tsv,
    "log.parquet": write_parquet,
    "dates.pq": write_parquet_dates,
    # told by their first lines
    "inter.txt": write_inter,
    "dat": write_dat,
    "csv.log": write_csv,
    "parquet.bin": write_parquet,
}

# few users, items and times: ties, repeats, duplicates and cores are the rule, not the exception
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["10", "9", "ü", "a b"]),
        st.sampled_from(["x", "7", "07", "é'", "y:z"]),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=40,
)
# a quoted key may hold anything; the ends are trimmed
KEYS = st.text('ab,;"\n é', min_size=1, max_size=3).map(str.strip).filter(bool)


def check(load_it, rows, **options):
    """`load_it` gives what the rules say; the sequences, or None where no user is left."""
    histories, ranked = expected(rows, **options)
    if not histories:
        with pytest.raises(DataError, match="no user is left"):
            load_it(**options)
        return None
    sequences = load_it(**options)
    same(sequences, histories, ranked)
    return sequences
