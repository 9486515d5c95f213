"""What is checked of a log's rows, which of them are kept, and what their keys are.

Each check goes over whole columns, of a log in memory or a part at a time; only when one fails is
the first bad row looked up, to name its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from glint_edge.data.options import LoadOptions
from glint_edge.data.reading.encoded import KEYS, codes, encoded
from glint_edge.data.reading.kept import (
    first_of,
    kinds_of,
    rating_of,
    reasons_of,
    warnings_of,
    weight_of,
)
from glint_edge.data.reading.table import MISSING, Table, is_text, text_of
from glint_edge.data.reading.times import (
    finite,
    is_missing,
    per_second,
    refuse_mixed_units,
    require_times,
    time_facts,
    time_of,
)
from glint_edge.errors import DataError

_WHOLE = r"^-?\d+(\.0+)?$"
_SESSION = "session:"  # stands before a session's key where that stands in for a user

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Interactions:
    """What is kept of a log's rows.

    Attributes:
        rows: `row`, its number among them; `user` and `item` (String, trimmed, never empty; in
            memory, places in `keys`); `time`, where the log has times (a number that sorts as the
            time does, never null), and `weight` (Float32), where events have weights.
        dropped: how many rows were left out, by reason.
        warnings: what may well be a mistake, a sentence each.
        per_second: how much the time grows in a second; None: it does not tell seconds.
        keys: of users and of items, by role; empty where `rows` has them.
    """

    rows: pl.LazyFrame
    dropped: Mapping[str, int]
    warnings: tuple[str, ...] = ()
    per_second: float | None = None
    keys: Mapping[str, pl.Series] = field(default_factory=dict)

    def decoded(self) -> Interactions:
        """The same with keys in its rows."""
        texts = (pl.lit(keys).gather(pl.col(role)).alias(role) for role, keys in self.keys.items())
        return replace(self, rows=self.rows.with_columns(*texts), keys={})

    def encoded(self) -> Interactions:
        """The same with places in `keys`, in memory."""
        rows = self.rows.collect()
        keys = {role: rows[role].unique(maintain_order=True) for role in ("user", "item")}
        places = {role: rows[role].cast(pl.Enum(own)).to_physical() for role, own in keys.items()}
        return replace(self, rows=rows.with_columns(**places).lazy(), keys=keys)


def checked(table: Table, options: LoadOptions, *, in_memory: bool) -> Interactions:
    """The interactions of a table, in its order.

    Args:
        table: to check.
        options: which rows are kept.
        in_memory: read it once and keep it; else it is read anew each time the result is.

    Raises:
        DataError: a row makes no sense; the first such row is named.
    """
    source, distinct = table, dict[str, pl.Series]()
    if in_memory:
        table, distinct = encoded(table, _texts(table.rows.collect_schema()))
    schema = table.rows.collect_schema()
    facts = _facts(table, schema, distinct)
    if not facts["rows"]:
        header = "has a header and no rows" if table.columns else "has no rows"
        raise DataError(f"{table.name} {header}; pass a log with interactions")
    keep = bool(options.keep_missing)
    coded = _coded(distinct, facts, keep_missing=keep) if in_memory else None
    roles = coded[0] if coded else _keys(schema, facts, keep_missing=keep)
    seconds, timeless = None, {}
    if "time" in schema:
        require_times(table, schema["time"])
        refuse_mixed_units(table, schema["time"], facts)
        roles["time"] = time_of(schema["time"], facts)
        timeless = {"timeless": is_missing(schema["time"])}
        seconds = per_second(schema["time"], facts)
    if options.gap_seconds and seconds is None:
        raise DataError(
            f"{table.name}: the times are no dates, and in no known unit since 1970, so that "
            "sessions cannot be cut by a gap; leave out --session-gap"
        )
    kinds = kinds_of(table, options)
    if options.weights:
        roles["weight"] = weight_of(options.weights)
    fields = ["fields"] if "fields" in schema else []
    rating = {"rating": rating_of()} if options.min_rating is not None else {}
    events = {"event": text_of("event")} if kinds else {}
    rows = table.rows.select("row", *fields, **roles, **timeless, **rating, **events)
    reasons = reasons_of(options, kinds, timed=bool(timeless))
    rows = rows.select("row", *fields, *roles, reason=first_of(reasons))
    if in_memory:
        rows = table.collect(rows).lazy()
    kept = pl.col("reason") == 0
    wrong = [pl.col(field).is_not_null() for field in fields]
    if "time" in roles:
        wrong.append(kept & pl.col("time").is_null())
    if wrong and (bad := table.first(rows.filter(pl.any_horizontal(wrong)))):
        raise _error(source, bad["row"])
    counts = dict(table.collect(rows.group_by("reason").len()).iter_rows())
    dropped = {reason: counts[n] for n, reason in enumerate(reasons, 1) if n in counts}
    # Anew: the items of a line have one number.
    left = (rows.filter(kept) if dropped else rows).select(*roles).with_row_index("row")
    keys = coded[1] if coded else {}
    return Interactions(left, dropped, warnings_of(table, options, kinds, dropped), seconds, keys)


def item_key(table: Table) -> pl.Expr:
    """The key in the column `item` of any table, as of a log's; null where it is missing."""
    schema = table.rows.collect_schema()
    return _key("item", schema["item"], _facts(table, schema, {}), keep_missing=False)


def _facts(table: Table, schema: pl.Schema, distinct: Mapping[str, pl.Series]) -> dict[str, Any]:
    """What must be known of whole columns, or of their distinct texts, to read a row."""
    asked = {"rows": pl.len(), **(time_facts(schema["time"]) if "time" in schema else {})}
    facts = table.collect(table.rows.select(**asked)).row(0, named=True)
    for role in (role for role in KEYS if role in schema):
        if role not in distinct and not is_text(schema[role]):
            continue
        rows = distinct[role].to_frame(role).lazy() if role in distinct else table.rows
        text = text_of(role)
        points = text.str.ends_with(".0").any()
        colons = text.str.extract(f"^{_SESSION[:-1]}(:+)").str.len_bytes().max()
        more = {"colons": colons} if role == "user" and "session" in schema else {}
        texts = table.collect(rows.select(points=points, **more)).row(0, named=True)
        if texts.pop("points"):
            whole = (text.str.contains(_WHOLE) | text.is_in(MISSING)).all()
            facts[f"{role}_whole"] = table.collect(rows.select(whole)).item()
        facts |= texts
    return facts


# --- keys


def _keys(schema: pl.Schema, facts: Facts, *, keep_missing: bool) -> dict[str, pl.Expr]:
    """The user's and the item's key; where the user is missing, the session's if there is one.

    A session's key is told from a user's by a prefix that no user's key has.
    """
    user, item = (_key(role, schema[role], facts, keep_missing) for role in ("user", "item"))
    if "session" in schema:
        session = _prefix(facts) + _key("session", schema["session"], facts, keep_missing)
        user = pl.coalesce(user, session)
    return {"user": user, "item": item}


def _prefix(facts: Facts) -> str:
    return _SESSION + ":" * (facts.get("colons") or 0)


def _coded(
    distinct: Mapping[str, pl.Series], facts: Facts, *, keep_missing: bool
) -> tuple[dict[str, pl.Expr], dict[str, pl.Series]]:
    """The same as places in the keys, and these; of texts that stand for themselves, each once."""
    keys = {
        role: texts.to_frame(role).select(_key(role, pl.String(), facts, keep_missing)).to_series()
        for role, texts in distinct.items()
    }
    prefixes = {"user": "", **({"session": _prefix(facts)} if "session" in keys else {})}
    users, user_keys = codes(keys, prefixes)
    items, item_keys = codes(keys, {"item": ""})
    return {"user": pl.coalesce(users.values()), **items}, {"user": user_keys, "item": item_keys}


def _texts(schema: pl.Schema) -> dict[str, pl.Expr]:
    """The text of each column of keys that holds none."""
    return {
        role: _key(role, schema[role], {}, keep_missing=False)
        for role in KEYS
        if role in schema and not is_text(schema[role])
    }


def _key(role: str, dtype: pl.DataType, facts: Facts, keep_missing: bool) -> pl.Expr:
    """Keys as trimmed text, null where one is missing; 50.0 is "50", stored as a number or text."""
    column = pl.col(role)
    if dtype.is_float() or dtype.is_decimal():
        whole = column.cast(pl.Int64, strict=False)
        number = finite(column.cast(pl.Float64))
        text = column.cast(pl.String)
        is_whole = whole.cast(pl.Float64) == number
        key = pl.when(is_whole).then(whole.cast(pl.String)).when(number.is_not_null()).then(text)
        return key
    text = text_of(role)
    if facts.get(f"{role}_whole"):  # pandas wrote the numbers of a column that lacked one
        text = text.str.replace(r"\.0+$", "")
    missing = text == "" if keep_missing else text.is_in(MISSING)
    return pl.when(~missing).then(text)


# --- what is wrong


def _error(table: Table, number: int) -> DataError:
    """What is wrong with a row that did not pass."""
    stored = table.first(table.rows.filter(pl.col("row") == number))
    assert stored is not None, "the row is there"
    if stored.get("fields") is not None:
        return table.error(number, table.wrong_fields(stored))
    return table.error(
        number,
        f"{stored['time']!r} is not a time; write every time as a number or as YYYY-MM-DD hh:mm:ss",
    )
