"""What a checkpoint writes down of its data; imports no polars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from glint_edge.errors import DataError
from glint_edge.suggestions import no_file

SHARDS = "shards.json"
HELD_OUT = 2  # a user's last items: one to validate on, one to test on
MIN_LENGTH = 1 + HELD_OUT
MIN_LENGTH_CUT = 2  # split by time or by file: an item, and one that follows

# From this share of repeating targets on, a log is one in which people take an item again. Ratings
# and reviews have none, but for a row written twice; shops, music and news 10 to 60 %.
REPEATS_FROM = 0.01


def nobody_repeats(repeats: float | None) -> bool:
    """Whether a share of repeating targets is that of such a log; an unknown one is not."""
    return repeats is not None and repeats < REPEATS_FROM


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
        columns: the column that was taken, by role.
        notes: what was said when it was read: warnings, what was taken, what was left out.
        repeats: share of targets that repeat an earlier item of their user, from 0 to 1. A target
            is each item, for training or held out, but a user's first. None: not known.
    """

    name: str
    source: str
    options: Mapping[str, Any] = field(default_factory=dict)
    attribution: str = ""
    summary: Mapping[str, float] = field(default_factory=dict)
    digest: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    repeats: float | None = None

    def __post_init__(self) -> None:
        """JSON has lists for tuples."""
        object.__setattr__(self, "notes", tuple(self.notes))

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        plain = ("options", "summary", "columns")
        return {
            **asdict(self),
            **{name: dict(getattr(self, name)) for name in plain},
            "notes": list(self.notes),
        }


def is_sharded(data: object) -> bool:
    """Whether it is the path of a folder of shards."""
    return isinstance(data, str | Path) and (Path(data) / SHARDS).is_file()


def is_folder_of_parquet(path: Path) -> bool:
    """Whether it is a folder that holds Parquet files, which are one log together."""
    return path.is_dir() and next(path.glob("*.parquet"), None) is not None


def require_plain(path: Path, named: Iterable[str] = ()) -> None:
    """Refuse what is not there, and what a reader would wait for, as a pipe.

    Args:
        path: of a log.
        named: public logs, one of which may have been meant.

    Raises:
        DataError: it is no plain file.
    """
    if is_folder_of_parquet(path):
        return
    if not path.exists():
        raise DataError(no_file(path, "pass the path of an interaction log", named))
    if not path.is_file():
        raise DataError(f"{path} is a folder or a pipe; pass the path of a file")
