"""From checked interactions to sequences: put in order, then ids in place of keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from glint_edge.data.arranging import Tally, arranged, owner_of
from glint_edge.data.cuts import SplitRule
from glint_edge.data.options import LoadOptions
from glint_edge.data.parts import Parts
from glint_edge.data.reading.columns import dropped_notes
from glint_edge.data.record import MIN_LENGTH
from glint_edge.data.sequences import Ids, Sequences
from glint_edge.errors import DataError


def numbered(
    name: str,
    rows: pl.DataFrame,
    titles: Mapping[str, str],
    dropped: Mapping[str, int],
    options: LoadOptions,
    tally: Tally,
    rule: SplitRule | None = None,
    per_second: float | None = None,
) -> Sequences:
    """Filter and number interactions, which are in the log's order.

    Args:
        name: of the log, for messages.
        rows: `row`, `user`, `item` and perhaps `time` and `weight`, checked; with a `rule` also
            `part`.
        titles: by item key, of more items than are kept perhaps.
        dropped: what was left out before, by reason.
        options: what is left out, joined and cut.
        tally: counts what is done.
        rule: how the rows are split; None: leave-one-out.
        per_second: how much the time grows in a second.

    Raises:
        DataError: nothing is left, or nothing to validate or test on.
    """
    kept = arranged(rows, options, per_second, tally)
    if kept.is_empty():
        raise nothing_left(name, options, dropped)
    reasons = {reason: count for reason, count in tally.dropped.items() if count}
    return _sequences(name, kept, titles, {**dropped, **reasons}, rule)


def nothing_left(name: str, options: LoadOptions, dropped: Mapping[str, int]) -> DataError:
    """What is wrong with a log of which nothing is left; `dropped`: what went before, by reason."""
    before = "".join(f" ({note})" for note in dropped_notes(dropped))
    return DataError(
        f"{name}: no user is left with at least {options.shortest} items (k_core "
        f"{options.k_core or 0}){before}; lower k_core or pass a longer log"
    )


def users_of(log: pl.DataFrame, **more: pl.Expr) -> pl.DataFrame:
    """A row a sequence, in the rows' order: `user`, `len`, with parts their lengths `0` to `2`."""
    parts = range(3) if "part" in log.columns else ()
    counts = (pl.col("part").eq(part).sum().alias(str(part)) for part in parts)
    return log.group_by(owner_of(log), maintain_order=True).agg(pl.len(), *counts, **more)


def parts_of(users: pl.DataFrame, rule: SplitRule | None) -> Parts | None:
    """How the users' items are split, as a rule says; None: leave-one-out."""
    if rule is None:
        return None
    counts = users.select("0", "1", "2").to_numpy().astype(np.int64)
    return Parts.cut(counts, alone=rule.alone, validated=rule.validated)


def require_held_out(name: str, rule: SplitRule, census: Sequence[int]) -> None:
    """Refuse a split without users to validate or to test on; `census`: that of its parts.

    Raises:
        DataError: there are none.
    """
    for count, what in zip(census[1:], ("validate", "test"), strict=True):
        if not count:
            raise DataError(
                f"{name}: nothing is left to {what} on ({rule.label}), as no user has an item "
                "there and one before; cut the log elsewhere"
            )


def _sequences(
    name: str,
    log: pl.DataFrame,
    titles: Mapping[str, str],
    dropped: Mapping[str, int],
    rule: SplitRule | None,
) -> Sequences:
    """Number interactions that are in order, user after user."""
    log = log.with_columns(appears=pl.col("row").min().over(owner_of(log)))
    log = log.with_row_index("at").sort("appears", "at")
    users = users_of(log)
    lengths = users["len"].to_numpy().astype(np.int64)
    offsets = np.concatenate([[0], lengths.cumsum()])
    parts = parts_of(users, rule)
    if rule and parts:
        require_held_out(name, rule, parts.census())
    shortest = Parts.leave_one_out(lengths).learnt
    learnt = parts.learnt if parts else np.where(lengths < MIN_LENGTH, lengths, shortest)
    items = (
        log.with_columns(learnt=pl.Series(_first(learnt, lengths)))
        .group_by("item")
        .agg(pl.col("learnt").sum(), pl.col("row").min())
        .sort("learnt", "row", descending=[True, False])["item"]
    )
    ranks = pl.DataFrame({"item": items, "id": np.arange(1, len(items) + 1)})
    ids = log.join(ranks, on="item", how="left", maintain_order="left")["id"]
    return Sequences(
        name=name,
        keys=("", *items),
        ids=ids.to_numpy(writable=True),
        offsets=offsets,
        users=tuple(_names(users)),
        titles={key: titles[key] for key in items if key in titles},
        dropped=dropped,
        parts=parts,
        weights=log["weight"].to_numpy(writable=True) if "weight" in log.columns else None,
    )


def _names(users: pl.DataFrame) -> pl.Series:
    """The key of each sequence: the user's, and with sessions their number."""
    if "session" not in users.columns:
        return users["user"]
    return users["user"] + "#" + users["session"].cast(pl.String)


def _first(counts: Ids, lengths: Ids) -> npt.NDArray[np.bool_]:
    """Which of all rows are among the first ones of their users: bool [T]."""
    starts = np.repeat(lengths.cumsum() - lengths, lengths)
    return np.arange(len(starts)) - starts < np.repeat(counts, lengths)
