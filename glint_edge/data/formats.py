"""One function a format: a file in, columns `user`, `item` and perhaps `time` out, unchecked."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path

import polars as pl

from glint_edge.data.columns import Columns, choose_columns, others
from glint_edge.errors import DataError


@dataclass(frozen=True, slots=True)
class Table:
    """Columns `user`, `item` and perhaps `time`, before any check.

    Attributes:
        name: where it is from, for messages.
        frame: the columns as stored: text, or a Parquet file's or a DataFrame's own types.
        where: a row's place there, such as "line 7".
        columns: the name of the column that was taken, by role; empty where there are no names.
        unused: names of the other columns.
        dropped: how much was left out already, by reason.
    """

    name: str
    frame: pl.DataFrame
    where: Callable[[int], str]
    columns: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)

    def error(self, row: int, problem: str) -> DataError:
        """What is wrong with a row, and where it stands."""
        return DataError(f"{self.name}, {self.where(row)}: {problem}")


def text_of(path: Path) -> str:
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


def lines_of(text: str) -> pl.DataFrame:
    """The lines that are not blank: `text`, and `line`, their number from 1."""
    lines = pl.select(text=pl.lit(text).str.split("\n").explode())
    return lines.with_row_index("line", offset=1).filter(pl.col("text").str.strip_chars() != "")


def _at_line(lines: pl.DataFrame) -> Callable[[int], str]:
    return lambda row: f"line {lines['line'][row]}"


def first_true(wrong: pl.Series) -> int | None:
    """The first row in which `wrong` (Boolean) holds."""
    return wrong.arg_max() if wrong.any() else None


def _split(
    path: Path, lines: pl.DataFrame, separator: str, width: int, columns: dict[str, int]
) -> Table:
    """Cut unquoted lines into `width` fields and keep those at the positions `columns`."""
    fields = lines["text"].str.split(separator)
    frame = pl.DataFrame(
        {name: fields.list.get(at, null_on_oob=True) for name, at in columns.items()}
    )
    table = Table(str(path), frame, _at_line(lines))
    if (row := first_true(fields.list.len() != width)) is not None:
        raise table.error(
            row, f"{len(fields[row])} fields where {width} belong; correct or remove the line"
        )
    return table


def _read_movielens(path: Path, columns: Columns, *, separator: str) -> Table:
    return _split(path, lines_of(text_of(path)), separator, 4, {"user": 0, "item": 1, "time": 3})


def _read_inter(path: Path, columns: Columns) -> Table:
    header, lines = inter_lines(text_of(path))
    chosen = choose_columns(str(path), header, columns)
    at = {role: header.index(name) for role, name in chosen.items()}
    table = _split(path, lines, "\t", len(header), at)
    return replace(table, columns=chosen, unused=others(header, chosen))


def inter_lines(text: str) -> tuple[list[str], pl.DataFrame]:
    """A RecBole file's column names, without their types, and its lines below the header."""
    lines = lines_of(text)
    names = [name.partition(":")[0] for name in lines["text"][0].split("\t")]
    return names, lines[1:]


def _read_lines(path: Path, columns: Columns) -> Table:
    lines = lines_of(text_of(path)).with_columns(fields=pl.col("text").str.extract_all(r"\S+"))
    fields = lines["fields"]
    frame = lines.select(user=pl.col("fields").list.first(), item=pl.col("fields").list.slice(1))
    table = Table(str(path), frame, _at_line(lines))
    if (row := first_true(fields.list.len() < 2)) is not None:
        raise table.error(row, f"no item after user {fields[row][0]!r}; write USER ITEM ITEM …")
    # `USER ITEM`, one interaction a line, is as common and means the same. Longer lines that repeat
    # a user are some other table (user item rating time), which must not pass for items.
    pairs = (fields.list.len() == 2).all()
    if not pairs and (row := first_true(~frame["user"].is_first_distinct())) is not None:
        raise table.error(
            row,
            f"user {fields[row][0]!r} again; put all items of a user on one line, in time order",
        )
    return replace(table, frame=frame.explode("item"))


def _read_delimited(path: Path, columns: Columns, *, separator: str) -> Table:
    text = text_of(path)
    rows = delimited(path, text, separator)
    chosen = choose_columns(str(path), rows.columns, columns)
    # polars shows a blank line as a row of nulls
    filled = rows.select(~pl.all_horizontal(pl.all().is_null())).to_series()
    numbers = filled.arg_true()

    def where(row: int) -> str:
        line, _ = next(islice(_records(path, text, separator), numbers[row] + 1, None))
        return f"line {line}"

    frame = rows.filter(filled).select(**{role: pl.col(name) for role, name in chosen.items()})
    return Table(str(path), frame, where, chosen, others(rows.columns, chosen))


def delimited(path: Path, text: str, separator: str) -> pl.DataFrame:
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


def _read_parquet(path: Path, columns: Columns) -> Table:
    try:
        schema = pl.read_parquet_schema(path)
        chosen = choose_columns(str(path), list(schema), columns)
        refuse_lists(str(path), schema, chosen)
        rows = pl.read_parquet(path, columns=list(chosen.values()))
    except pl.exceptions.PolarsError as error:
        problem = str(error).partition("\n")[0]
        raise DataError(
            f"{path} is not a readable Parquet file ({problem}); write it again"
        ) from error
    return by_role(str(path), rows, chosen, others(list(schema), chosen))


def refuse_lists(name: str, schema: Mapping[str, pl.DataType], chosen: Mapping[str, str]) -> None:
    """Refuse a chosen column that holds more than one value a row.

    Raises:
        DataError: there is one.
    """
    for column in chosen.values():
        if schema[column].is_nested():
            raise DataError(f"{name}: column {column!r} holds lists; flatten it to one value a row")


def by_role(
    name: str, rows: pl.DataFrame, chosen: Mapping[str, str], unused: tuple[str, ...]
) -> Table:
    """The chosen columns of rows that have numbers and no lines."""
    frame = rows.select(**{role: pl.col(column) for role, column in chosen.items()})
    return Table(name, frame, lambda row: f"row {row + 1}", chosen, unused)


FORMATS: dict[str, Callable[[Path, Columns], Table]] = {
    "inter": _read_inter,
    "u.data": partial(_read_movielens, separator="\t"),
    "ratings.dat": partial(_read_movielens, separator="::"),
    "csv": partial(_read_delimited, separator=","),
    "tsv": partial(_read_delimited, separator="\t"),
    "parquet": _read_parquet,
    "lines": _read_lines,
}
