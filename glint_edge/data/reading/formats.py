"""One function a format: a file in, columns `user`, `item` and perhaps `time` out, unchecked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl

from glint_edge.data.reading.columns import Selection, others
from glint_edge.data.reading.delimited import read_delimited
from glint_edge.data.reading.json_lines import read_json_lines
from glint_edge.data.reading.parquet import table_of_parquet
from glint_edge.data.reading.table import Row, Table, with_unused
from glint_edge.data.reading.text import at_line, explain_text, scan_text
from glint_edge.errors import DataError


def _of_lines(path: Path, rows: pl.LazyFrame, wrong_fields: Callable[[Row], str]) -> Table:
    return Table(str(path), rows, at_line, partial(explain_text, path), wrong_fields=wrong_fields)


def _split(
    path: Path, lines: pl.LazyFrame, separator: str, width: int, columns: Mapping[str, int]
) -> Table:
    """Cut unquoted lines into `width` fields and keep those at the positions `columns`."""
    fields = pl.col("fields").list
    rows = lines.with_columns(fields=pl.col("text").str.split(separator)).select(
        "row",
        **{name: fields.get(at, null_on_oob=True) for name, at in columns.items()},
        fields=pl.when(fields.len() != width).then(fields.len()),
    )

    def wrong(row: Row) -> str:
        return f"{row['fields']} fields where {width} belong; correct or remove the line"

    return _of_lines(path, rows, wrong)


def _read_movielens(path: Path, selection: Selection, *, separator: str) -> Table:
    _refuse_missing(path, selection, ("rating",))
    at = {"user": 0, "item": 1, "time": 3} | ({"rating": 2} if selection.needed else {})
    return _split(path, scan_text(path), separator, 4, at)


def _refuse_missing(path: Path, selection: Selection, has: tuple[str, ...]) -> None:
    """Refuse what is needed of columns that a format has not.

    Raises:
        DataError: one is needed.
    """
    for role in sorted(selection.needed - {*has, "time"}):
        raise DataError(f"{path} has no column of the {role}; leave out what needs it")


def _read_inter(path: Path, selection: Selection) -> Table:
    lines = scan_text(path)
    first = _of_lines(path, lines, str).first(lines)
    assert first is not None, "a file that is not empty has a line"
    header, types = inter_header(first["text"])
    lines = lines.filter(pl.col("row") > first["row"])
    chosen = selection.choose(str(path), header)
    at = {role: header.index(name) for role, name in chosen.items()}
    unused = others(header, chosen)
    histories = f"{chosen['item']}_list"
    if types.get(histories) == "token_seq":
        at["items"] = header.index(histories)
        table = _with_histories(_split(path, lines, "\t", len(header), at))
        chosen = {**chosen, "item": f"{histories}, {chosen['item']}"}
        unused = tuple(name for name in unused if name != histories)
    elif types.get(chosen["item"]) == "token_seq":
        raise DataError(
            f"{path}: column {chosen['item']!r} holds lists; choose one of single items"
        )
    else:
        table = _split(path, lines, "\t", len(header), at)
    rest = _split(path, lines, "\t", len(header), {name: header.index(name) for name in unused})
    return _named(table, chosen, unused, rest.rows)


def inter_header(line: str) -> tuple[list[str], dict[str, str]]:
    """A RecBole file's column names, and their types by name."""
    fields = [field.partition(":") for field in line.split("\t")]
    return [name for name, _, _ in fields], {name: type_ for name, _, type_ in fields}


def _with_histories(table: Table) -> Table:
    """A session a row, as RecBole has them: the items before, and the one that follows."""
    if again := table.first(table.rows.filter(~pl.col("user").is_first_distinct())):
        raise table.error(
            again["row"],
            f"user {again['user']!r} again, with a list of items; keep the longest row of each",
        )
    before = pl.col("items").str.extract_all(r"\S+")
    rows = table.rows.with_columns(item=pl.concat_list(before, "item")).drop("items")
    return replace(table, rows=rows.explode("item", empty_as_null=True, keep_nulls=True))


def _read_lines(path: Path, selection: Selection) -> Table:
    _refuse_missing(path, selection, ())
    if "time" in selection.needed:
        raise DataError(f"{path} has no column of the time; leave out what needs it")
    parts = scan_text(path).with_columns(parts=pl.col("text").str.extract_all(r"\S+"))
    count = pl.col("parts").list.len()
    rows = parts.select(
        "row",
        user=pl.col("parts").list.first(),
        item=pl.col("parts").list.slice(1),
        fields=pl.when(count < 2).then(count),
    )

    def wrong(row: Row) -> str:
        return f"no item after user {row['user']!r}; write USER ITEM ITEM …"

    table = _of_lines(path, rows, wrong)
    # `USER ITEM`, one interaction a line, is as common and means the same. Longer lines that repeat
    # a user are some other table (user item rating time), which must not pass for items.
    pairs = table.collect(parts.select((count == 2).all())).item()
    if not pairs:
        repeats = rows.filter(~pl.col("user").is_first_distinct() | pl.col("fields").is_not_null())
        if (again := table.first(repeats)) and again["fields"] is None:
            raise table.error(
                again["row"],
                f"user {again['user']!r} again; put all items of a user on one line, in time order",
            )
    return replace(table, rows=rows.explode("item", empty_as_null=True, keep_nulls=True))


def _named(
    table: Table, chosen: Mapping[str, str], unused: tuple[str, ...], rows: pl.LazyFrame
) -> Table:
    """The table with its columns' names; `rows`: those of the unused columns."""
    return with_unused(replace(table, columns=chosen, unused=unused), rows)


FORMATS: dict[str, Callable[[Path, Selection], Table]] = {
    "inter": _read_inter,
    "u.data": partial(_read_movielens, separator="\t"),
    "ratings.dat": partial(_read_movielens, separator="::"),
    "csv": partial(read_delimited, separator=","),
    "tsv": partial(read_delimited, separator="\t"),
    "jsonl": read_json_lines,
    "parquet": lambda path, selection: table_of_parquet(str(path), [path], selection),
    "lines": _read_lines,
}
