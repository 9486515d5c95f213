"""Reading an interaction log: one file in, columns of user, item and time out.

    format        file                    holds
    inter         *.inter                 RecBole: tabs, header `user_id:token item_id:token …`
    u.data        u.data                  MovieLens-100K: user, item, rating, time; tabs, no header
    ratings.dat   ratings.dat             MovieLens-1M/10M: the same, separated by `::`
    csv, tsv      *.csv, *.tsv            a header; columns by their usual names, or chosen
    parquet       *.parquet, *.pq         the same
    lines         *.txt and others        `USER ITEM ITEM …`, a user a line, in time order

A file whose name says nothing is recognised by its first line. Ratings are ignored. Rows are read
when they are asked for: at once into memory, or part after part into shards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glint_edge.data.reading.columns import HEADERLESS, USUAL_NAMES, Columns
from glint_edge.data.reading.formats import FORMATS
from glint_edge.data.reading.parquet import table_of_parquet
from glint_edge.data.reading.table import Table
from glint_edge.data.reading.titles import TITLES
from glint_edge.data.record import require_plain
from glint_edge.errors import DataError
from glint_edge.refusals import refusal


def read_table(path: Path, columns: Columns, format: str | None) -> Table:
    """The interactions of a log in file order, unchecked.

    Args:
        path: the log, or a folder of Parquet files.
        columns: which columns to read, where the format has a header.
        format: a key of `FORMATS`; None: recognised from the name or the first line.

    Raises:
        DataError: the file is unreadable or has a line that makes no sense.
    """
    with _reading(path):
        if path.is_dir():
            return _read_folder(path, columns)
        format = format or detect(path)
        if columns != USUAL_NAMES and format in HEADERLESS:
            raise DataError(f"{path} is read as {format!r}, which has no column names to choose")
        return FORMATS[format](path, columns)


def read_titles(path: Path, format: str | None) -> dict[str, str]:
    """Titles by item key from the file beside a log, where its format has one.

    Raises:
        DataError: that file is no text.
    """
    with _reading(path):
        format = format or detect(path)
        return TITLES[format](path) if format in TITLES else {}


def _read_folder(folder: Path, columns: Columns) -> Table:
    paths = sorted(folder.glob("*.parquet"))
    if not paths:
        raise DataError(f"{folder} holds no .parquet file; pass a folder of interactions")
    for path in paths:
        require_plain(path)
    return table_of_parquet(str(folder), paths, columns)


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


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot read {path}: {refusal(error, '')}") from error
