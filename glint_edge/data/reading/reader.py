"""Reading an interaction log: one file in, columns of user, item and time out.

    format        file                    holds
    inter         *.inter                 RecBole: tabs, header `user_id:token item_id:token …`
    u.data        u.data                  MovieLens-100K: user, item, rating, time; tabs, no header
    ratings.dat   ratings.dat             MovieLens-1M/10M: the same, separated by `::`
    csv, tsv      *.csv, *.tsv            columns by their usual names, or chosen; cut by `,`, `;`,
                                          `|` or tabs; without a header, by number
    jsonl         *.jsonl, *.json         an object a line, or a list of objects; columns by name,
                                          as there
    parquet       *.parquet, *.pq         the same
    lines         *.txt and others        `USER ITEM ITEM …`, a user a line, in time order

A file whose name says nothing is recognised by its first line; each but Parquet may be packed by
gzip. Rows are read when they are asked for: at once into memory, or part after part into shards.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from glint_edge.data.reading.columns import (
    HEADERLESS,
    USUAL_NAMES,
    Selection,
    names_columns,
)
from glint_edge.data.reading.entities import entity_note, unescaped
from glint_edge.data.reading.formats import FORMATS
from glint_edge.data.reading.parquet import table_of_parquet
from glint_edge.data.reading.table import Table
from glint_edge.data.reading.text import head_of, is_json
from glint_edge.data.reading.titles import TITLES
from glint_edge.data.record import require_plain
from glint_edge.errors import DataError
from glint_edge.refusals import refusal

log = logging.getLogger(__name__)


def read_table(path: Path, selection: Selection, format: str | None) -> Table:
    """The interactions of a log in file order, unchecked.

    Args:
        path: the log, or a folder of Parquet files.
        selection: which columns to read, where the format has such.
        format: a key of `FORMATS`; None: recognised from the name or the first line.

    Raises:
        DataError: the file is unreadable or has a line that makes no sense.
    """
    with reading(path):
        if path.is_dir():
            return _read_folder(path, selection)
        format = format or detect(path)
        if selection.columns != USUAL_NAMES and format in HEADERLESS:
            raise DataError(f"{path} is read as {format!r}, which has no column names to choose")
        return FORMATS[format](path, selection)


def read_titles(path: Path, format: str | None) -> dict[str, str]:
    """Titles by item key from the file beside a log, where its format has one.

    Raises:
        DataError: that file is no text.
    """
    with reading(path):
        if path.is_dir():
            return {}
        format = format or detect(path)
        titles = TITLES[format](_unpacked(path)) if format in TITLES else {}
    texts, changed = unescaped(pl.Series(titles.values(), dtype=pl.String))
    if note := entity_note({"the titles": changed}):
        log.info("%s: %s", path.name, note)
    pairs = zip(titles, texts.to_list(), strict=True)
    return {key: title for key, title in pairs if title is not None}


def _read_folder(folder: Path, selection: Selection) -> Table:
    paths = sorted(folder.glob("*.parquet"))
    if not paths:
        raise DataError(f"{folder} holds no .parquet file; pass a folder of interactions")
    for path in paths:
        require_plain(path)
    return table_of_parquet(str(folder), paths, selection)


def _unpacked(path: Path) -> Path:
    """The name that a file had before gzip packed it."""
    return path.with_suffix("") if path.suffix.lower() == ".gz" else path


def detect(path: Path) -> str:
    """The format by name, else by suffix, else by the first line."""
    by_name = {"u.data": "u.data", "ratings.dat": "ratings.dat"}
    by_suffix = {".inter": "inter", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet",
                 ".pq": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl",
                 ".json": "jsonl"}  # fmt: skip  # a table
    plain = _unpacked(path)
    known = by_name.get(plain.name) or by_suffix.get(plain.suffix.lower())
    if known and known != "csv":
        return known
    start = head_of(path)
    if is_json(start):
        return "jsonl"
    if start.startswith("PAR1"):
        return "parquet"
    if known:
        return known
    first = start.partition("\n")[0]
    if ":token" in first:
        return "inter"
    if "::" in first:
        return "ratings.dat"
    if "," in first or any(names_columns(first.split(mark)) for mark in ";|"):
        return "csv"
    if names_columns(first.split("\t")):
        return "tsv"
    if "\t" in first:
        # u.data's four numbers, a user's items or a table: a guess could silently be wrong
        raise DataError(f"{path} could be 'tsv', 'u.data' or 'lines'; say which with the format")
    return "lines"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the system refuses into an error of the file.

    Raises:
        DataError: it cannot be read.
    """
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot read {path}: {refusal(error, '')}") from error
