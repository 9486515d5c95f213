"""Reading an interaction log: one file in, one checked table of user, item and time out.

    format        file                    holds
    inter         *.inter                 RecBole: tabs, header `user_id:token item_id:token …`
    u.data        u.data                  MovieLens-100K: user, item, rating, time; tabs, no header
    ratings.dat   ratings.dat             MovieLens-1M/10M: the same, separated by `::`
    csv, tsv      *.csv, *.tsv            a header; columns by their usual names, or chosen
    parquet       *.parquet, *.pq         the same
    lines         *.txt and others        `USER ITEM ITEM …`, a user a line, in time order

A file whose name says nothing is recognised by its first line. Ratings are ignored. Every check
works on whole columns; only when one fails is the first bad row looked up, to name its line.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from glint_edge.data.columns import HEADERLESS, USUAL_NAMES, Columns
from glint_edge.data.formats import FORMATS, Table, first_true
from glint_edge.data.titles import TITLES
from glint_edge.errors import DataError
from glint_edge.refusals import refusal

# Only the unambiguous orders: 03/04/2020 means two different days. `%+` is RFC 3339 with its zone.
_DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%+",
    "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f",
)  # fmt: skip  # a table


def read_file(path: Path, columns: Columns, format: str | None) -> tuple[Table, dict[str, str]]:
    """Read a log, and the item titles in the file beside it.

    Args:
        path: the log.
        columns: which columns to read, where the format has a header.
        format: a key of `FORMATS`; None: recognised from the name or the first line.

    Returns:
        The interactions in file order, unchecked. The titles by item key; empty where the format
        has no file of titles or it is not there.

    Raises:
        DataError: the file is unreadable or has a line that makes no sense.
    """
    try:
        format = format or detect(path)
        if columns != USUAL_NAMES and format in HEADERLESS:
            raise DataError(f"{path} is read as {format!r}, which has no column names to choose")
        table = FORMATS[format](path, columns)
        return table, TITLES[format](path) if format in TITLES else {}
    except OSError as error:
        raise DataError(f"cannot read {path}: {refusal(error, '')}") from error


def detect(path: Path) -> str:
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


def checked(table: Table) -> pl.DataFrame:
    """The interactions of a table, in its order.

    Returns:
        `user` and `item` (String, trimmed, never empty) and, where the log has times, `time`
        (integer or Float64, never null).

    Raises:
        DataError: a row makes no sense; the first such row is named.
    """
    frame = table.frame
    if frame.is_empty():
        header = "has a header and no rows" if table.columns else "has no rows"
        raise DataError(f"{table.name} {header}; pass a log with interactions")
    rows = pl.DataFrame({role: _keys(frame[role]) for role in ("user", "item")})
    for role in ("user", "item"):
        if (row := first_true(rows[role].fill_null("") == "")) is not None:
            raise table.error(row, f"the {role} is missing; fill it in or remove the row")
    if "time" not in frame.columns:
        return rows
    times = _times(frame["time"])
    if (row := first_true(times.is_null())) is not None:
        text = frame["time"][row]
        problem = "the time is missing" if text in (None, "") else f"{text!r} is not a time"
        raise table.error(row, f"{problem}; write every time as a number or as YYYY-MM-DD hh:mm:ss")
    return rows.with_columns(time=times)


def _keys(column: pl.Series) -> pl.Series:
    """Keys as trimmed text, null where one is missing; 50.0 stored as a number is "50"."""
    text = column.cast(pl.String, strict=False).str.strip_chars()
    if not (column.dtype.is_float() or column.dtype.is_decimal()):
        return text
    whole = column.cast(pl.Int64, strict=False)
    number = _finite(column.cast(pl.Float64))
    key = pl.when(whole == number).then(whole.cast(pl.String)).when(number.is_not_null()).then(text)
    return pl.select(key).to_series()


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
