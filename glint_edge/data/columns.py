"""Which column of a log is the user, the item and the time; imports no polars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from glint_edge.errors import DataError

# Column names as people write them, likeliest first, without case, spaces, `_` and `-`.
_USUAL = {
    "user": ("userid", "user", "uid", "visitorid", "visitor", "customerid", "customer",
             "reviewerid", "sessionid", "session"),
    "item": ("itemid", "item", "iid", "movieid", "movie", "productid", "product", "articleid",
             "article", "trackid", "track", "parentasin", "asin"),
    "time": ("timestamp", "time", "ts", "datetime", "date", "unixreviewtime"),
}  # fmt: skip  # a table


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
NO_TIME = "there is no time: items are taken in the order in which they stand"


def choose_columns(log: str, names: Sequence[str], columns: Columns) -> dict[str, str]:
    """Which column is the user, which the item and, if there is one, which the time.

    Args:
        log: its name, for errors.
        names: the log's columns.
        columns: the user's choice; None is the usual names.

    Returns:
        A column by role: "user", "item" and perhaps "time".

    Raises:
        DataError: one is missing.
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
    return chosen


def others(names: Sequence[str], chosen: Mapping[str, str]) -> tuple[str, ...]:
    """The columns that are not used."""
    return tuple(name for name in names if name not in chosen.values())


def column_notes(chosen: Mapping[str, str], unused: Sequence[str]) -> list[str]:
    """What was taken for what, a sentence each."""
    notes = []
    if chosen:
        taken = ", ".join(f"{role} = {column}" for role, column in chosen.items())
        notes.append(f"columns: {taken}")
    if chosen and "time" not in chosen:
        notes.append(NO_TIME)
    if unused:
        notes.append(f"columns not used: {', '.join(unused)}")
    return notes


def names_columns(words: Iterable[str]) -> bool:
    """Whether words look like the names of a user's and an item's column."""
    plain = {_plain(word) for word in words}
    return all(plain.intersection(_USUAL[role]) for role in ("user", "item"))


def _plain(name: str) -> str:
    return name.lower().translate(str.maketrans("", "", " _-"))
