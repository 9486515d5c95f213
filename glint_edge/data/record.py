"""What a checkpoint writes down of its data, and how a log is read; imports no polars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from glint_edge.data.reading.columns import USUAL_NAMES, Columns
from glint_edge.data.splits import LEAVE_ONE_OUT, Shares, Times, parse_split
from glint_edge.errors import ConfigError, DataError

FORMATS = ("inter", "u.data", "ratings.dat", "csv", "tsv", "parquet", "lines")
SHARDS = "shards.json"
HELD_OUT = 2  # a user's last items: one to validate on, one to test on
MIN_LENGTH = 1 + HELD_OUT
MIN_LENGTH_CUT = 2  # split by time or by file: an item, and one that follows


@dataclass(frozen=True)
class DataSource:
    """Where a checkpoint's data came from, so that others can read the same.

    Attributes:
        name: a named data set, the file's name, "dataframe" or "lists".
        source: what `load_log` takes: the same name, or the file's path; "" if it was in memory or
            read elsewhere: a DataFrame, an imported model's data, or a pulled one's.
        options: a `LoadOptions`, as JSON values.
        attribution: who made the data; empty for the user's own.
        summary: users, items and interactions after filtering.
        digest: of all that a training sees of it; "" in checkpoints that were written without.
    """

    name: str
    source: str
    options: Mapping[str, Any] = field(default_factory=dict)
    attribution: str = ""
    summary: Mapping[str, float] = field(default_factory=dict)
    digest: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "options": dict(self.options), "summary": dict(self.summary)}


@dataclass(frozen=True)
class LoadOptions:
    """How a log is read; None is not said: as a checkpoint stores it, else the default.

    Attributes:
        columns: which columns hold user, item and time, where the log has names for them.
        format: one of `FORMATS`; by default it is recognised from the file.
        k_core: leave out users and items with fewer interactions, again and again; 0 keeps all.
        min_length: leave out users with fewer items; by default 3, or 2 where the log is split by
            time or by files.
        split: what `glint_edge.data.splits.parse_split` takes; leave-one-out by default.
        validation: the path of a log to validate on, in place of a split.
        test: the path of a log to test on.
    """

    columns: Columns = USUAL_NAMES
    format: str | None = None
    k_core: int | None = None
    min_length: int | None = None
    split: str | None = None
    validation: str | None = None
    test: str | None = None

    def parsed_split(self) -> Times | Shares | None:
        """The split by time; None: there is none.

        Raises:
            ConfigError: it says nothing that can be done.
        """
        return parse_split(self.split)

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
        said = {"split": self.split, "validation": self.validation, "test": self.test}
        return {n: text for n, text in said.items() if text not in (None, LEAVE_ONE_OUT)}

    def require_possible(self) -> None:
        """Refuse what no log can be read with.

        Raises:
            DataError: there is no such format.
            ConfigError: a number is impossible.
        """
        if self.format is not None and self.format not in FORMATS:
            raise DataError(
                f"unknown log format {self.format!r}; choose one of {', '.join(FORMATS)}"
            )
        if self.k_core is not None and self.k_core < 0:
            raise ConfigError(f"k_core must be ≥ 0, not {self.k_core}")
        if self.min_length is not None and self.min_length < 1:
            raise ConfigError(f"min_length must be ≥ 1, not {self.min_length}")
        cut = self.parsed_split() is not None
        if cut and (self.validation or self.test):
            raise ConfigError(
                "a log is split by time or by files of one's own; leave out --split, or "
                "--validation and --test"
            )
        if self.validation and not self.test:
            raise ConfigError("--validation needs --test beside it; pass a file alone as --test")
        for path in filter(None, (self.validation, self.test)):
            require_plain(Path(path))

    def over(self, stored: LoadOptions) -> LoadOptions:
        """What is said here, and the rest as stored."""
        columns, below = asdict(self.columns), asdict(stored.columns)
        says = self if self.split or self.validation or self.test else stored
        return LoadOptions(
            Columns(**{role: columns[role] or below[role] for role in columns}),
            self.format or stored.format,
            stored.k_core if self.k_core is None else self.k_core,
            stored.min_length if self.min_length is None else self.min_length,
            says.split, says.validation, says.test,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        values = {**asdict(self), "k_core": self.k_core or 0}
        if self.min_length is None:
            del values["min_length"]
        for name in ("split", "validation", "test"):
            del values[name]
        return {**values, **self.splitting}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LoadOptions:
        """Inverse of `to_dict`.

        Raises:
            ConfigError: an option is unknown.
        """
        try:
            return cls(**{**values, "columns": Columns(**values.get("columns", {}))})
        except TypeError as error:
            raise ConfigError(
                "the data's stored options are of a newer glint-edge: upgrade this one"
            ) from error


def load_options(
    user: str | None = None,
    item: str | None = None,
    time: str | None = None,
    format: str | None = None,
    k_core: int | None = None,
    split: str | None = None,
    validation: str | Path | None = None,
    test: str | Path | None = None,
    *,
    min_length: int | None = None,
) -> LoadOptions:
    """The options by the names that commands and functions give them."""
    beside = (None if path is None else str(Path(path).resolve()) for path in (validation, test))
    return LoadOptions(
        Columns(user=user, item=item, time=time), format, k_core, min_length, split, *beside
    )


def is_sharded(data: object) -> bool:
    """Whether it is the path of a folder of shards."""
    return isinstance(data, str | Path) and (Path(data) / SHARDS).is_file()


def require_plain(path: Path) -> None:
    """Refuse what is not there, and what a reader would wait for, as a pipe.

    Raises:
        DataError: it is no plain file.
    """
    if not path.exists():
        raise DataError(f"no such file: {path}; pass the path of an interaction log")
    if not path.is_file():
        raise DataError(f"{path} is a folder or a pipe; pass the path of a file")
