"""Which column of a log is the user, the item and the time; imports no polars."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from glint_edge.errors import DataError

# Column names as people write them, likeliest first, without case, spaces, `_` and `-`.
_USUAL = {
    "user": ("userid", "user", "uid", "visitorid", "visitor", "customerid", "customer",
             "reviewerid", "sessionid", "session"),
    "item": ("itemid", "item", "iid", "movieid", "movie", "productid", "product", "articleid",
             "article", "trackid", "track", "parentasin", "asin"),
    "time": ("timestamp", "time", "ts", "datetime", "date", "unixreviewtime", "eventtime",
             "eventtimestamp", "eventdatetime", "eventdate", "unixtime", "unixtimestamp", "epoch",
             "createdat", "viewedat", "clickedat", "purchasedat", "orderedat", "occurredat",
             "purchasedate", "orderdate", "reviewtime", "tdat"),
}  # fmt: skip  # a table

# What a moment looks like: by a word of its column's name, as a date, or as a number since 1970.
_TIME_WORD = re.compile(r"time|date|stamp|epoch|(?<![a-z])(at|on|ts|when|day|t)(?![a-z])")
_DATE = re.compile(r"\s*\d{4}[-/]\d{1,2}[-/]\d{1,2}([ T].*)?", re.DOTALL)

# The years 1989 to 2099 since 1970, and the units in which logs count.
EPOCH_SECONDS = (6e8, 4.1e9)
EPOCH_UNITS = {"seconds": 1e0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}

# Formats that have no header, and so no names to choose from.
HEADERLESS = ("u.data", "ratings.dat", "lines")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Names of the columns of a log with a header; None: the usual names are tried.

    Attributes:
        user: column of the user's key.
        item: column of the item's key.
        time: column of the time; a log without one is taken to be in time order.
    """

    user: str | None = None
    item: str | None = None
    time: str | None = None


USUAL_NAMES = Columns()


def choose_columns(log: str, names: Sequence[str], columns: Columns) -> dict[str, str]:
    """Which column is the user, which the item and, if there is one, which the time.

    Args:
        log: its name, for errors.
        names: the log's columns.
        columns: the user's choice; None is the usual names.

    Returns:
        A column by role: "user", "item" and perhaps "time".

    Raises:
        DataError: one is missing, or there twice.
    """
    plain = {_plain(name): name for name in reversed(names)}
    chosen = {}
    for role, usual in _USUAL.items():
        choice = getattr(columns, role)
        if choice is None:
            column = next((plain[name] for name in usual if name in plain), None)
        else:
            column = choice if choice in names else None
        if column is not None:
            chosen[role] = column
        elif choice is not None or role != "time":
            missing = f"no column {choice!r}" if choice else f"no {role} column found"
            raise DataError(f"{log}: {missing}; choose the {role} column from {', '.join(names)}")
    for column in chosen.values():
        if names.count(column) > 1:
            raise DataError(f"{log} has two columns {column!r}; rename one")
    return chosen


def others(names: Sequence[str], chosen: Mapping[str, str]) -> tuple[str, ...]:
    """The columns that are not used."""
    return tuple(dict.fromkeys(name for name in names if name not in chosen.values()))


def dropped_notes(dropped: Mapping[str, int]) -> tuple[str, ...]:
    """What was left out, a sentence each."""
    return tuple(f"left out: {count:,} {reason}" for reason, count in dropped.items() if count)


def looks_like_time(name: str, values: Iterable[object]) -> bool:
    """Whether a column may say when something happened, by its name and some of its values."""
    present = [value for value in values if value not in (None, "")]
    numbers = [number for value in present if (number := _number(value)) is not None]
    if not present or len(numbers) < len(present):
        return bool(present) and all(
            isinstance(value, date) or _DATE.fullmatch(str(value)) for value in present
        )
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return bool(_TIME_WORD.search(words)) or all(_unit(number) for number in numbers)


def _number(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, str | int | float) else None
    except ValueError:
        return None


def _unit(number: float) -> str | None:
    """In which unit a number counts from 1970, if it lies in our times."""
    least, most = EPOCH_SECONDS
    return next((n for n, unit in EPOCH_UNITS.items() if least <= number / unit <= most), None)


def names_columns(words: Iterable[str]) -> bool:
    """Whether words look like the names of a user's and an item's column."""
    plain = {_plain(word) for word in words}
    return all(plain.intersection(_USUAL[role]) for role in ("user", "item"))


def _plain(name: str) -> str:
    return name.lower().translate(str.maketrans("", "", " _-"))
