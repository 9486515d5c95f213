"""What the times of a log are: numbers that sort as they do, and the unit they count in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from glint_edge.data.reading.columns import EPOCH_SECONDS, EPOCH_UNITS
from glint_edge.data.reading.table import MISSING, Table, is_text, text_of
from glint_edge.errors import DataError

# Only the unambiguous orders: 03/04/2020 means two different days, 03.04.2020 the third of April.
# `%+` is RFC 3339 with its zone.
DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%+",
    "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f UTC", "%Y-%m-%dT%H:%M:%S%.f%z",
    "%Y-%m-%d %H:%M:%S%.f %z", "%Y-%m-%d %H:%M:%S%.f %z UTC",
    "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S%.f",
)  # fmt: skip  # a table

# MySQL's for no date, as exports write it.
_ZERO_DATE = r"^(0000[-/]00[-/]00|00\.00\.0000)([ T][\d:.+ -]*(Z|UTC)?)?$"

_EXACT = pl.Decimal(38, 9)
_FITS_EXACT = r"^[+-]?\d{1,28}(\.\d{0,9})?$"

_DAY = 86400.0
_A_SECOND = {"ms": 1e3, "us": 1e6, "ns": 1e9}

Facts = Mapping[str, Any]


def moment_text() -> pl.Expr:
    """The text of times, null where one is missing."""
    text = text_of("time")
    return pl.when(~text.is_in(MISSING) & ~text.str.contains(_ZERO_DATE)).then(text)


def is_missing(dtype: pl.DataType) -> pl.Expr:
    """Whether a row has no time: it is empty or a zero date. One that is wrong is not missing."""
    if is_text(dtype):
        return moment_text().is_null()
    column = pl.col("time")
    return column.is_null() | column.is_nan() if dtype.is_float() else column.is_null()


def time_facts(dtype: pl.DataType) -> dict[str, pl.Expr]:
    """What must be known of the whole column before a time can be read."""
    facts = {}
    if is_text(dtype):
        text, number = moment_text(), _number(dtype)
        facts["integers"] = text.cast(pl.Int64, strict=False).count() == text.count()
        facts["numbers"] = 2 * number.count() >= text.count()
        facts["exact"] = (text.str.contains(_FITS_EXACT) | number.is_null()).all()
        facts["fine_dates"] = text.str.contains(r"\.\d{7}").any()
    if is_text(dtype) or dtype.is_numeric():
        facts |= _unit_facts(_number(dtype))
    return facts


def require_times(table: Table, dtype: pl.DataType) -> None:
    """Refuse a column whose values are no times, whatever they are.

    Raises:
        DataError: it holds truth values, say.
    """
    if not (is_text(dtype) or dtype.is_numeric() or dtype.is_temporal()):
        raise DataError(
            f"{table.name}: the time column holds values of type {dtype}; write every time as a "
            "number or as YYYY-MM-DD hh:mm:ss"
        )


def per_second(dtype: pl.DataType, facts: Facts) -> float | None:
    """How much a time grows in a second; None: it counts something else, or in no known unit."""
    if dtype == pl.Date:
        return 1 / _DAY
    if dtype.is_temporal():
        return _A_SECOND.get(getattr(dtype, "time_unit", None) or "ns")
    if is_text(dtype) and not (facts["integers"] or facts["numbers"]):
        return 1e9 if facts["fine_dates"] else 1e6
    units = [size for name, size in EPOCH_UNITS.items() if facts.get(name)]
    return units[0] if len(units) == 1 else None


def time_of(dtype: pl.DataType, facts: Facts) -> pl.Expr:
    """Times as numbers that sort the same way; null where a time is missing or unreadable."""
    column = pl.col("time")
    if dtype.is_temporal():
        return column.to_physical()
    if dtype.is_integer():
        return column
    if dtype.is_numeric():
        return _number(dtype)
    text = moment_text()
    # whole numbers stay whole, and fractions exact: nanoseconds since 1970 do not fit a float
    if facts["integers"]:
        return text.cast(pl.Int64, strict=False)
    if facts["numbers"]:
        return text.cast(_EXACT, strict=False) if facts["exact"] else _number(dtype)
    moment = pl.coalesce(
        text.str.to_datetime(date, time_unit="us", time_zone="UTC", strict=False) for date in DATES
    ).to_physical()
    if not facts["fine_dates"]:
        return moment
    rest = text.str.extract(r"\.\d{6}(\d{1,3})").str.pad_end(3, "0").cast(pl.Int64)
    return moment.cast(pl.Int128) * 1000 + rest.fill_null(0)


def _number(dtype: pl.DataType) -> pl.Expr:
    """The time as a finite Float64, else null."""
    column = moment_text() if is_text(dtype) else pl.col("time")
    return finite(column.cast(pl.Float64, strict=False))


def finite(number: pl.Expr) -> pl.Expr:
    """The number, null where it is infinite or none."""
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


def refuse_mixed_units(table: Table, dtype: pl.DataType, facts: Facts) -> None:
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
