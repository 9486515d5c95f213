"""From a checked table to sequences: duplicates, rare items and short users out, then ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from glint_edge.data.cuts import SplitRule
from glint_edge.data.record import MIN_LENGTH
from glint_edge.data.sequences import Ids, Parts, Sequences
from glint_edge.errors import DataError

DUPLICATE = ["user", "item", "time"]  # the same in all of these is one interaction
DUPLICATES, SHORT = "exact duplicate rows", "users with fewer than {} items"  # reasons


def numbered(
    name: str,
    rows: pl.DataFrame,
    titles: Mapping[str, str],
    dropped: Mapping[str, int],
    *,
    k_core: int,
    min_length: int,
    rule: SplitRule | None = None,
) -> Sequences:
    """Filter and number interactions, which are in the log's order.

    They are ordered by time and, at the same time or without times, as in the log.

    Args:
        name: of the log, for messages.
        rows: `row`, `user`, `item` and perhaps `time`, checked; with a `rule` also `part`.
        titles: by item key, of more items than are kept perhaps.
        dropped: what was left out before, by reason.
        k_core: leave out users and items with fewer interactions than this, again and again until
            none is left; 0 keeps all.
        min_length: leave out users with fewer items than this.
        rule: how the rows are split; None: leave-one-out.

    Raises:
        DataError: nothing is left, or nothing to validate or test on.
    """
    kept, reasons = _filter(rows, k_core, min_length)
    if kept.is_empty():
        raise DataError(
            f"{name}: no user is left with at least {min_length} items (k_core {k_core}); "
            "lower k_core or pass a longer log"
        )
    return _sequences(name, kept, titles, {**dropped, **reasons}, rule)


def _filter(log: pl.DataFrame, k_core: int, min_length: int) -> tuple[pl.DataFrame, dict[str, int]]:
    """Leave out duplicates, rare items and short users; how many of each, where there are any."""
    rows = len(log)
    log = once(log)
    duplicates = rows - len(log)
    outside = short = 0
    while True:
        core = _k_core(log, k_core)
        kept = core.filter(pl.len().over("user") >= min_length)
        outside += len(log) - len(core)
        short += core["user"].n_unique() - kept["user"].n_unique()
        # users that went for their length may leave items with fewer than k interactions
        if len(kept) == len(log):
            break
        log = kept
    reasons = {
        DUPLICATES: duplicates,
        f"interactions outside the {k_core}-core": outside,
        SHORT.format(min_length): short,
    }
    return kept, {reason: count for reason, count in reasons.items() if count}


def once(log: pl.DataFrame) -> pl.DataFrame:
    """The rows without duplicates; a row that is also in a file to test on is left there alone."""
    # without times, the same user and item twice may well be two interactions
    if "time" not in log.columns:
        return log
    if "part" in log.columns:
        log = log.filter(pl.col("part") == pl.col("part").max().over(DUPLICATE))
    return log.unique(DUPLICATE, keep="first", maintain_order=True)


def _k_core(log: pl.DataFrame, k: int) -> pl.DataFrame:
    while k > 1:
        kept = log.filter(pl.len().over("user") >= k, pl.len().over("item") >= k)
        if len(kept) == len(log):
            break
        log = kept
    return log


def order(log: pl.DataFrame) -> list[str]:
    """By which columns a user's rows are in order."""
    return [*(name for name in ("part", "time") if name in log.columns), "row"]


def users_of(log: pl.DataFrame, *more: pl.Expr) -> pl.DataFrame:
    """A row a user, in the rows' order: `user`, `len`, with parts their lengths `0` to `2`."""
    parts = range(3) if "part" in log.columns else ()
    counts = (pl.col("part").eq(part).sum().alias(str(part)) for part in parts)
    return log.group_by("user", maintain_order=True).agg(pl.len(), *counts, *more)


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
    """Number a filtered log, which is in file order."""
    log = log.with_columns(appears=pl.col("row").min().over("user"))
    log = log.sort("appears", *order(log))
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
        users=tuple(users["user"]),
        titles={key: titles[key] for key in items if key in titles},
        dropped=dropped,
        parts=parts,
    )


def _first(counts: Ids, lengths: Ids) -> npt.NDArray[np.bool_]:
    """Which of all rows are among the first ones of their users: bool [T]."""
    starts = np.repeat(lengths.cumsum() - lengths, lengths)
    return np.arange(len(starts)) - starts < np.repeat(counts, lengths)
