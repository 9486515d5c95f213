"""How a log is read: every option, its check, and how people write it; imports no polars."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

from glint_edge.data.reading.columns import ROLES, USUAL_NAMES, Columns, Selection
from glint_edge.data.record import MIN_LENGTH, MIN_LENGTH_CUT, require_plain
from glint_edge.data.sequencing.splits import LEAVE_ONE_OUT, Shares, Times, parse_split
from glint_edge.errors import ConfigError, DataError
from glint_edge.suggestions import one_of

FORMATS = ("inter", "u.data", "ratings.dat", "csv", "tsv", "jsonl", "parquet", "lines")
SPLITTING = ("split", "validation", "test")
MOST_WEIGHT = 1_000_000.0

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d)?")
_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class LoadOptions:
    """How a log is read; None is not said: as a checkpoint stores it, else the default.

    Attributes:
        columns: which columns hold user, item, time and so on, where the log has names for them.
        format: one of `FORMATS`; by default it is recognised from the file.
        k_core: leave out users and items with fewer interactions, again and again; 0 keeps all.
        min_length: leave out users with fewer items; by default 3, or 2 where the log is split by
            time or by files.
        header: whether the first row of a text file names its columns; by default that is told
            from the row.
        keep_missing: take `NULL`, `nan`, `NA` and the like for keys as they stand; by default rows
            with such a key are left out, as those with none.
        session_gap: cut a user's items where so much time passes between two of them, as in "30m".
        only: leave out other kinds of events.
        weights: how much a target of each kind of event counts; other kinds are left out.
        min_rating: leave out lower ratings, and rows without one.
        collapse_repeats: take an item several times in a row for once.
        split: what `glint_edge.data.sequencing.splits.parse_split` takes; leave-one-out by default.
        validation: the path of a log to validate on, in place of a split.
        test: the path of a log to test on.
    """

    columns: Columns = USUAL_NAMES
    format: str | None = None
    k_core: int | None = None
    min_length: int | None = None
    header: bool | None = None
    keep_missing: bool | None = None
    session_gap: str | None = None
    only: tuple[str, ...] | None = None
    weights: Mapping[str, float] | None = None
    min_rating: float | None = None
    collapse_repeats: bool | None = None
    split: str | None = None
    validation: str | None = None
    test: str | None = None

    @property
    def shortest(self) -> int:
        """Users with fewer items are left out."""
        if self.min_length is not None:
            return self.min_length
        cut = self.test is not None or self.parsed_split() is not None
        return MIN_LENGTH_CUT if cut else MIN_LENGTH

    @property
    def splitting(self) -> dict[str, str]:
        """What is said of the split, by name; nothing for leave-one-out."""
        said = {name: getattr(self, name) for name in SPLITTING}
        return {n: text for n, text in said.items() if text not in (None, LEAVE_ONE_OUT)}

    def parsed_split(self) -> Times | Shares | None:
        """The split by time; None: there is none.

        Raises:
            ConfigError: it says nothing that can be done.
        """
        return parse_split(self.split)

    @property
    def selection(self) -> Selection:
        """What a reader takes from the log for this."""
        of_use = {
            "time": self.session_gap,
            "event": self.only or self.weights,
            "rating": self.min_rating is not None,
        }
        needed = frozenset(role for role, use in of_use.items() if use)
        return Selection(columns=self.columns, needed=needed, header=self.header)

    @property
    def gap_seconds(self) -> float | None:
        """`session_gap` in seconds; None: sequences are not cut."""
        return seconds_of(self.session_gap) if self.session_gap else None

    def require_possible(self) -> None:
        """Refuse what no log can be read with.

        Raises:
            DataError: there is no such format.
            ConfigError: a number is impossible.
        """
        if self.format is not None and self.format not in FORMATS:
            raise DataError(f"unknown log format {self.format!r}; {one_of(self.format, FORMATS)}")
        if self.k_core is not None and self.k_core < 0:
            raise ConfigError(f"k_core must be ≥ 0, not {self.k_core}")
        if self.min_length is not None and self.min_length < 1:
            raise ConfigError(f"min_length must be ≥ 1, not {self.min_length}")
        if self.session_gap:
            seconds_of(self.session_gap)
        if self.min_rating is not None and not math.isfinite(self.min_rating):
            raise ConfigError(f"min_rating must be a number, not {self.min_rating}")
        self._require_weights()
        self._require_split()

    def _require_split(self) -> None:
        if self.parsed_split() is not None and (self.validation or self.test):
            raise ConfigError(
                "a log is split by time or by files of one's own; leave out --split, or "
                "--validation and --test"
            )
        if self.validation and not self.test:
            raise ConfigError("--validation needs --test beside it; pass a file alone as --test")
        for path in filter(None, (self.validation, self.test)):
            require_plain(Path(path))

    def _require_weights(self) -> None:
        if self.weights is None:
            return
        for kind, weight in self.weights.items():
            if not 0 <= weight <= MOST_WEIGHT:
                raise ConfigError(
                    f"the weight of {kind!r} must be 0 to {MOST_WEIGHT:,}, not {weight}"
                )
        if not any(self.weights.values()):
            raise ConfigError("no event has a weight above 0; nothing would be learned")

    def over(self, stored: LoadOptions) -> LoadOptions:
        """What is said here, and the rest as stored."""
        said = {
            each.name: value
            for each in fields(self)
            if (value := getattr(self, each.name)) is not None
        }
        below = stored
        if self.split or self.validation or self.test:
            below = replace(stored, split=None, validation=None, test=None)
        return replace(below, **{**said, "columns": self.columns.over(stored.columns)})

    def without_columns(self) -> LoadOptions:
        """What holds for a log that has no names of columns."""
        return replace(
            self, columns=USUAL_NAMES, header=None, session_gap=None, only=None, weights=None,
            min_rating=None,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; what is not said is left out, but for what always was there."""
        said = {each.name: getattr(self, each.name) for each in fields(self)}
        values = {n: value for n, value in said.items() if value is not None and n not in SPLITTING}
        values |= {"columns": self.columns.to_dict(), "format": self.format, **self.splitting}
        values["k_core"] = self.k_core or 0
        if self.only is not None:
            values["only"] = list(self.only)
        if self.weights is not None:
            values["weights"] = dict(self.weights)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LoadOptions:
        """Inverse of `to_dict`.

        Raises:
            ConfigError: an option is unknown.
        """
        only = values.get("only")
        try:
            return cls(
                **{
                    **values,
                    "columns": Columns(**values.get("columns", {})),
                    "only": None if only is None else tuple(only),
                }
            )
        except TypeError as error:
            raise ConfigError(
                "the data's stored options are of a newer glint-edge: upgrade this one"
            ) from error


OPTIONS = tuple(each.name for each in fields(LoadOptions) if each.name != "columns")


class Reading(TypedDict, total=False):
    """How a log is to be read, as commands and functions name it; see `load_log`."""

    user: str | None
    item: str | None
    time: str | None
    session: str | None
    event: str | None
    rating: str | None
    format: str | None
    header: bool | None
    keep_missing: bool | None
    session_gap: str | float | None
    only: str | Sequence[str] | None
    weights: str | Mapping[str, float] | None
    min_rating: float | None
    collapse_repeats: bool | None
    k_core: int | None
    min_length: int | None
    split: str | None
    validation: str | Path | None
    test: str | Path | None


def load_options(**reading: Unpack[Reading]) -> LoadOptions:
    """The options by the names that commands and functions give them.

    Raises:
        ConfigError: one cannot be read.
    """
    values: dict[str, Any] = dict(reading)
    columns = Columns(**{role: values.pop(role) for role in ROLES if role in values})
    if values.get("session_gap") is not None:
        values["session_gap"] = str(values["session_gap"])
    for name in ("validation", "test"):
        if values.get(name) is not None:
            values[name] = _path(name, values[name])
    values["only"] = _kinds(values.get("only"))
    values["weights"] = _weights(values.get("weights"))
    return LoadOptions(columns, **values)


def _path(name: str, value: object) -> str:
    if not isinstance(value, str | Path):
        raise ConfigError(
            f"{name} must be the path of a file, not a {type(value).__name__}; write it to one, or "
            "split by time"
        )
    return str(Path(value).resolve())


def _kinds(only: str | Sequence[str] | None) -> tuple[str, ...] | None:
    if only is None:
        return None
    kinds = only.split(",") if isinstance(only, str) else only
    return tuple(dict.fromkeys(kind.strip() for kind in kinds if kind.strip())) or None


def _weights(weights: str | Mapping[str, float] | None) -> dict[str, float] | None:
    """The weights of events, as in `view=1,cart=2,buy=4`.

    Raises:
        ConfigError: it is no such text.
    """
    if weights is None:
        return None
    pairs: Iterable[tuple[str, float | str]]
    if isinstance(weights, str):
        parts = (part.rpartition("=") for part in weights.split(",") if part.strip())
        pairs = [(kind, weight) for kind, _, weight in parts]
    else:
        pairs = weights.items()
    try:
        named = {kind.strip(): float(weight) for kind, weight in pairs}
    except (ValueError, TypeError):
        named = {"": 0.0}
    if not all(named):
        raise ConfigError(f"{weights!r} are no weights of events; write view=1,cart=2,buy=4")
    return named or None


def seconds_of(duration: str) -> float:
    """The seconds of a duration such as "30m", "2h", "1d", "90s" or "90".

    Raises:
        ConfigError: it is none.
    """
    match = _DURATION.fullmatch(duration.strip().lower())
    seconds = float(match[1]) * _SECONDS[match[2] or "s"] if match else 0.0
    if not seconds:
        raise ConfigError(f"{duration!r} is no time; write a number and s, m, h or d, as in 30m")
    return seconds
