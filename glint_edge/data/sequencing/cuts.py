"""Which part of a split each row of a log belongs to: by time, or by the file it stands in."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import polars as pl

from glint_edge.data.options import LoadOptions
from glint_edge.data.reading.columns import EPOCH_SECONDS, EPOCH_UNITS, usual
from glint_edge.data.reading.table import Table
from glint_edge.data.sequencing.splits import VALIDATED, Moment, Shares, Times
from glint_edge.errors import DataError
from glint_edge.tables import counted

LATER = 1 << 40  # the rows of a second file are numbered from here on, those of a third from twice

Number: TypeAlias = int | float | Decimal
_PER_SECOND = {"ms": 10**3, "us": 10**6, "ns": 10**9}


@dataclass(frozen=True, slots=True)
class SplitRule:
    """How rows with a `part` are split: 0 to train on, 1 to validate on, 2 to test on.

    Attributes:
        label: where the parts begin, in words.
        alone: a user may be in one part only; then its last item there is predicted from the rest.
        validated: some rows are of part 1; else each user's last item of part 0 is validated on.
    """

    label: str
    alone: bool = False
    validated: bool = True


def divided(
    table: Table, rows: pl.LazyFrame, options: LoadOptions, read: Callable[[Path], pl.LazyFrame]
) -> tuple[pl.LazyFrame, SplitRule | None]:
    """The rows with a `part` each, and how they are split; None: leave-one-out, without parts.

    Args:
        table: the log.
        rows: the same, checked.
        options: how it is to be split.
        read: the checked rows of another file.

    Raises:
        DataError: the log cannot be split so.
    """
    if options.test is not None:
        return _by_file(table.name, rows, options, read)
    split = options.parsed_split()
    if split is None:
        return rows, None
    parted, rule = _by_time(table, rows, split)
    # A session after the cut has nothing before it: its last item is predicted from its others.
    sessions = (
        bool(options.session_gap) or usual("session", [table.columns.get("user", "")]) is not None
    )
    return parted, replace(rule, alone=sessions or "session" in table.columns)


def split_notes(rule: SplitRule, census: Sequence[int], unseen: int) -> tuple[str, ...]:
    """How a log was split, a sentence each.

    Args:
        rule: as `divided` gave it.
        census: how many users are in no part, are validated on, and are tested on.
        unseen: items that no training sequence has.
    """
    validated = counted(census[1], "users")
    notes = [f"split: {rule.label}; {validated} to validate on, {census[2]:,} to test on"]
    if census[0]:
        notes.append(
            f"after the cut only: {counted(census[0], 'users')}, with nothing to be predicted from"
        )
    if unseen:
        items = counted(unseen, "items")
        notes.append(f"first seen after the cut: {items}, which no model can know")
    return tuple(notes)


# --- by files


def _by_file(
    name: str, rows: pl.LazyFrame, options: LoadOptions, read: Callable[[Path], pl.LazyFrame]
) -> tuple[pl.LazyFrame, SplitRule]:
    files = {2: options.test, 1: options.validation}
    parts = {0: rows, **{part: read(Path(path)) for part, path in files.items() if path}}
    if len({"time" in part.collect_schema() for part in parts.values()}) > 1:
        raise DataError(
            f"{name} and the files to validate and test on have times in part; give all of them a "
            "column of the time, or none"
        )
    numbered = [
        one.with_columns(
            row=pl.col("row").cast(pl.Int64) + part * LATER, part=pl.lit(part, dtype=pl.UInt8)
        )
        for part, one in sorted(parts.items())
    ]
    validation = f"validated on {Path(options.validation).name}" if options.validation else (
        "validated on each user's last item of the log"
    )  # fmt: skip
    label = f"{validation}, tested on {Path(options.test or '').name}"
    rule = SplitRule(label, alone=True, validated=bool(options.validation))
    return pl.concat(numbered, how="diagonal_relaxed"), rule


# --- by time


def _by_time(
    table: Table, rows: pl.LazyFrame, split: Times | Shares
) -> tuple[pl.LazyFrame, SplitRule]:
    schema = rows.collect_schema()
    if "time" not in schema:
        raise DataError(
            f"{table.name} has no times to split by; choose the column of the time, or leave the "
            "split out"
        )
    clock = _Clock(table, rows)
    if isinstance(split, Shares):
        validation, test = clock.after_shares(split.validation, split.test)
    else:
        test = clock.cut(split.test)
        validation = clock.cut(split.validation) if split.validation else clock.before(test)
    if validation >= test:
        raise DataError(
            f"{table.name}: nothing lies between the cuts {clock.shown(validation)} and "
            f"{clock.shown(test)}; choose an earlier one to validate from"
        )
    time, dtype = pl.col("time"), schema["time"]
    part = sum(
        ((time >= pl.lit(cut, dtype=dtype)).cast(pl.UInt8) for cut in (validation, test)),
        start=pl.lit(0, dtype=pl.UInt8),
    )
    label = f"validated from {clock.shown(validation)} on, tested from {clock.shown(test)} on"
    return rows.with_columns(part=part), SplitRule(label)


class _Clock:
    """The times of a log, in its own count."""

    def __init__(self, table: Table, rows: pl.LazyFrame) -> None:
        self._table, self._rows = table, rows
        time = pl.col("time")
        ends = table.collect(rows.select(first=time.min(), last=time.max())).row(0)
        self._first: Number = ends[0]
        self._last: Number = ends[1]
        self._per_second = _per_second(table.rows.collect_schema()["time"], self._last)

    def cut(self, moment: Moment) -> Number:
        """A moment in the log's count.

        Raises:
            DataError: it is outside of the log, or a date where the log counts otherwise.
        """
        value = moment.number
        if moment.seconds is not None:
            if self._per_second is None:
                raise DataError(
                    f"{self._table.name}: its times ({self._first} to {self._last}) are no dates; "
                    "write the cut as such a number"
                )
            value = moment.seconds * self._per_second
        elif value is not None and self._per_second and (own := _unit(value)):
            value = value / own * self._per_second  # as in seconds, where the log has milliseconds
        assert value is not None, "a moment is a number or a date"
        if not Fraction(self._first) < value <= Fraction(self._last):
            raise DataError(
                f"{self._table.name}: the cut {moment.text} is outside of the log, which goes from "
                f"{self.shown(self._first)} to {self.shown(self._last)}; choose one in between"
            )
        return self._native(value)

    def before(self, test: Number) -> Number:
        """Where the last tenth of what lies before a cut begins."""
        earlier = self._sorted(self._rows.filter(pl.col("time") < pl.lit(test)))
        return self._with_training(earlier[math.floor((1 - VALIDATED) * len(earlier))])

    def after_shares(self, validation: Fraction, test: Fraction) -> tuple[Number, Number]:
        """The moments of the first interactions after these shares of them all."""
        times = self._sorted(self._rows)
        first, second = (times[math.floor(share * len(times))] for share in (validation, test))
        return self._with_training(first), second

    def _with_training(self, cut: Number) -> Number:
        """A cut that was counted out.

        Raises:
            DataError: nothing lies before it.
        """
        if cut <= self._first:
            raise DataError(
                f"{self._table.name}: too many interactions are of the same time, "
                f"{self.shown(cut)}, to be cut there; write time:VALIDATION,TEST"
            )
        return cut

    def shown(self, value: Number) -> str:
        """A time to read, in UTC."""
        if self._per_second is None:
            return str(value)
        since = timedelta(microseconds=math.floor(Fraction(value) / self._per_second * 10**6))
        moment = datetime(1970, 1, 1, tzinfo=UTC) + since
        return moment.strftime("%Y-%m-%d %H:%M:%S").removesuffix(" 00:00:00")

    def _sorted(self, rows: pl.LazyFrame) -> pl.Series:
        return self._table.collect(rows.select("time")).to_series().sort()

    def _native(self, value: Fraction) -> Number:
        if isinstance(self._last, int):
            return math.ceil(value)
        if isinstance(self._last, Decimal):
            return Decimal(value.numerator) / Decimal(value.denominator)
        return float(value)


def _per_second(stored: pl.DataType, latest: Number) -> Fraction | None:
    """How far the log counts in a second; None: it counts something else."""
    if stored == pl.Date:
        return Fraction(1, 86_400)
    if isinstance(stored, pl.Datetime):
        return Fraction(_PER_SECOND[stored.time_unit])
    return _unit(Fraction(latest))


def _unit(value: Fraction) -> Fraction | None:
    """How far it counts in a second, if it is a moment since 1970."""
    least, most = EPOCH_SECONDS
    units = (Fraction(int(unit)) for unit in EPOCH_UNITS.values())
    return next((unit for unit in units if int(least) <= value / unit <= int(most)), None)
