"""CSV and its like: which separator, whether there is a header, and the rows."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

import polars as pl

from glint_edge.data.reading.columns import (
    ROLES,
    Selection,
    looks_like_header,
    looks_like_time,
    names_columns,
    others,
)
from glint_edge.data.reading.table import Table, with_unused
from glint_edge.data.reading.text import at_record, explain_records, head_of, records, source_of
from glint_edge.errors import DataError

SEPARATORS = (",", "\t", ";", "|")
AMONG_VALUES = "|"  # as in Action|Comedy


def read_delimited(path: Path, selection: Selection, *, separator: str) -> Table:
    """The chosen columns of a file with a row an interaction.

    Args:
        path: of the file.
        selection: which columns; by number, from 1, where there is no header.
        separator: what its name promises; another is taken if the first row is cut by that.

    Raises:
        DataError: it is empty or not well-formed, or a column is missing or there twice.
    """
    source = source_of(path)
    separator = separator_of(head_of(path), separator, selection)
    explain = partial(explain_records, path, separator)
    try:
        _, names = next(records(path, separator))
        header = looks_like_header(names, selection)
        # By number: names may be there twice, and one may be `row`.
        rows = pl.scan_csv(
            source, separator=separator, infer_schema=False, row_index_name="row", glob=False,
            has_header=header,
            with_column_names=lambda names: [f"{at + 1}" for at in range(len(names))],
        )  # fmt: skip
        numbers = rows.collect_schema().names()[1:]
    except pl.exceptions.PolarsError as error:
        raise explain(error) from error
    if len(names) != len(numbers):
        raise DataError(f"{path}: the header is not well-formed; check its quotes")
    if not header:
        _require_numbers(path, names, selection)
        names = numbers
    chosen = selection.choose(str(path), names)
    # polars shows a blank line as a row of nulls
    filled = rows.filter(pl.any_horizontal(pl.col(numbers).is_not_null()))
    at = {role: numbers[names.index(name)] for role, name in chosen.items()}
    unused = others(names, chosen)
    table = Table(
        str(path), filled.select("row", **{role: pl.col(number) for role, number in at.items()}),
        partial(at_record, path, separator, header), explain, chosen, unused,
    )  # fmt: skip
    rest = filled.select(**{name: pl.col(numbers[names.index(name)]) for name in unused})
    return with_unused(table, rest)


def separator_of(head: str, usual: str, selection: Selection) -> str:
    """The separator that cuts a file's first record into the columns that are needed.

    Quoted fields are one field, whatever they hold. Where the names do not decide, what cuts it
    into the most fields does; the usual separator, where none does better.
    """
    named = [name for role in ROLES if (name := getattr(selection.columns, role))]

    def worth(separator: str) -> tuple[bool, bool, int, bool]:
        lines = (line for line in head.splitlines(keepends=True) if line.strip())
        try:
            words = next(csv.reader(lines, delimiter=separator), [])
        except csv.Error:
            words = []
        chosen = bool(named) and all(name in words for name in named)
        named_as_usual = names_columns(words)
        among = separator == AMONG_VALUES and not (chosen or named_as_usual)
        fields = min(len(words), 2) if among else len(words)
        return chosen, named_as_usual, fields, separator == usual

    return max(SEPARATORS, key=worth)


def _require_numbers(path: Path, first: list[str], selection: Selection) -> None:
    """Refuse a file without a header whose columns are not chosen, and say how to.

    Raises:
        DataError: the user's or the item's column is not chosen.
    """
    columns = selection.columns
    if columns.item and (columns.user or columns.session):
        return
    timely = [f"{at}" for at, word in enumerate(first, 1) if looks_like_time("", [word])]
    rest = iter([number for at in range(len(first)) if (number := f"{at + 1}") not in timely[:1]])
    time = f" --time-column {timely[0]}" if timely else ""
    shown = ", ".join(word[:30] for word in first[:8])
    raise DataError(
        f"{path} has no header: its first row is {shown}; say which column is what by number, as "
        f"in --user-column {next(rest, '1')} --item-column {next(rest, '2')}{time}"
    )
