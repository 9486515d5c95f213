"""A log in memory: keys as codes of their distinct texts, and times parsed while it is read.

What is asked of keys is asked of their distinct texts alone, of which there are far fewer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from glint_edge.data.reading.table import SHOWN, Table, is_text
from glint_edge.data.reading.times import DATES, moment_text

KEYS = ("user", "item", "session")
_UNREAD = "unread"
_MICROSECONDS = 26  # characters of 2020-01-01T00:00:00.000000; longer times may be finer


def encoded(table: Table, numbers: Mapping[str, pl.Expr]) -> tuple[Table, dict[str, pl.Series]]:
    """The table in memory, and the distinct texts of its keys, by role.

    Args:
        table: to be read.
        numbers: the text of keys that are stored as no texts, by role.

    Returns:
        The table, whose keys are places in the distinct texts, and these.

    Raises:
        DataError: it cannot be read.
    """
    schema = table.rows.collect_schema()
    roles = [role for role in KEYS if role in schema]
    categories = {role: pl.Categories.random() for role in roles}
    texts = {
        role: numbers.get(role, pl.col(role).cast(pl.String)).cast(pl.Categorical(own))
        for role, own in categories.items()
    }
    time = _parsed(table) if "time" in schema and is_text(schema["time"]) else None
    if time is None:
        rows = table.collect(table.rows.with_columns(**texts))
    else:
        unread = {_UNREAD: moment_text().is_not_null() & time.is_null()}
        rows = table.collect(table.rows.with_columns(**texts, **unread, time=time))
        if rows[_UNREAD].any():  # a time that is wrong, finer or of another form
            rows = table.collect(table.rows.with_columns(**texts))
        rows = rows.drop(_UNREAD, strict=False)
    distinct = {role: own.to_series() for role, own in categories.items()}
    coded = rows.lazy().with_columns(pl.col(roles).to_physical())
    return replace(table, rows=coded), distinct


def _parsed(table: Table) -> pl.Expr | None:
    """How times of all rows may be read, told from the first ones; null where they are not so."""
    text = moment_text()
    first = table.collect(table.rows.select(text).head(SHOWN)).drop_nulls()
    if first.is_empty():
        return None
    numbers = text.cast(pl.Int64, strict=False)
    if not first.select(numbers).to_series().null_count():
        return numbers
    for form in DATES:
        moment = text.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)
        if not first.select(moment).to_series().null_count():
            return pl.when(text.str.len_bytes() <= _MICROSECONDS).then(moment)
    return None


def codes(
    keys: Mapping[str, pl.Series], roles: Mapping[str, str]
) -> tuple[dict[str, pl.Expr], pl.Series]:
    """The codes of rows' keys, and which key has which code.

    Args:
        keys: the key that each distinct text of a column is, null where it is none, by column.
        roles: the prefix of the keys of each column.
    """
    named = {role: prefix + keys[role] if prefix else keys[role] for role, prefix in roles.items()}
    distinct = pl.concat(list(named.values())).drop_nulls().unique(maintain_order=True)
    numbers = distinct.to_frame("key").with_row_index("code")
    exprs = {}
    for role, own in named.items():
        code = own.to_frame("key").join(numbers, on="key", how="left", maintain_order="left")
        exprs[role] = pl.lit(code["code"]).gather(pl.col(role))
    return exprs, distinct
