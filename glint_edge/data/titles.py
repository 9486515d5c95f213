"""The item titles in a file beside a log: a reader a format."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import polars as pl

from glint_edge.data.formats import delimited, inter_lines, lines_of


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
    fields = lines_of(_titles_text(path.with_name(file)))["text"].str.split(separator)
    return _by_key(fields.list.get(0), fields.list.get(1, null_on_oob=True))


def _csv_titles(path: Path) -> dict[str, str]:
    """MovieLens keeps the titles of `ratings.csv` in `movies.csv`; other CSVs have none."""
    beside = path.with_name("movies.csv")
    text = _titles_text(beside) if path.name == "ratings.csv" else ""
    rows = delimited(beside, text, ",") if text.strip() else pl.DataFrame()
    if not {"movieId", "title"} <= set(rows.columns):
        return {}
    return _by_key(rows["movieId"], rows["title"])


def _inter_titles(path: Path) -> dict[str, str]:
    """Titles from the `.item` beside a `.inter`, with the year where it is known."""
    text = _titles_text(path.with_suffix(".item"))
    if not text.strip():
        return {}
    header, lines = inter_lines(text)
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


TITLES: dict[str, Callable[[Path], dict[str, str]]] = {
    "inter": _inter_titles,
    "u.data": partial(_movielens_titles, file="u.item", separator="|"),
    "ratings.dat": partial(_movielens_titles, file="movies.dat", separator="::"),
    "csv": _csv_titles,
}
