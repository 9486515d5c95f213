"""From checked interactions to sequences: put in order, then ids in place of keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from glint_edge.data.options import LoadOptions
from glint_edge.data.reading.checks import Interactions
from glint_edge.data.reading.columns import columns_notes, dropped_notes
from glint_edge.data.reading.kept import ITEMLESS, TIMELESS
from glint_edge.data.record import MIN_LENGTH
from glint_edge.data.sequences import Ids, Sequences
from glint_edge.data.sequencing.arranging import Tally, arranged, lengths_of, owner_of
from glint_edge.data.sequencing.cuts import SplitRule
from glint_edge.data.sequencing.parts import Parts
from glint_edge.errors import DataError

_COLUMN_OF = {ITEMLESS: "item", TIMELESS: "time"}  # by what it is whose rows are left out


def numbered(
    name: str,
    columns: Mapping[str, str],
    interactions: Interactions,
    titles: Mapping[str, str],
    dropped: Mapping[str, int],
    options: LoadOptions,
    tally: Tally,
    rule: SplitRule | None = None,
) -> Sequences:
    """Filter and number interactions, which are in the log's order.

    Args:
        name: of the log, for messages.
        columns: those that were taken, by role, for messages.
        interactions: in memory; with a `rule`, rows have a `part`.
        titles: by item key, of more items than are kept perhaps.
        dropped: what was left out before, by reason.
        options: what is left out, joined and cut.
        tally: counts what is done.
        rule: how the rows are split; None: leave-one-out.

    Raises:
        DataError: nothing is left, or nothing to validate or test on.
    """
    keys, per_second = interactions.keys, interactions.per_second
    log = arranged(interactions.rows.collect(), options, per_second, tally)
    if log.is_empty():
        raise nothing_left(name, columns, options, dropped)
    order, lengths = _by_appearance(log)
    log = log.select(pl.exclude("time").gather(pl.Series(order)))
    offsets = np.concatenate([[0], lengths.cumsum()])
    users = _users(log, offsets[:-1], keys["user"])
    parts = parts_of(users, rule)
    if rule and parts:
        require_held_out(name, rule, parts.census())
    shortest = Parts.leave_one_out(lengths).learnt
    learnt = parts.learnt if parts else np.where(lengths < MIN_LENGTH, lengths, shortest)
    items = log["item"].to_numpy()
    ranked = _by_popularity(items, log["row"].to_numpy(), _first(learnt, lengths))
    ids = np.zeros(len(keys["item"]), dtype=np.int64)
    ids[ranked] = np.arange(1, len(ranked) + 1)
    known = keys["item"].gather(ranked).to_list()
    reasons = {reason: count for reason, count in tally.dropped.items() if count}
    return Sequences(
        name=name,
        keys=("", *known),
        ids=ids[items],
        offsets=offsets,
        users=tuple(users["name"]),
        titles={key: titles[key] for key in known if key in titles},
        dropped={**dropped, **reasons},
        parts=parts,
        weights=log["weight"].to_numpy(writable=True) if "weight" in log.columns else None,
    )


def nothing_left(
    name: str, columns: Mapping[str, str], options: LoadOptions, dropped: Mapping[str, int]
) -> DataError:
    """What is wrong with a log of which nothing is left; `dropped`: what went before, by reason."""
    notes = (*columns_notes(columns), *dropped_notes(dropped))
    before = "".join(f" ({note})" for note in notes)
    core = f" in the {options.k_core}-core" if options.k_core else ""
    most = max(dropped, key=lambda reason: dropped[reason], default="")
    role = _COLUMN_OF.get(most, "user")
    way_out = (
        "lower --k-core" if options.k_core else f"see whether the {role}'s column is the right one"
    )
    return DataError(
        f"{name}: no user is left with at least {options.shortest} items{core}{before}; "
        f"{way_out}, or pass a longer log"
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


def _by_appearance(log: pl.DataFrame) -> tuple[Ids, Ids]:
    """The rows' order once sequences stand as they first appear in the log, and their lengths."""
    lengths = lengths_of(log, owner_of(log))
    starts = lengths.cumsum() - lengths
    order = np.argsort(np.minimum.reduceat(log["row"].to_numpy(), starts), kind="stable")
    lengths = lengths[order]
    shift = starts[order] - (lengths.cumsum() - lengths)
    return np.arange(len(log)) + np.repeat(shift, lengths), lengths


def _users(log: pl.DataFrame, starts: Ids, keys: pl.Series) -> pl.DataFrame:
    """A row a sequence: its `name`, and with parts their lengths, `0` to `2`."""
    first = log.select(pl.col(owner_of(log)).gather(pl.Series(starts)))
    name = keys.gather(first["user"])
    if "session" in first.columns:  # the user's key, and the number of the session
        name = name + "#" + first["session"].cast(pl.String)
    if "part" not in log.columns:
        return pl.DataFrame({"name": name})
    part = log["part"].to_numpy()
    return pl.DataFrame(
        {"name": name, **{str(n): np.add.reduceat((part == n).astype(np.int64), starts)
                          for n in range(3)}}
    )  # fmt: skip


def _by_popularity(items: Ids, rows: Ids, learnt: npt.NDArray[np.bool_]) -> Ids:
    """The items that occur, by how often they are learnt, then by their first row.

    Args:
        items: integers [T].
        rows: integers [T], the place of each in the log.
        learnt: bool [T], whether it is trained on.
    """
    size = int(items.max()) + 1
    counts = np.bincount(items[learnt], minlength=size)
    first = np.full(size, np.iinfo(np.int64).max)
    np.minimum.at(first, items, rows.astype(np.int64))
    order = np.lexsort((first, -counts))
    return order[first[order] < np.iinfo(np.int64).max]


def _first(counts: Ids, lengths: Ids) -> npt.NDArray[np.bool_]:
    """Which of all rows are among the first ones of their users: bool [T]."""
    starts = np.repeat(lengths.cumsum() - lengths, lengths)
    return np.arange(len(starts)) - starts < np.repeat(counts, lengths)
