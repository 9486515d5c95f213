"""What is checked of a log's rows, and what their keys and times are.

Each check goes over whole columns, of a log in memory or a part at a time; only when one fails is
the first bad row looked up, to name its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from glint_edge.data.reading.columns import EPOCH_SECONDS, EPOCH_UNITS
from glint_edge.data.reading.table import Row, Table
from glint_edge.errors import DataError

# How databases, pandas, R and spreadsheets write that there is no value.
MISSING = (
    "", "NULL", "Null", "null", "NaN", "nan", "NAN", "None", "NA", "N/A", "n/a", "<NA>", "NaT",
    "#N/A", r"\N",
)  # fmt: skip  # a table

# Only the unambiguous orders: 03/04/2020 means two different days. `%+` is RFC 3339 with its zone.
_DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%+",
    "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f",
)  # fmt: skip  # a table

_WHOLE = r"^-?\d+(\.0+)?$"
_EXACT = pl.Decimal(38, 9)
_FITS_EXACT = r"^[+-]?\d{1,28}(\.\d{0,9})?$"

Facts = Mapping[str, Any]


def checked(table: Table, *, in_memory: bool) -> pl.LazyFrame:
    """The interactions of a table, in its order.

    Args:
        table: to check.
        in_memory: read it once and keep it; else it is read anew each time the result is.

    Returns:
        `row`, its number among them; `user` and `item` (String, trimmed, never empty) and, where
        the log has times, `time` (a number that sorts as the time does, never null).

    Raises:
        DataError: a row makes no sense; the first such row is named.
    """
    if in_memory:
        table = table.held()
    schema = table.rows.collect_schema()
    facts = _facts(table, schema)
    if not facts["rows"]:
        header = "has a header and no rows" if table.columns else "has no rows"
        raise DataError(f"{table.name} {header}; pass a log with interactions")
    roles = {role: _key(role, schema[role], facts) for role in ("user", "item")}
    if "time" in schema:
        _refuse_mixed_units(table, schema["time"], facts)
        roles["time"] = _time(schema["time"], facts)
    fields = ["fields"] if "fields" in schema else []
    rows = table.rows.select("row", *fields, **roles)
    if in_memory:
        rows = table.collect(rows).lazy()
    wrong = pl.any_horizontal(pl.col(*roles).is_null(), *(pl.col(f).is_not_null() for f in fields))
    if bad := table.first(rows.filter(wrong)):
        raise _error(table, bad, roles)
    # Anew: the items of a line have one number.
    return rows.select(*roles).with_row_index("row")


def _is_text(dtype: pl.DataType) -> bool:
    return dtype in (pl.String, pl.Binary, pl.Categorical, pl.Enum, pl.Null)


def _text(role: str) -> pl.Expr:
    return pl.col(role).cast(pl.String).str.strip_chars()


def _facts(table: Table, schema: pl.Schema) -> dict[str, Any]:
    """What must be known of whole columns before a row can be read."""
    asked = {"rows": pl.len()}
    for role in ("user", "item"):
        if _is_text(schema[role]):
            asked[f"{role}_points"] = _text(role).str.ends_with(".0").any()
    time = schema.get("time")
    if time is not None and _is_text(time):
        text, number = _text("time"), _number(time)
        asked["integers"] = text.cast(pl.Int64, strict=False).is_not_null().all()
        asked["number_first"] = number.first().is_not_null()
        asked["exact"] = (text.str.contains(_FITS_EXACT) | number.is_null()).all()
        asked["fine_dates"] = text.str.contains(r"\.\d{7}").any()
    if time is not None and (_is_text(time) or time.is_numeric()):
        asked |= _unit_facts(_number(time))
    facts = table.collect(table.rows.select(**asked)).row(0, named=True)
    for role in ("user", "item"):
        if facts.get(f"{role}_points"):
            text = _text(role)
            whole = (text.str.contains(_WHOLE) | text.is_in(MISSING)).all()
            facts[f"{role}_whole"] = table.collect(table.rows.select(whole)).item()
    return facts


# --- keys


def _key(role: str, dtype: pl.DataType, facts: Facts) -> pl.Expr:
    """Keys as trimmed text, null where one is missing; 50.0 is "50", stored as a number or text."""
    column = pl.col(role)
    if dtype.is_float() or dtype.is_decimal():
        whole = column.cast(pl.Int64, strict=False)
        number = _finite(column.cast(pl.Float64))
        text = column.cast(pl.String)
        is_whole = whole.cast(pl.Float64) == number
        key = pl.when(is_whole).then(whole.cast(pl.String)).when(number.is_not_null()).then(text)
        return key
    text = _text(role)
    if facts.get(f"{role}_whole"):  # pandas wrote the numbers of a column that lacked one
        text = text.str.replace(r"\.0+$", "")
    return pl.when(~text.is_in(MISSING)).then(text)


# --- times


def _time(dtype: pl.DataType, facts: Facts) -> pl.Expr:
    """Times as numbers that sort the same way; null where a time is missing or unreadable."""
    column = pl.col("time")
    if dtype.is_temporal():
        return column.to_physical()
    if dtype.is_integer():
        return column
    if dtype.is_numeric():
        return _number(dtype)
    text = _text("time")
    # whole numbers stay whole, and fractions exact: nanoseconds since 1970 do not fit a float
    if facts["integers"]:
        return text.cast(pl.Int64, strict=False)
    if facts["number_first"]:
        return text.cast(_EXACT, strict=False) if facts["exact"] else _number(dtype)
    moment = pl.coalesce(
        text.str.to_datetime(date, time_unit="us", time_zone="UTC", strict=False) for date in _DATES
    ).to_physical()
    if not facts["fine_dates"]:
        return moment
    rest = text.str.extract(r"\.\d{6}(\d{1,3})").str.pad_end(3, "0").cast(pl.Int64)
    return moment.cast(pl.Int128) * 1000 + rest.fill_null(0)


def _number(dtype: pl.DataType) -> pl.Expr:
    """The time as a finite Float64, else null."""
    column = _text("time") if _is_text(dtype) else pl.col("time")
    return _finite(column.cast(pl.Float64, strict=False))


def _finite(number: pl.Expr) -> pl.Expr:
    return pl.when(number.is_finite()).then(number)


# --- units of time


def _unit_facts(number: pl.Expr) -> dict[str, pl.Expr]:
    """Whether there are times of each unit, and between one unit and the next."""
    least, most = EPOCH_SECONDS
    facts = {}
    for name, unit in EPOCH_UNITS.items():
        facts[name] = number.is_between(least * unit, most * unit).any()
        facts[f"above {name}"] = number.is_between(
            most * unit, least * unit * 1000, closed="none"
        ).any()
    return facts


def _refuse_mixed_units(table: Table, dtype: pl.DataType, facts: Facts) -> None:
    """Refuse a column of, say, seconds and milliseconds, which sorts as neither.

    Numbers that are no moments since 1970 have no unit; they lie in between, too.

    Raises:
        DataError: times have two units.
    """
    units = [name for name in EPOCH_UNITS if facts.get(name)]
    if len(units) < 2:
        return
    names = list(EPOCH_UNITS)
    between = names[names.index(units[0]) : names.index(units[-1])]
    if any(facts[f"above {name}"] for name in between):
        return
    first, other = units[:2]
    limit = EPOCH_SECONDS[1] * EPOCH_UNITS[first]
    rows = table.rows.select("row", "time", number=_number(dtype))
    low = table.first(rows.filter(pl.col("number") > 0, pl.col("number") <= limit))
    high = table.first(rows.filter(pl.col("number") > limit))
    assert low and high, "both units occur"
    raise table.error(
        high["row"],
        f"the time {high['time']} is in {other}, that of {table.where(low['row'])}, {low['time']}, "
        f"in {first}; write all in one unit",
    )


# --- what is wrong


def _error(table: Table, bad: Row, roles: Mapping[str, pl.Expr]) -> DataError:
    """What is wrong with a row that did not pass; `roles`: how its values are read."""
    number = bad["row"]
    if bad.get("fields") is not None:
        return table.error(number, table.wrong_fields(bad))
    unread = pl.any_horizontal(value.is_null() for value in roles.values())
    stored = table.first(table.rows.filter(pl.col("row") == number).filter(unread))
    assert stored is not None, "the row is there"
    for role in ("user", "item"):
        if bad[role] is None:
            shown = "" if _is_blank(stored[role]) else f" ({stored[role]!r} is no key)"
            problem = f"the {role} is missing{shown}; fill it in or remove the row"
            return table.error(number, problem)
    time = stored["time"]
    problem = "the time is missing" if _is_blank(time) else f"{time!r} is not a time"
    return table.error(number, f"{problem}; write every time as a number or as YYYY-MM-DD hh:mm:ss")


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
