"""A log as rows that are not read yet: in memory or a part at a time, the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from glint_edge.data.reading.columns import looks_like_time, others
from glint_edge.errors import DataError

NO_TIME = "there is no time: items are taken in the order in which they stand"
SHOWN = 20  # rows that show what an unused column holds

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """Interactions before any check.

    Attributes:
        name: where they are from, for messages.
        rows: `row`, its number in the source; `user`, `item` and perhaps `time` as stored: text, or
            a Parquet file's or a DataFrame's own types; perhaps `fields`, how many a row has, null
            where that is right.
        where: the place of a row in the source, such as "line 7".
        explain: what an error of polars means here.
        columns: the name of the column that was taken, by role; empty where there are no names.
        unused: names of the other columns.
        times: those of them that look like a time.
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
    dropped: Mapping[str, int] = field(default_factory=dict)
    wrong_fields: Callable[[Row], str] = str

    def notes(self) -> list[str]:
        """What was taken for what, a sentence each."""
        notes = []
        if self.columns:
            taken = ", ".join(f"{role} = {column}" for role, column in self.columns.items())
            notes.append(f"columns: {taken}")
        if "time" not in self.rows.collect_schema():
            notes.append(NO_TIME)
        if self.unused:
            notes.append(f"columns not used: {', '.join(self.unused)}")
        return notes

    def warnings(self) -> tuple[str, ...]:
        """What may well be a mistake, a sentence each."""
        if not self.times:
            return ()
        looks = "looks like a time and is" if len(self.times) == 1 else "look like times and are"
        return (
            f"{', '.join(self.times)} {looks} not used, so the order of the rows counts; choose "
            f"the column of the time, as in --time-column {self.times[0]!r}",
        )

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

    def held(self) -> Table:
        """The same in memory, read once."""
        return replace(self, rows=self.collect(self.rows).lazy())

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


def with_times(table: Table, shown: Callable[[], Mapping[str, list[Any]]]) -> Table:
    """The table, and which unused columns look like the time that it lacks.

    Args:
        table: with its columns' names.
        shown: reads some values of each unused column.
    """
    if "time" in table.columns or not table.unused:
        return table
    times = (name for name, values in shown().items() if looks_like_time(name, values))
    return replace(table, times=tuple(times))


def typed_table(
    name: str,
    rows: pl.LazyFrame,
    chosen: Mapping[str, str],
    explain: Callable[[pl.exceptions.PolarsError], DataError],
) -> Table:
    """The chosen columns of rows that have types and numbers, and no lines.

    Raises:
        DataError: a chosen column holds more than one value a row, or no values of a log.
    """
    schema = rows.collect_schema()
    for column in chosen.values():
        if schema[column].is_nested():
            raise DataError(f"{name}: column {column!r} holds lists; flatten it to one value a row")
        if schema[column] == pl.Object:
            raise DataError(f"{name}: column {column!r} holds Python objects; make them texts")
    named = rows.select(**{role: pl.col(column) for role, column in chosen.items()})
    table = Table(
        name, named.with_row_index("row"), lambda row: f"row {row + 1}", explain, chosen,
        others(list(schema), chosen),
    )  # fmt: skip
    binary = [role for role, column in chosen.items() if schema[column] == pl.Binary]
    careful = replace(table, explain=lambda error: _undecodable(table, binary) or explain(error))
    unused = rows.select(careful.unused).head(SHOWN)
    return with_times(careful, lambda: careful.collect(unused).to_dict(as_series=False))


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
