"""From checked rows to each user's items in order: duplicates, sessions, repeats, short users.

Of a whole log, or of some of its users: what is counted adds up.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from glint_edge.data.options import LoadOptions

DUPLICATES = "exact duplicate rows"
DUPLICATE = ["user", "item", "time"]  # the same in all of these is one interaction
NEWEST_FIRST = 0.9  # share of neighbours that stand the wrong way round in the file


@dataclass(slots=True)
class Tally:
    """What is counted while rows are put in order.

    Attributes:
        dropped: how much was left out, by reason.
        neighbours: pairs of items of a user, one after the other; all but a user's first are
            targets, so there are as many of these.
        ties: those of one time.
        backwards: those whose rows stand the other way round in the log.
        repeats: targets that their user had before.
        at_once: those that repeat the item just before.
    """

    dropped: Counter[str] = field(default_factory=Counter)
    neighbours: int = 0
    ties: int = 0
    backwards: int = 0
    repeats: int = 0
    at_once: int = 0

    @property
    def share_of_repeats(self) -> float | None:
        """Share of targets that their user had before; None without targets."""
        return self.repeats / self.neighbours if self.neighbours else None

    def notes(self) -> tuple[str, ...]:
        """What a person should know of the order, a sentence each."""
        notes = []
        if self.newest_first and not self.ties:
            notes.append("the rows stand newest first, and are put in order")
        if self.ties:
            notes.append(
                f"{_percent(self.ties / self.neighbours)} of neighbouring items of a user have the "
                "same time; these stay in the order of the rows"
            )
        if share := self.share_of_repeats:
            at_once = _percent(self.at_once / self.neighbours)
            notes.append(
                f"repeats: {_percent(share)} of targets repeat an earlier item of their own "
                f"history, {at_once} the one just before"
            )
        elif share is not None:
            notes.append("repeats: no target repeats an earlier item of its own history")
        return tuple(notes)

    @property
    def newest_first(self) -> bool:
        """Whether the rows stand the wrong way round in the log."""
        apart = self.neighbours - self.ties
        return apart > 0 and self.backwards >= NEWEST_FIRST * apart

    def warnings(self) -> tuple[str, ...]:
        """What may well be a mistake: ties of a file that stands newest first."""
        if not (self.newest_first and self.ties):
            return ()
        return (
            "the rows stand newest first, so items of the same time are likely to be in the wrong "
            "order; turn the rows round, or give finer times",
        )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.001 or not share else "under 0.1 %"


def arranged(
    rows: pl.DataFrame, options: LoadOptions, per_second: float | None, tally: Tally
) -> pl.DataFrame:
    """Users' items in time order, user after user; at the same time, or without, as in the log.

    Args:
        rows: `row`, `user`, `item` and perhaps `time`, `weight` and `part`, in the log's order.
        options: what is left out, joined and cut.
        per_second: how much the time grows in a second.
        tally: counts what is done.

    Returns:
        The rows that are kept, sorted by `user`; with a gap, `session` numbers the parts, from 1,
        into which a user's items are cut.
    """
    timed = "time" in rows.columns
    ranked = {"weight", "part"} & set(rows.columns)  # of the same rows, not the first one is kept
    kept = _heaviest(rows, tally) if timed and ranked else rows
    order = [name for name in ("part", "time") if name in rows.columns]
    kept = kept.sort("user", *order, "row")
    if timed and not ranked:
        kept = _once(kept, tally)
    if options.gap_seconds:
        assert per_second is not None, "times without a unit were refused"
        passed = pl.col("time").diff().cast(pl.Float64) / per_second
        new = ((passed > options.gap_seconds) & ~_changes(["user"])).fill_null(value=False)
        kept = kept.with_columns(session=1 + new.cum_sum().over("user"))
    owner = owner_of(kept)
    kept = _until_stable(kept, owner, options, tally)
    _observe(kept, owner, tally)
    return kept


def owner_of(rows: pl.DataFrame) -> list[str]:
    """The columns that tell one sequence from the next."""
    return ["user", *(["session"] if "session" in rows.columns else [])]


def _heaviest(rows: pl.DataFrame, tally: Tally) -> pl.DataFrame:
    """Each interaction once, with the largest of its weights.

    A row that is also in a file to test on is left there alone.
    """
    kept = rows
    if "weight" in rows.columns:
        kept = kept.with_columns(pl.col("weight").max().over(DUPLICATE))
    if "part" in rows.columns:
        kept = kept.filter(pl.col("part") == pl.col("part").max().over(DUPLICATE))
    kept = kept.unique(DUPLICATE, keep="first", maintain_order=True)
    tally.dropped[DUPLICATES] += len(rows) - len(kept)
    return kept


def _once(rows: pl.DataFrame, tally: Tally) -> pl.DataFrame:
    """Each interaction once, of rows in order: the same can only be among those of one time."""
    # without times, the same user and item twice may well be two interactions
    tied = ~rows.select(_changes(["user", "time"])).to_series()
    tied |= tied.shift(-1, fill_value=False)
    tally.dropped[DUPLICATES] += 0  # the first to be told, also where only a later part has some
    if not tied.any():
        return rows
    first = rows.filter(tied).select(pl.struct(DUPLICATE).is_first_distinct()).to_series()
    kept = ~tied.to_numpy(writable=True)
    kept[~kept] = first.to_numpy()
    once = rows.filter(pl.Series(kept))
    tally.dropped[DUPLICATES] += len(rows) - len(once)
    return once


def _until_stable(
    rows: pl.DataFrame, owner: list[str], options: LoadOptions, tally: Tally
) -> pl.DataFrame:
    """Leave out rare items, repeats and short sequences until none is left."""
    what = "users" if owner == ["user"] else "sessions"
    k, least = options.k_core or 0, options.shortest
    while True:
        core = _k_core(rows, owner, k)
        once = _collapsed(core, owner) if options.collapse_repeats else core
        lengths = lengths_of(once, owner)
        kept = once.filter(pl.Series(np.repeat(lengths >= least, lengths)))
        tally.dropped[f"interactions outside the {k}-core"] += len(rows) - len(core)
        tally.dropped["repeats of the item just before"] += len(core) - len(once)
        tally.dropped[f"{what} with fewer than {least} items"] += int((lengths < least).sum())
        # What went for its length may leave items with fewer than k interactions.
        if len(kept) == len(rows):
            return kept
        rows = kept


def lengths_of(rows: pl.DataFrame, owner: list[str]) -> npt.NDArray[np.int64]:
    """How many rows each sequence has, of rows in order: int64 [U]."""
    starts = np.flatnonzero(rows.select(_changes(owner)).to_series().to_numpy())
    return np.diff(starts, append=len(rows)).astype(np.int64)


def _k_core(rows: pl.DataFrame, owner: list[str], k: int) -> pl.DataFrame:
    while k > 1:
        kept = rows.filter(pl.len().over(owner) >= k, pl.len().over("item") >= k)
        if len(kept) == len(rows):
            break
        rows = kept
    return rows


def _collapsed(rows: pl.DataFrame, owner: list[str]) -> pl.DataFrame:
    """Of an item that follows itself, the first; with the largest weight of them."""
    first = _changes([*owner, "item"])
    if "weight" not in rows.columns:
        return rows.filter(first)
    numbered = rows.with_columns(run=first.cum_sum())
    return numbered.with_columns(pl.col("weight").max().over("run")).filter(first).drop("run")


def _observe(rows: pl.DataFrame, owner: list[str], tally: Tally) -> None:
    """Count neighbours, ties, and repeats in the final order."""
    next_to = ~_changes(owner)
    same_item = next_to & ~_changes(["item"])
    counts = {"neighbours": next_to, "at_once": same_item}
    if "time" in rows.columns:
        tie = next_to & ~_changes(["time"])
        back = next_to & ~tie & (pl.col("row") < pl.col("row").shift())
        counts |= {"ties": tie, "backwards": back}
    sums = rows.select(**{name: flags.sum() for name, flags in counts.items()})
    for name, count in sums.row(0, named=True).items():
        setattr(tally, name, getattr(tally, name) + count)
    tally.repeats += len(rows) - _distinct(rows, owner)


def _distinct(rows: pl.DataFrame, owner: list[str]) -> int:
    """How many items each sequence has, each counted once, summed."""
    if not rows.schema["item"].is_integer():
        return rows.select(*owner, "item").n_unique()
    lengths = lengths_of(rows, owner)
    items = rows["item"].to_numpy().astype(np.int64)
    pairs = np.repeat(np.arange(len(lengths)), lengths) * (items.max(initial=0) + 1) + items
    pairs.sort()
    return len(pairs) and 1 + int((pairs[1:] != pairs[:-1]).sum())


def _changes(columns: list[str]) -> pl.Expr:
    """Whether a row differs from the one above it in one of the columns; the first one does."""
    return pl.any_horizontal(
        (pl.col(name) != pl.col(name).shift()).fill_null(value=True) for name in columns
    )
