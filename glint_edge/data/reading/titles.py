"""The item titles in a file beside a log: a reader a format."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import polars as pl

from glint_edge.data.reading.formats import inter_header
from glint_edge.data.reading.text import explain_records, western
from glint_edge.errors import DataError

log = logging.getLogger(__name__)


def _titles_text(path: Path) -> str:
    """A file of titles as text, "" where there is none.

    MovieLens wrote some of its in Windows' Western letters, so what is not UTF-8 is read so, and
    that is said.

    Raises:
        DataError: it is in some other encoding.
    """
    if not path.is_file():
        return ""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        text = _western(path, data, error)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _western(path: Path, data: bytes, error: UnicodeDecodeError) -> str:
    text = western(data)
    if text is None:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: byte {data[error.start]:#04x} is not UTF-8 text; save the "
            "titles as UTF-8"
        ) from error
    log.warning("%s is not UTF-8: its titles are read as Windows-1252; save it as UTF-8", path.name)
    return text


def _by_key(keys: pl.Series, titles: pl.Series) -> dict[str, str]:
    pairs = pl.select(key=keys.str.strip_chars(), title=titles.str.strip_chars())
    return dict(pairs.drop_nulls().filter(pl.col("title") != "").rows())


def _lines(text: str) -> pl.Series:
    lines = pl.select(text=pl.lit(text).str.split("\n").explode())["text"]
    return lines.filter(lines.str.strip_chars() != "")


def _movielens_titles(path: Path, *, file: str, separator: str) -> dict[str, str]:
    fields = _lines(_titles_text(path.with_name(file))).str.split(separator)
    return _by_key(fields.list.get(0), fields.list.get(1, null_on_oob=True))


def _csv_titles(path: Path) -> dict[str, str]:
    """MovieLens keeps the titles of `ratings.csv` in `movies.csv`; other CSVs have none."""
    beside = path.with_name("movies.csv")
    text = _titles_text(beside) if path.name == "ratings.csv" else ""
    if not text.strip():
        return {}
    try:
        rows = pl.read_csv(text.encode(), infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise explain_records(beside, ",", error) from error
    if not {"movieId", "title"} <= set(rows.columns):
        return {}
    return _by_key(rows["movieId"], rows["title"])


def _inter_titles(path: Path) -> dict[str, str]:
    """Titles from the `.item` beside a `.inter`, with the year where it is known."""
    text = _titles_text(path.with_suffix(".item"))
    if not text.strip():
        return {}
    lines = _lines(text)
    header, _ = inter_header(lines[0])
    title = next((name for name in header if name.lower().endswith("title")), None)
    if title is None or "item_id" not in header:
        return {}
    fields = lines[1:].str.split("\t")
    column = {name: fields.list.get(at, null_on_oob=True) for at, name in enumerate(header)}
    titles = column[title].str.strip_chars()
    if "release_year" in header:
        year = column["release_year"].str.extract(r"^(\d{4})$")
        titles = titles + (" (" + year + ")").fill_null("")
    return _by_key(column["item_id"], titles)


TITLES: dict[str, Callable[[Path], dict[str, str]]] = {
    "inter": _inter_titles,
    "u.data": partial(_movielens_titles, file="u.item", separator="|"),
    "ratings.dat": partial(_movielens_titles, file="movies.dat", separator="::"),
    "csv": _csv_titles,
}
