"""From a checked table to sequences: duplicates, rare items and short users out, then ids."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from glint_edge.data.record import HELD_OUT, MIN_LENGTH
from glint_edge.data.sequences import Sequences
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
) -> Sequences:
    """Filter and number interactions, which are in the log's order.

    They are ordered by time and, at the same time or without times, as in the log.

    Args:
        name: of the log, for messages.
        rows: `row`, `user`, `item` and perhaps `time`, checked.
        titles: by item key, of more items than are kept perhaps.
        dropped: what was left out before, by reason.
        k_core: leave out users and items with fewer interactions than this, again and again until
            none is left; 0 keeps all.
        min_length: leave out users with fewer items than this.

    Raises:
        DataError: nothing is left.
    """
    kept, reasons = _filter(rows, k_core, min_length)
    if kept.is_empty():
        raise DataError(
            f"{name}: no user is left with at least {min_length} items (k_core {k_core}); "
            "lower k_core or pass a longer log"
        )
    return _sequences(name, kept, titles, {**dropped, **reasons})


def _filter(log: pl.DataFrame, k_core: int, min_length: int) -> tuple[pl.DataFrame, dict[str, int]]:
    """Leave out duplicates, rare items and short users; how many of each, where there are any."""
    rows = len(log)
    # without times, the same user and item twice may well be two interactions
    if "time" in log.columns:
        log = log.unique(DUPLICATE, keep="first", maintain_order=True)
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


def _k_core(log: pl.DataFrame, k: int) -> pl.DataFrame:
    while k > 1:
        kept = log.filter(pl.len().over("user") >= k, pl.len().over("item") >= k)
        if len(kept) == len(log):
            break
        log = kept
    return log


def _sequences(
    name: str, log: pl.DataFrame, titles: Mapping[str, str], dropped: Mapping[str, int]
) -> Sequences:
    """Number a filtered log, which is in file order."""
    log = log.with_columns(appears=pl.col("row").min().over("user"))
    log = log.sort("appears", *(["time"] if "time" in log.columns else []), "row")
    users = log.group_by("user", maintain_order=True).len()
    length = pl.len().over("user")
    last = pl.int_range(pl.len()).over("user") >= length - HELD_OUT
    items = (
        log.with_columns(learnt=~last | (length < MIN_LENGTH))
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
        offsets=np.concatenate([[0], users["len"].to_numpy().cumsum(dtype=np.int64)]),
        users=tuple(users["user"]),
        titles={key: titles[key] for key in items if key in titles},
        dropped=dropped,
    )
