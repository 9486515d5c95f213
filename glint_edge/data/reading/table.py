"""A log as rows that are not read yet: in memory or a part at a time, the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from glint_edge.data.reading.columns import (
    USUAL,
    Selection,
    columns_notes,
    flag_of,
    looks_like_time,
    others,
    shown,
    usual,
)
from glint_edge.errors import DataError

# How databases, pandas, R and spreadsheets write that there is no value.
MISSING = (
    "", "NULL", "Null", "null", "NaN", "nan", "NAN", "None", "NA", "N/A", "n/a", "<NA>", "NaT",
    "#N/A", r"\N",
)  # fmt: skip  # a table
NO_TIME = "there is no time: items are taken in the order in which they stand"
UNUSED_KINDS = 3  # of events, that a warning shows
SHOWN = 20  # rows that show what an unused column holds

Row = Mapping[str, Any]


def is_text(dtype: pl.DataType) -> bool:
    """Whether a column holds texts, or nothing at all."""
    return dtype in (pl.String, pl.Binary, pl.Categorical, pl.Enum, pl.Null)


def text_of(role: str) -> pl.Expr:
    """A column of a table as trimmed text."""
    return pl.col(role).cast(pl.String).str.strip_chars()


@dataclass(frozen=True, slots=True)
class Table:
    """Interactions before any check.

    Attributes:
        name: where they are from, for messages.
        rows: `row`, its number in the source; `user`, `item` and perhaps `time`, `session`, `event`
            and `rating` as stored: text, or a Parquet file's or a DataFrame's own types; perhaps
            `fields`, how many a row has, null where that is right.
        where: the place of a row in the source, such as "line 7".
        explain: what an error of polars means here.
        columns: the name of the column that was taken, by role; empty where there are no names.
        unused: names of the other columns.
        times: those of them that look like a time, where none was taken.
        events: the one of them that says what kind of event a row is, a column `event` alone.
        dropped: how much was left out already, by reason.
        wrong_fields: what is wrong with a row whose `fields` is not null.
    """

    name: str
    rows: pl.LazyFrame
    where: Callable[[int], str]
    explain: Callable[[pl.exceptions.PolarsError], DataError]
    columns: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    events: pl.LazyFrame | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    wrong_fields: Callable[[Row], str] = str

    def notes(self) -> list[str]:
        """What was taken for what, a sentence each."""
        notes = [*columns_notes(self.columns)]
        if not self.columns and "time" not in self.rows.collect_schema():
            notes.append(NO_TIME)
        if self.unused:
            notes.append(f"columns not used: {', '.join(self.unused)}")
        return notes

    def warnings(self) -> tuple[str, ...]:
        """What may well be a mistake, a sentence each."""
        warnings = []
        if self.times:
            looks = (
                "looks like a time and is" if len(self.times) == 1 else "look like times and are"
            )
            warnings.append(
                f"{', '.join(self.times)} {looks} not used, so the order of the rows counts; "
                f"choose the column of the time, as in --time-column {self.times[0]!r}"
            )
        elif self.columns and "time" not in self.columns:
            warnings.append(f"{NO_TIME}; if the log has a time, choose it by --time-column")
        user = self.columns.get("user", "")
        if usual("session", [user]):
            warnings.append(
                f"there is no column of the user: each {user} is taken for a user of its own"
            )
        if event := usual("event", self.unused):
            held = {} if self.events is None else self.kinds(self.events)
            kinds = [kind for kind in held if kind not in MISSING]
            some = f" ({shown(kinds, UNUSED_KINDS)})" if kinds else ""
            warnings.append(
                f"column {event} is not used{some}: all its events count alike; choose with "
                "--only, or weigh with --event"
            )
        return tuple(warnings)

    def kinds(self, rows: pl.LazyFrame) -> dict[str, int]:
        """How many rows there are of each kind of `event`, the most frequent first.

        Raises:
            DataError: they cannot be read.
        """
        by_kind = rows.group_by(kind=text_of("event").fill_null("")).len()
        counts = self.collect(by_kind.sort("len", "kind", descending=[True, False]))
        return dict(counts.iter_rows())

    def error(self, row: int, problem: str) -> DataError:
        """What is wrong with a row, and where it stands."""
        return DataError(f"{self.name}, {self.where(row)}: {problem}")

    def collect(self, rows: pl.LazyFrame) -> pl.DataFrame:
        """Rows made of this table's, in their order.

        Raises:
            DataError: they cannot be read.
        """
        with self.reading():
            return rows.collect(engine="streaming")

    def first(self, rows: pl.LazyFrame) -> Row | None:
        """The first of some of its rows."""
        return next(iter(self.collect(rows.head(1)).rows(named=True)), None)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turn an error of polars into one of the log.

        Raises:
            DataError: the rows cannot be read.
        """
        try:
            yield
        except pl.exceptions.PolarsError as error:
            raise self.explain(error) from error


def described(
    table: Table,
    some_values: Callable[[], Mapping[str, list[Any]]],
    values: Callable[[str], pl.LazyFrame],
) -> Table:
    """The table, and which unused columns look like the time that it lacks, or like events.

    Args:
        table: with its columns' names.
        some_values: reads some values of each unused column.
        values: all values of one, in a frame of one column.
    """
    if event := usual("event", table.unused):
        table = replace(table, events=values(event).select(event=pl.first()))
    if "time" in table.columns or not table.unused:
        return table
    times = (name for name, some in some_values().items() if looks_like_time(name, some))
    return replace(table, times=tuple(times))


def with_unused(table: Table, unused: pl.LazyFrame) -> Table:
    """`described` by the rows of the unused columns."""
    some = unused.head(SHOWN)
    return described(table, lambda: table.collect(some).to_dict(as_series=False), unused.select)


def unnested(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows, with the fields of structs as columns of their own, as `user.id`."""
    schema = rows.collect_schema()
    if not any(isinstance(dtype, pl.Struct) for dtype in schema.values()):
        return rows
    columns = {name: pl.col(name) for name in schema}
    for name, dtype in schema.items():
        if isinstance(dtype, pl.Struct):
            del columns[name]
            columns = {**dict(_fields(pl.col(name), name, dtype)), **columns}
    return rows.select(**columns)


def _fields(column: pl.Expr, name: str, dtype: pl.DataType) -> Iterator[tuple[str, pl.Expr]]:
    if not isinstance(dtype, pl.Struct):
        yield name, column
        return
    for one in dtype.fields:
        inner = pl.Series(dtype=one.dtype).dtype  # an object, where a class was named
        yield from _fields(column.struct.field(one.name), f"{name}.{one.name}", inner)


def listed(rows: pl.LazyFrame) -> dict[str, tuple[str, pl.Expr]]:
    """What an item may be in columns of lists, as `items.item_id`: the column, and what of `item`.

    `item` is then an element of the list.
    """
    lists: dict[str, tuple[str, pl.Expr]] = {}
    for name, dtype in rows.collect_schema().items():
        if isinstance(dtype, pl.List | pl.Array):
            inner = pl.Series(dtype=dtype.inner).dtype
            own = _fields(pl.col("item"), name, inner)
            lists |= {field: (name, value) for field, value in own}
    return lists


def typed_table(
    name: str,
    rows: pl.LazyFrame,
    chosen: Mapping[str, str],
    explain: Callable[[pl.exceptions.PolarsError], DataError],
    selection: Selection = USUAL,
) -> Table:
    """The chosen columns of rows that have types and numbers, and no lines.

    Raises:
        DataError: a chosen column holds more than one value a row, or no values of a log.
    """
    lists = listed(rows) if selection.has_baskets else {}
    column, item = lists.get(chosen["item"], (chosen["item"], None))
    named = rows.select(**{role: pl.col(one) for role, one in {**chosen, "item": column}.items()})
    named = named.with_row_index("row")
    if item is not None:
        named = named.explode("item", empty_as_null=True).with_columns(item=item)
    schema = named.collect_schema()
    for role, one in chosen.items():
        dtype = schema[role]
        several = isinstance(dtype, pl.List | pl.Array) and not dtype.inner.is_nested()
        if dtype.is_nested() and not (several and selection.may_be_list(role)):
            raise holds_more(name, role, one, lists)
        if dtype == pl.Object:
            raise DataError(f"{name}: column {one!r} holds Python objects; make them texts")
    names = [each for each in rows.collect_schema() if each != column]
    table = Table(name, named, lambda row: f"row {row + 1}", explain, chosen, others(names, chosen))
    binary = [role for role in chosen if schema[role] == pl.Binary]
    careful = replace(table, explain=lambda error: _undecodable(table, binary) or explain(error))
    return with_unused(careful, rows.select(careful.unused))


def holds_more(log: str, role: str, column: str, lists: Iterable[str] = ()) -> DataError:
    """What a column of lists or objects is refused with."""
    inner = [name for name in lists if name.startswith(f"{column}.")]
    way = "flatten it to one value"
    if inner and role == "item":
        way = f"choose {flag_of(log, role)} from {', '.join(inner)}"
    return DataError(f"{log}: {column!r}, the {role}, holds lists or objects; {way}")


def _undecodable(table: Table, binary: list[str]) -> DataError | None:
    """The first of the bytes in some columns that are no text."""
    for role in binary:
        rows = table.rows.select("row", role).filter(pl.col(role).is_not_null())
        for batch in rows.collect_batches():
            for row, value in batch.rows():
                try:
                    value.decode()
                except UnicodeDecodeError:
                    problem = f"the {role} is {value[:20]!r}, which is not UTF-8"
                    return table.error(row, f"{problem}; write keys and times as texts or numbers")
    return None
