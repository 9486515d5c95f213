"""Reading an interaction log: one file in, one checked table of user, item and time out.

    format        file                    holds
    inter         *.inter                 RecBole: tabs, header `user_id:token item_id:token …`
    u.data        u.data                  MovieLens-100K: user, item, rating, time; tabs, no header
    ratings.dat   ratings.dat             MovieLens-1M/10M: the same, separated by `::`
    csv, tsv      *.csv, *.tsv            a header; columns found by their usual names or chosen
    parquet       *.parquet, *.pq         the same
    lines         *.txt and others        `USER ITEM ITEM …`, a user a line, in time order

A file whose name says nothing is told by its first line. Ratings are ignored. Every check works on
whole columns; only when one fails is the first bad row looked up, to name its line in the message.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import polars as pl

from glint_edge.errors import DataError

# Column names as people write them, likeliest first, without case, spaces, `_` and `-`.
_USUAL = {
    "user": ("userid", "user", "uid", "visitorid", "visitor", "customerid", "customer",
             "reviewerid", "sessionid", "session"),
    "item": ("itemid", "item", "iid", "movieid", "movie", "productid", "product", "articleid",
             "article", "trackid", "track", "parentasin", "asin"),
    "time": ("timestamp", "time", "ts", "datetime", "date", "unixreviewtime"),
}  # fmt: skip  # a table
# Only the unambiguous orders: 03/04/2020 means two different days. `%+` is RFC 3339 with its zone.
_DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%+",
    "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f",
)  # fmt: skip  # a table


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Names of the columns of a log with a header; None is found by the usual names.

    Attributes:
        user: column of the user's key.
        item: column of the item's key.
        time: column of the time; a log in which none is found is taken to be in time order.
    """

    user: str | None = None
    item: str | None = None
    time: str | None = None


USUAL_NAMES = Columns()


@dataclass(frozen=True, slots=True)
class _Table:
    """Columns `user`, `item` and perhaps `time`, before any check.

    Attributes:
        path: the file, for messages.
        frame: the columns as stored: text, or a Parquet file's own types.
        where: a row's place in the file, such as "line 7".
    """

    path: Path
    frame: pl.DataFrame
    where: Callable[[int], str]

    def error(self, row: int, problem: str) -> DataError:
        return DataError(f"{self.path}, {self.where(row)}: {problem}")


def read_log(
    path: Path, *, columns: Columns = USUAL_NAMES, format: str | None = None
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Read and check a log, and the item titles in the file beside it.

    Args:
        path: the log.
        columns: which columns to read, where the format has a header.
        format: a key of `FORMATS`; None tells it from the name or the first line.

    Returns:
        The interactions in file order: `user` and `item` (String, trimmed, never empty) and, where
        the log has times, `time` (integer or Float64, never null). The titles by item key; empty
        where the format has no file of titles or it is not there.

    Raises:
        DataError: the file is missing, unreadable, or has a row that makes no sense.
    """
    if format is not None and format not in FORMATS:
        raise DataError(f"unknown log format {format!r}; choose one of {', '.join(FORMATS)}")
    if not path.is_file():
        raise DataError(f"no such file: {path}; pass the path of an interaction log")
    try:
        format = format or _detect(path)
        if columns != USUAL_NAMES and format in _HEADERLESS:
            raise DataError(f"{path} is read as {format!r}, which has no column names to choose")
        frame = _checked(FORMATS[format](path, columns))
        return frame, _TITLES[format](path) if format in _TITLES else {}
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; check its permissions") from error


def _detect(path: Path) -> str:
    """The format by name, else by suffix, else by the first line."""
    by_name = {"u.data": "u.data", "ratings.dat": "ratings.dat"}
    by_suffix = {".inter": "inter", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet",
                 ".pq": "parquet"}  # fmt: skip  # a table
    if known := by_name.get(path.name) or by_suffix.get(path.suffix.lower()):
        return known
    with path.open("rb") as file:
        start = file.read(4096).decode("utf-8", errors="replace").strip()
    first = start.partition("\n")[0]
    if start.startswith("PAR1"):
        return "parquet"
    if ":token" in first:
        return "inter"
    if "::" in first:
        return "ratings.dat"
    if "," in first:
        return "csv"
    if "\t" in first:
        # a header, u.data's four numbers or a user's items: a guess could silently be wrong
        raise DataError(f"{path} could be 'tsv', 'u.data' or 'lines'; say which with the format")
    return "lines"


def _text(path: Path) -> str:
    """The file as text, whatever its line ends.

    Raises:
        DataError: it is empty or not UTF-8.
    """
    data = path.read_bytes()
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: byte {data[error.start]:#04x} is not UTF-8 text; "
            "unpack the file or save it as UTF-8"
        ) from error
    if not text.strip():
        raise DataError(f"{path} is empty; pass a log with at least one user's items")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _lines(text: str) -> pl.DataFrame:
    """The lines that are not blank: `text`, and `line`, their number from 1."""
    lines = pl.select(text=pl.lit(text).str.split("\n").explode())
    return lines.with_row_index("line", offset=1).filter(pl.col("text").str.strip_chars() != "")


def _at_line(lines: pl.DataFrame) -> Callable[[int], str]:
    return lambda row: f"line {lines['line'][row]}"


def _first(wrong: pl.Series) -> int | None:
    """The first row in which `wrong` (Boolean) holds."""
    return wrong.arg_max() if wrong.any() else None


def _split(
    path: Path, lines: pl.DataFrame, separator: str, width: int, columns: dict[str, int]
) -> _Table:
    """Cut unquoted lines into `width` fields and keep those at the positions `columns`."""
    fields = lines["text"].str.split(separator)
    frame = pl.DataFrame(
        {name: fields.list.get(at, null_on_oob=True) for name, at in columns.items()}
    )
    table = _Table(path, frame, _at_line(lines))
    if (row := _first(fields.list.len() != width)) is not None:
        raise table.error(
            row, f"{len(fields[row])} fields where {width} belong; correct or remove the line"
        )
    return table


def _read_movielens(path: Path, columns: Columns, *, separator: str) -> _Table:
    return _split(path, _lines(_text(path)), separator, 4, {"user": 0, "item": 1, "time": 3})


def _read_inter(path: Path, columns: Columns) -> _Table:
    header, lines = _inter_lines(_text(path))
    at = {role: header.index(name) for role, name in choose_columns(path, header, columns).items()}
    return _split(path, lines, "\t", len(header), at)


def _inter_lines(text: str) -> tuple[list[str], pl.DataFrame]:
    """A RecBole file's column names, without their types, and its lines below the header."""
    lines = _lines(text)
    names = [name.partition(":")[0] for name in lines["text"][0].split("\t")]
    return names, lines[1:]


def _read_lines(path: Path, columns: Columns) -> _Table:
    lines = _lines(_text(path)).with_columns(fields=pl.col("text").str.extract_all(r"\S+"))
    fields = lines["fields"]
    frame = lines.select(user=pl.col("fields").list.first(), item=pl.col("fields").list.slice(1))
    table = _Table(path, frame, _at_line(lines))
    if (row := _first(fields.list.len() < 2)) is not None:
        raise table.error(row, f"no item after user {fields[row][0]!r}; write USER ITEM ITEM …")
    # `USER ITEM`, one interaction a line, is as common and means the same. Longer lines that repeat
    # a user are some other table (user item rating time), which must not pass for items.
    pairs = (fields.list.len() == 2).all()
    if not pairs and (row := _first(~frame["user"].is_first_distinct())) is not None:
        raise table.error(
            row,
            f"user {fields[row][0]!r} again; put all items of a user on one line, in time order",
        )
    return _Table(path, frame.explode("item"), table.where)


def _read_delimited(path: Path, columns: Columns, *, separator: str) -> _Table:
    text = _text(path)
    rows = _delimited(path, text, separator)
    chosen = choose_columns(path, rows.columns, columns)
    # polars shows a blank line as a row of nulls
    filled = rows.select(~pl.all_horizontal(pl.all().is_null())).to_series()
    numbers = filled.arg_true()

    def where(row: int) -> str:
        line, _ = next(islice(_records(path, text, separator), numbers[row] + 1, None))
        return f"line {line}"

    frame = rows.filter(filled).select(**{role: pl.col(name) for role, name in chosen.items()})
    return _Table(path, frame, where)


def _delimited(path: Path, text: str, separator: str) -> pl.DataFrame:
    """A CSV or TSV as text columns.

    Raises:
        DataError: a line has more fields than the header, or a quote is not closed.
    """
    try:
        return pl.read_csv(text.encode(), separator=separator, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        records = _records(path, text, separator)
        _, header = next(records)
        for line, fields in records:
            if len(fields) > len(header):
                raise DataError(
                    f"{path}, line {line}: {len(fields)} fields under a header of {len(header)}; "
                    "quote fields that hold a separator"
                ) from error
        problem = str(error).partition("\n")[0]
        raise DataError(f"{path} is not well-formed ({problem}); check its quotes") from error


def _records(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Records from the header on, each with the line it starts on; for messages alone.

    A quoted field may span lines, so a record's number is not its line.
    """
    reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    started, line = False, 1
    try:
        for fields in reader:
            started = started or bool(fields)
            if started:
                yield line, fields
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {line}: {error}; check the quotes from here on") from error


def _read_parquet(path: Path, columns: Columns) -> _Table:
    try:
        schema = pl.read_parquet_schema(path)
        chosen = choose_columns(path, list(schema), columns)
        for name in chosen.values():
            if schema[name].is_nested():
                raise DataError(
                    f"{path}: column {name!r} holds lists; flatten it to one value a row"
                )
        rows = pl.read_parquet(path, columns=list(chosen.values()))
    except pl.exceptions.PolarsError as error:
        problem = str(error).partition("\n")[0]
        raise DataError(
            f"{path} is not a readable Parquet file ({problem}); write it again"
        ) from error
    frame = rows.select(**{role: pl.col(name) for role, name in chosen.items()})
    return _Table(path, frame, lambda row: f"row {row + 1}")


def choose_columns(path: Path, seen: Sequence[str], columns: Columns) -> dict[str, str]:
    """Which of the columns `seen` is the user, the item and, if there is one, the time.

    Args:
        path: of the log, for errors.
        seen: the log's columns.
        columns: the user's choice; None is the usual names.

    Returns:
        A column by role: "user", "item" and perhaps "time".

    Raises:
        DataError: one is missing.
    """
    plain = {name.lower().translate(str.maketrans("", "", " _-")): name for name in reversed(seen)}
    chosen = {}
    for role, usual in _USUAL.items():
        asked = getattr(columns, role)
        if asked is None:
            found = next((plain[name] for name in usual if name in plain), None)
        else:
            found = asked if asked in seen else None
        if found is not None:
            chosen[role] = found
        elif asked is not None or role != "time":
            wanted = f"no column {asked!r}" if asked else f"no {role} column found"
            raise DataError(f"{path}: {wanted}; choose the {role} column from {', '.join(seen)}")
    return chosen


def _checked(table: _Table) -> pl.DataFrame:
    """The table with keys as trimmed text and times as numbers; refuses the first bad row."""
    frame = table.frame
    if frame.is_empty():
        raise DataError(f"{table.path} has a header and no rows; pass a log with interactions")
    log = frame.select(pl.col("user", "item").cast(pl.String, strict=False).str.strip_chars())
    for role in ("user", "item"):
        if (row := _first(log[role].fill_null("") == "")) is not None:
            raise table.error(row, f"the {role} is missing; fill it in or remove the row")
    if "time" not in frame.columns:
        return log
    times = _times(frame["time"])
    if (row := _first(times.is_null())) is not None:
        text = frame["time"][row]
        problem = "the time is missing" if text in (None, "") else f"{text!r} is not a time"
        raise table.error(row, f"{problem}; write every time as a number or as YYYY-MM-DD hh:mm:ss")
    return log.with_columns(time=times)


def _times(column: pl.Series) -> pl.Series:
    """Times as numbers that sort the same way; null where a time is missing or unreadable."""
    if column.dtype.is_temporal():
        return column.to_physical()
    if column.dtype.is_integer():
        return column
    if column.dtype.is_numeric():
        return _finite(column.cast(pl.Float64))
    text = column.cast(pl.String).str.strip_chars()
    # whole numbers stay whole: nanoseconds since 1970 do not fit a float
    whole = text.cast(pl.Int64, strict=False)
    if not whole.has_nulls():
        return whole
    numbers = _finite(text.cast(pl.Float64, strict=False))
    if numbers[0] is not None:
        return numbers
    dates = [
        text.str.to_datetime(date, time_unit="us", time_zone="UTC", strict=False) for date in _DATES
    ]
    return pl.select(pl.coalesce(dates)).to_series().to_physical()


def _finite(numbers: pl.Series) -> pl.Series:
    return pl.select(pl.when(numbers.is_finite()).then(numbers)).to_series()


def _titles_text(path: Path) -> str:
    """A file of titles as text, "" where there is none; MovieLens wrote some of its in latin-1."""
    if not path.is_file():
        return ""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n")


def _by_key(keys: pl.Series, titles: pl.Series) -> dict[str, str]:
    pairs = pl.select(key=keys.str.strip_chars(), title=titles.str.strip_chars())
    return dict(pairs.drop_nulls().filter(pl.col("title") != "").rows())


def _movielens_titles(path: Path, *, file: str, separator: str) -> dict[str, str]:
    fields = _lines(_titles_text(path.with_name(file)))["text"].str.split(separator)
    return _by_key(fields.list.get(0), fields.list.get(1, null_on_oob=True))


def _csv_titles(path: Path) -> dict[str, str]:
    """MovieLens keeps the titles of `ratings.csv` in `movies.csv`; other CSVs have none."""
    beside = path.with_name("movies.csv")
    text = _titles_text(beside) if path.name == "ratings.csv" else ""
    rows = _delimited(beside, text, ",") if text.strip() else pl.DataFrame()
    if not {"movieId", "title"} <= set(rows.columns):
        return {}
    return _by_key(rows["movieId"], rows["title"])


def _inter_titles(path: Path) -> dict[str, str]:
    """Titles from the `.item` beside a `.inter`, with the year where it is known."""
    text = _titles_text(path.with_suffix(".item"))
    if not text.strip():
        return {}
    header, lines = _inter_lines(text)
    title = next((name for name in header if name.lower().endswith("title")), None)
    if title is None or "item_id" not in header:
        return {}
    fields = lines["text"].str.split("\t")
    column = {name: fields.list.get(at, null_on_oob=True) for at, name in enumerate(header)}
    titles = column[title].str.strip_chars()
    if "release_year" in header:
        year = column["release_year"].str.extract(r"^(\d{4})$")
        titles = titles + (" (" + year + ")").fill_null("")
    return _by_key(column["item_id"], titles)


FORMATS: dict[str, Callable[[Path, Columns], _Table]] = {
    "inter": _read_inter,
    "u.data": partial(_read_movielens, separator="\t"),
    "ratings.dat": partial(_read_movielens, separator="::"),
    "csv": partial(_read_delimited, separator=","),
    "tsv": partial(_read_delimited, separator="\t"),
    "parquet": _read_parquet,
    "lines": _read_lines,
}
_HEADERLESS = ("u.data", "ratings.dat", "lines")
_TITLES: dict[str, Callable[[Path], dict[str, str]]] = {
    "inter": _inter_titles,
    "u.data": partial(_movielens_titles, file="u.item", separator="|"),
    "ratings.dat": partial(_movielens_titles, file="movies.dat", separator="::"),
    "csv": _csv_titles,
}
