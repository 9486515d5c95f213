"""Which column of a log is the user, the item and the time; imports no polars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glint_edge.errors import DataError

# Column names as people write them, likeliest first, without case, spaces, `_` and `-`.
_USUAL = {
    "user": ("userid", "user", "uid", "visitorid", "visitor", "customerid", "customer",
             "reviewerid", "sessionid", "session"),
    "item": ("itemid", "item", "iid", "movieid", "movie", "productid", "product", "articleid",
             "article", "trackid", "track", "parentasin", "asin"),
    "time": ("timestamp", "time", "ts", "datetime", "date", "unixreviewtime"),
}  # fmt: skip  # a table


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Names of the columns of a log with a header; None is found by the usual names.

    Attributes:
        user: column of the user's key.
        item: column of the item's key.
        time: column of the time; a log in which none is found is taken to be in time order.
    """

    user: str | None = None
    item: str | None = None
    time: str | None = None


USUAL_NAMES = Columns()


def choose_columns(path: Path, seen: Sequence[str], columns: Columns) -> dict[str, str]:
    """Which of the columns `seen` is the user, the item and, if there is one, the time.

    Args:
        path: of the log, for errors.
        seen: the log's columns.
        columns: the user's choice; None is the usual names.

    Returns:
        A column by role: "user", "item" and perhaps "time".

    Raises:
        DataError: one is missing.
    """
    plain = {name.lower().translate(str.maketrans("", "", " _-")): name for name in reversed(seen)}
    chosen = {}
    for role, usual in _USUAL.items():
        asked = getattr(columns, role)
        if asked is None:
            found = next((plain[name] for name in usual if name in plain), None)
        else:
            found = asked if asked in seen else None
        if found is not None:
            chosen[role] = found
        elif asked is not None or role != "time":
            wanted = f"no column {asked!r}" if asked else f"no {role} column found"
            raise DataError(f"{path}: {wanted}; choose the {role} column from {', '.join(seen)}")
    return chosen
