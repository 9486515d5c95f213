"""Logs in every format, in memory and in shards, and the titles beside them."""

import datetime
import io
import json
import shutil
from unittest import mock

import numpy as np
import pandas
import polars as pl

from glint_edge.data.log import load_log
from glint_edge.data.options import LoadOptions
from glint_edge.data.sharded.sharding import make_shards
from glint_edge.data.sharded.shards import open_shards
from glint_edge.errors import DataError
from glint_edge.files import sha256
from tests.campaign.mutators import of_bytes, of_document, of_table, one_of
from tests.campaign.trials import Target, require

ROWS = [
    (f"u{user}", f"i{(user + 3 * place) % 9}", 1_577_836_800 + 60 * place)
    for user in range(5)
    for place in range(5)
]
NUMBERS = [(user[1:], item[1:], 3, time) for user, item, time in ROWS]
# By format: the file's name, its header, its rows and what stands between cells.
TEXTS = {
    "csv": ("log.csv", ("user", "item", "time"), ROWS, ","),
    "tsv": ("log.tsv", ("user_id", "item_id", "timestamp"), ROWS, "\t"),
    "inter": ("log.inter", ("user_id:token", "item_id:token", "timestamp:float"), ROWS, "\t"),
    "u.data": ("u.data", (), NUMBERS, "\t"),
    "ratings.dat": ("ratings.dat", (), NUMBERS, "::"),
    "lines": ("log.txt", (), [(f"u{n}", "i1", "i2", f"i{n}", "i3") for n in range(5)], " "),
}
TITLES = {
    "u.item": ("u.data", "|", [(n, f"Film {n} (1995)", "") for n in range(9)]),
    "movies.dat": ("ratings.dat", "::", [(n, f"Film {n} (1995)", "Drama") for n in range(9)]),
    "movies.csv": ("ratings.csv", ",", [("movieId", "title"), *((n,
    f"Film {n}") for n in range(9))]),
    "log.item": ("log.inter", "\t",
                 [("item_id:token", "movie_title:token_seq", "release_year:token"),
                  *((f"i{n}", f"Film {n}", 1995) for n in range(9))]),
}  # fmt: skip


def table(rows, separator, header=()):
    lines = [*([header] if header else []), *rows]
    return "".join(separator.join(map(str, line)) + "\n" for line in lines)


def whole_and_split(log):
    """All that may be asked of a log that was read, which must agree with itself."""
    whole = log.whole
    require("" not in whole.keys[1:] and len(set(whole.keys)) == len(whole.keys), "keys")
    blank = next((key for key in whole.keys if key != key.strip(" \t\r\n")), None)
    require(blank is None, f"a key with blanks around it: {blank!r}")
    ids = np.concatenate([whole.history(number) for number in range(len(whole.users))])
    require(ids.min() >= 1 and ids.max() <= whole.item_count, "ids out of range")
    require(log.source.summary["interactions"] == len(ids), "another number of interactions")
    require(set(whole.titles) <= set(whole.keys), "titles of no item")
    log.split().validation()
    return log.sequences()


def _text(format):
    name, header, rows, separator = TEXTS[format]

    def prepare(folder):
        path = folder / name
        whole = table(rows, separator, header).encode()

        def trial(rng):
            raw = rng.random() < 0.4
            path.write_bytes(
                of_bytes(whole, rng) if raw else of_table(header, rows, separator, rng)
            )
            whole_and_split(load_log(path, format=one_of((None, format), rng)))

        return trial

    return Target(f"log: {format}", prepare)


VALUES = ("x", "y", " z", "7", "08", "1.5", "é", "a b", "-", "u,v".replace(",", ";"))
TIMES = (0, 1, 2, 9, 1_577_836_800, 2**40, -5, 10**17)


def _right(folder):
    """Tables of good cells, against the rules written down in five lines."""
    path = folder / "log.csv"

    def trial(rng):
        rows = [
            (one_of(("u", "v", "w "), rng), one_of(VALUES, rng), int(one_of(TIMES, rng)))
            for _ in range(int(rng.integers(4, 30)))
        ]
        path.write_text(table(rows, ",", ("user", "item", "time")))
        expected = {}
        plain = [(user.strip(), item.strip(), time) for user, item, time in rows]
        for user, item, _ in sorted(dict.fromkeys(plain), key=lambda row: row[2]):
            expected.setdefault(user, []).append(item)
        long = {user: items for user, items in expected.items() if len(items) >= 3}
        try:
            read = whole_and_split(load_log(path))
        except DataError:
            # Seconds beside milliseconds, or users without three items, are refused.
            mixed = len({len(str(abs(time))) > 12 for *_, time in rows if time}) > 1
            require(mixed or not long, f"refused: {rows}")
            raise
        require(read == long, f"read {read}, not {long}")

    return trial


def _shards(folder):
    """Both readers agree, on what is read and on what is refused."""
    log, out = folder / "log.csv", folder / "shards"
    header, rows = TEXTS["csv"][1], ROWS

    def trial(rng):
        log.write_bytes(of_table(header, rows, ",", rng))
        shutil.rmtree(out, ignore_errors=True)
        try:
            in_memory = load_log(log)
        except DataError:
            in_memory = None
        try:
            made = make_shards(log, out, options=LoadOptions(), parts=2, held_out=1)
        except DataError:
            require(
                in_memory is None, f"train reads what shard refuses: {log.read_bytes()[:600]!r}"
            )
            raise
        require(in_memory is not None, "shard reads what train refuses")
        require(made.summary == in_memory.source.summary, "other counts in shards")
        require(set(made.keys) == set(in_memory.whole.keys), "other keys in shards")

    return trial


def _use(shards):
    """What training does with shards."""
    shards.counts(), shards.popularity(), shards.predictions
    shards.training()
    for held_out in (shards.validation(), shards.test()):
        within = (held_out.targets >= 1) & (held_out.targets <= shards.item_count)
        require(bool(within.all()), "ids")
    for batch in shards.batches(6, 64, np.random.default_rng(0)):
        require(int(batch[0].max()) <= shards.item_count, "ids out of range")


def _made(folder):
    (folder / "log.csv").write_text(table(ROWS, ",", ("user", "item", "time")))
    made = make_shards(folder / "log.csv", folder / "shards", parts=2, held_out=2)
    return {path.name: path.read_bytes() for path in made.folder.iterdir()}


def _about_shards(folder):
    whole = _made(folder)
    document = json.loads(whole["shards.json"])

    def trial(rng):
        (folder / "shards" / "shards.json").write_bytes(of_document(document, rng))
        with mock.patch("glint_edge.data.sharded.shards.require_readable"):  # they are whole
            _use(load_log(folder / "shards").data)

    return trial


COLUMNS = (
    pl.lit(None), pl.lit(1), pl.lit(-1), pl.lit(2**40), pl.lit("x"), pl.lit(1.5),
    pl.lit(float("nan")),
    pl.lit([1, 2, 3]), pl.lit([0, 1, 2]), pl.lit([[1]]), pl.lit([1, None, 2]), pl.lit(["a"]),
    pl.lit([]),
    pl.lit([99, 1, 2]), pl.lit([-1, 1, 2]), pl.lit(True), pl.lit(b"\xff\xfe"),
    pl.lit(datetime.date.max),
)  # fmt: skip


def odd_frame(frame, rng):
    """A frame with a column, or a value in it, of another kind; none, twice, or without rows."""
    name, way = one_of(frame.columns, rng), rng.integers(7)
    other = one_of(COLUMNS, rng)
    if way == 0:
        return frame.drop(name)
    if way == 1:
        return frame.head(int(rng.integers(3)))
    if way == 2:
        return frame.rename({name: one_of(("x", "", "user", "item", "time"), rng)}, strict=False)
    if way == 3:
        return pl.concat([frame, frame.reverse()])
    if way == 4:
        at = pl.int_range(pl.len()) == int(rng.integers(max(len(frame), 1)))
        return frame.with_columns(pl.when(at).then(other).otherwise(pl.col(name)).alias(name))
    return frame.with_columns(other.alias(name))


def _parquet_bytes(frame):
    file = io.BytesIO()
    frame.write_parquet(file)
    return file.getvalue()


def _odd(frame, rng):
    try:
        return odd_frame(frame, rng)
    except pl.exceptions.PolarsError:  # of values that no column holds together
        return frame.drop(frame.columns[0])


def _shard_files(folder):
    """Parquet that is whole, of other columns, behind the right digests."""
    whole = _made(folder)
    names = tuple(sorted(set(whole) - {"shards.json"}))
    shards = folder / "shards"

    def trial(rng):
        name = one_of(names, rng)
        data = _parquet_bytes(_odd(pl.read_parquet(whole[name]), rng))
        (shards / name).write_bytes(data)
        about = json.loads(whole["shards.json"])
        about["sha256"][name] = sha256(shards / name)
        (shards / "shards.json").write_text(json.dumps(about))
        try:
            _use(open_shards(shards))
        finally:
            (shards / name).write_bytes(whole[name])

    return trial


def _frame():
    return pl.DataFrame(ROWS, schema=["user", "item", "time"], orient="row")


def _parquet(folder):
    """Whole Parquet of odd columns; what a child sees of damaged files is the next target's."""
    path = folder / "log.parquet"

    def trial(rng):
        path.write_bytes(_parquet_bytes(_odd(_frame(), rng)))
        with mock.patch("glint_edge.data.reading.parquet.require_readable"):
            whole_and_split(load_log(path))

    return trial


def _damaged_parquet(folder):
    path, whole = folder / "log.parquet", _parquet_bytes(_frame())

    def trial(rng):
        path.write_bytes(of_bytes(whole, rng))
        whole_and_split(load_log(path))

    return trial


OBJECTS = (
    None, True, 0, -1, 2**80, 1.5, float("nan"), float("inf"), "", "x", " x ", b"x", b"\xff", [],
    [[]],
    {}, {"a": []}, (1, 2, 3), {1, 2}, object(), datetime.datetime.max, np.int64(3), np.float32(2.5),
    np.datetime64("NaT"), np.arange(3), pandas.NaT, pandas.NA, "\ud800", range(3), "\x00", 10**400,
)  # fmt: skip


def _memory(folder):
    """Frames of polars and pandas, and lists, with objects of any kind in them."""
    lists = {f"u{n}": [f"i{(n + m) % 7}" for m in range(5)] for n in range(4)}

    def frames(rng):
        frame = _odd(_frame(), rng)
        as_pandas = lambda: pandas.DataFrame(frame.to_dict(as_series=False))  # noqa: E731  # no pyarrow
        return one_of((lambda: frame, frame.lazy, as_pandas), rng)()

    def objects(rng):
        columns = {name: _frame()[name].to_list() for name in ("user", "item", "time")}
        values = columns[one_of(tuple(columns), rng)]
        values[int(rng.integers(len(values)))] = OBJECTS[rng.integers(len(OBJECTS))]
        return pandas.DataFrame(columns)

    def nested(rng):
        changed = {user: list(items) for user, items in lists.items()}
        user = one_of(tuple(changed), rng)
        value = OBJECTS[rng.integers(len(OBJECTS))]
        if rng.random() < 0.3:
            changed[user] = value
        elif rng.random() < 0.3 and getattr(value, "__hash__", None):
            try:
                changed[value] = changed.pop(user)
            except TypeError:  # a tuple of lists
                changed[user] = value
        else:
            changed[user][int(rng.integers(5))] = value
        return one_of((changed, list(changed.values())), rng)

    def trial(rng):
        whole_and_split(load_log(one_of((frames, objects, nested), rng)(rng)))

    return trial


def _titles(folder):
    """Titles beside a log: another file of them changes no history."""
    logs = {}
    for name, (log, separator, lines) in TITLES.items():
        place = folder / name.replace(".", "-")
        place.mkdir()
        rows, header, between = {
            "u.data": (NUMBERS, (), "\t"), "ratings.dat": (NUMBERS, (), "::"),
            "ratings.csv": ([row[:2] for row in NUMBERS], ("userId", "movieId"), ","),
            "log.inter": (ROWS, TEXTS["inter"][1], "\t"),
        }[log]  # fmt: skip
        (place / log).write_text(table(rows, between, header))
        logs[name] = place / log, load_log(place / log).sequences(), separator, lines

    def trial(rng):
        name = one_of(tuple(logs), rng)
        log, right, separator, lines = logs[name]
        data = table(lines, separator).encode()
        changed = of_bytes(data, rng) if rng.random() < 0.5 else of_table((), lines, separator, rng)
        log.with_name(name).write_bytes(changed)
        require(whole_and_split(load_log(log)) == right, "titles changed what is read of a log")

    return trial


TARGETS = (
    *map(_text, TEXTS),
    Target("log: its right answer", _right),
    Target("log: Parquet of odd columns", _parquet, share=0.7),
    Target("log: damaged Parquet", _damaged_parquet, share=0.004),
    Target("log: DataFrames and lists", _memory),
    Target("titles beside a log", _titles, share=0.7),
    Target("shards: as the log itself", _shards, share=0.1),
    Target("shards: shards.json", _about_shards, share=0.7),
    Target("shards: their files", _shard_files, share=0.5),
)
