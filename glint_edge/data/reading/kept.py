"""Which rows of a log are kept, by its keys, its events and its ratings."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from glint_edge.data.options import LoadOptions
from glint_edge.data.reading.columns import shown, usual
from glint_edge.data.reading.table import Table, text_of
from glint_edge.data.reading.times import finite
from glint_edge.errors import DataError
from glint_edge.suggestions import did_you_mean, near
from glint_edge.tables import counted

USERLESS = "rows without a user"
ITEMLESS = "rows without an item"
TIMELESS = "rows without a time"


def reasons_of(
    options: LoadOptions, kinds: Mapping[str, int], *, timed: bool
) -> dict[str, pl.Expr]:
    """Why rows are left out, and which; the first reason that holds counts."""
    reasons = {USERLESS: pl.col("user").is_null(), ITEMLESS: pl.col("item").is_null()}
    if timed:
        reasons[TIMELESS] = pl.col("timeless")
    if kinds:
        left_out = [kind for kind in kinds if not _counts(kind, options)]
        reasons[f"rows of other events ({shown(left_out)})"] = pl.col("event").is_in(left_out)
    if options.min_rating is not None:
        reasons["rows without a rating"] = pl.col("rating").is_null()
        reasons[f"rows with a rating below {options.min_rating:g}"] = (
            pl.col("rating") < options.min_rating
        )
    return reasons


def first_of(reasons: Mapping[str, pl.Expr]) -> pl.Expr:
    """The number, from 1, of the first reason that holds; 0: none does."""
    return pl.coalesce(
        *(pl.when(holds).then(n) for n, holds in enumerate(reasons.values(), 1)), 0
    ).cast(pl.UInt8)


def _counts(kind: str, options: LoadOptions) -> bool:
    return (options.only is None or kind in options.only) and (
        options.weights is None or kind in options.weights
    )


def kinds_of(table: Table, options: LoadOptions) -> dict[str, int]:
    """How many rows there are of each kind of event, the most frequent first; empty: no matter.

    Raises:
        DataError: none is one that counts.
    """
    if not (options.only or options.weights):
        return {}
    kinds = table.kinds(table.rows)
    if not any(_counts(kind, options) for kind in kinds):
        raise DataError(
            f"{table.name}: no row is of an event that counts; {_meant(options, kinds)}"
        )
    return kinds


def _meant(options: LoadOptions, kinds: Mapping[str, int]) -> str:
    """What a chosen kind may have been meant for, and the kinds that there are."""
    chosen = [*(options.only or ()), *(options.weights or ())]
    meant = dict.fromkeys(
        n for kind in chosen if kind not in kinds for n in near(kind, list(kinds))
    )
    hint = did_you_mean(meant, "")
    return f"{hint}{hint and ' '}{'The' if hint else 'the'} events are {shown(kinds)}"


def weight_of(weights: Mapping[str, float]) -> pl.Expr:
    """How much a row's event counts; null where it does not."""
    return text_of("event").replace_strict(
        list(weights), list(weights.values()), default=None, return_dtype=pl.Float32
    )


def rating_of() -> pl.Expr:
    """A row's rating as a number; null where it is none."""
    return finite(pl.col("rating").cast(pl.Float64, strict=False))


def warnings_of(
    table: Table, options: LoadOptions, kinds: Mapping[str, int], dropped: Mapping[str, int]
) -> tuple[str, ...]:
    """What may well be a mistake: a chosen kind that no row is of, and users who have a session."""
    chosen = [*(options.only or ()), *(options.weights or ())]
    absent = [kind for kind in dict.fromkeys(chosen) if kind not in kinds]
    warnings = []
    if absent:
        events = f"no row is of the event {', '.join(absent)}; {_meant(options, kinds)}"
        warnings.append(events)
    if dropped.get(USERLESS) and (session := usual("session", table.unused)):
        warnings.append(
            f"left out: {counted(dropped[USERLESS], USERLESS)}; --session-column {session} takes "
            "the session instead"
        )
    return tuple(warnings)
