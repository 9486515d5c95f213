"""Reading a log: `load_log`, and the `Log` that it returns.

What can be refused without reading is refused before polars is imported.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from glint_edge.data.named import NAMED, download
from glint_edge.data.options import LoadOptions, load_options
from glint_edge.data.reading.columns import USUAL_NAMES
from glint_edge.data.record import DataSource, is_sharded, require_plain
from glint_edge.data.sequencing.splits import AHEAD
from glint_edge.errors import ConfigError, DataError

if TYPE_CHECKING:
    from glint_edge.data.reading.table import Table
    from glint_edge.data.sequences import Sequences, Split
    from glint_edge.data.sequencing.assembly import Read
    from glint_edge.data.sharded.shards import ShardedLog

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Log:
    """A log as it was read: who did what, in order, and how it was read.

    Attributes:
        data: the sequences, or shards of them where the log is larger than memory.
        source: what a checkpoint keeps, to read the same again.
        columns: the column that was taken, by role ("user", "item", "time"); empty where the log
            has no names of columns.
        notes: what was taken for what and what was left out, a sentence each.
        warnings: what may well be a mistake, a sentence each.
    """

    data: Sequences | ShardedLog
    source: DataSource
    columns: Mapping[str, str]
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """A named data set, the file's name, "dataframe" or "lists"."""
        return self.data.name

    @property
    def whole(self) -> Sequences:
        """All sequences, in memory.

        Raises:
            DataError: the log is in shards.
        """
        from glint_edge.data.sequences import Sequences  # which imports numpy

        if not isinstance(self.data, Sequences):
            raise DataError(f"{self.data.folder} holds shards, not a log; pass the log itself")
        return self.data

    def sequences(self) -> dict[str, list[str]]:
        """Item keys in time order, by user key.

        Raises:
            DataError: the log is in shards.
        """
        whole = self.whole
        return {
            user: [whole.keys[item] for item in whole.history(number)]
            for number, user in enumerate(whole.users)
        }

    def split(self) -> Split | ShardedLog:
        """What is trained on, and what is held out, as the log was read; by default leave-one-out.

        Raises:
            DataError: leave-one-out, and a user has fewer than three items.
        """
        from glint_edge.data.sequences import Sequences, split

        self.tell_split()
        return split(self.data) if isinstance(self.data, Sequences) else self.data

    def tell_split(self) -> None:
        """Log that the split looks ahead, if it is leave-one-out."""
        if not LoadOptions.from_dict(self.source.options).splitting:
            logger.info("%s: %s", self.name, AHEAD)

    def __len__(self) -> int:
        """Number of users."""
        return int(self.source.summary["users"])

    def __repr__(self) -> str:
        summary = ", ".join(f"{count:,} {what}" for what, count in self.source.summary.items())
        return f"Log({self.name!r}: {summary})"

    def _repr_html_(self) -> str:
        """The same as a table, with the notes below it, for a notebook."""
        rows = {"log": self.name, **{w: f"{n:,}" for w, n in self.source.summary.items()}}
        cells = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in rows.items()
        )
        notes = "".join(f"<li>{escape(note)}</li>" for note in (*self.warnings, *self.notes))
        return f"<table>{cells}</table><ul>{notes}</ul>"


def load_log(
    source: object,
    *,
    user: str | None = None,
    item: str | None = None,
    time: str | None = None,
    session: str | None = None,
    event: str | None = None,
    rating: str | None = None,
    format: str | None = None,
    header: bool | None = None,
    keep_missing: bool = False,
    session_gap: str | float | None = None,
    only: str | Sequence[str] | None = None,
    weights: str | Mapping[str, float] | None = None,
    min_rating: float | None = None,
    collapse_repeats: bool = False,
    k_core: int = 0,
    min_length: int | None = None,
    split: str | None = None,
    validation: str | Path | None = None,
    test: str | Path | None = None,
) -> Log:
    """Read a log of who did what, in order.

    A user's items are ordered by time and, at the same time or without times, as in the log. Keys
    are texts; whole numbers are taken as their text.

    Args:
        source: a named data set ("ml-100k", downloaded once); the path of a log, of a folder
            of Parquet files, or of one that `shard` wrote; a polars or pandas DataFrame, an
            interaction a row; or lists of item keys: a mapping from user key to list, or a list of
            lists. A file that is called like a named data set is reached as a `Path` or as
            `./ml-100k`.
        user: column of the user's key; None: the usual names are tried, and so for the others.
        item: column of the item's key, or of a list of them, each of which is then a row: in
            objects of the list, "items.item_id".
        time: column of the time; where there is none, the rows are taken to be in time order.
        session: column of the session, which stands in for a user who is missing; by default
            such rows are left out.
        event: column of the kind of event, for `only` and `weights`.
        rating: column of the rating, for `min_rating`.
        format: inter, u.data, ratings.dat, csv, tsv, jsonl, parquet or lines; None: recognised
            from the file.
        header: whether the first row names the columns; None: told from the row. Without one,
            columns are chosen by number, from "1".
        keep_missing: take NULL, nan, NA and the like for keys as they stand; by default rows
            with such a key are left out, and always those with none.
        session_gap: cut a user's items into sessions where so much time passes between two of
            them: "30m", "2h", "1d", or seconds.
        only: kinds of events to keep.
        weights: how much a target of each kind of event counts in the loss and in the figures, as
            in {"view": 1, "buy": 4} or "view=1,buy=4"; other kinds are left out.
        min_rating: leave out lower ratings.
        collapse_repeats: take an item several times in a row for once.
        k_core: leave out users and items with fewer interactions than this, again and again until
            none is left; 0 keeps all.
        min_length: leave out users with fewer items than this; None: 3, or 2 where the log is split
            by time or by files.
        split: "leave-one-out", the default: a user's last item is for the test, the one before for
            validation; "time:2024-06-01": what each user did next after this moment is for the test
            (the last tenth before it for validation; "time:A,B": what lies between); or shares of
            the interactions in time order, "0.8,0.1,0.1".
        validation: a log to validate on, read in the same way, in place of a split.
        test: a log to test on; alone, each user's last item of `source` is validated on.

    Raises:
        ConfigError: an option is impossible.
        DataError: the log cannot be read or split, or nothing is left of it.
    """
    options = load_options(
        user=user, item=item, time=time, session=session, event=event, rating=rating,
        format=format, header=header, keep_missing=keep_missing or None, session_gap=session_gap,
        only=only, weights=weights, min_rating=min_rating,
        collapse_repeats=collapse_repeats or None, k_core=k_core or None, min_length=min_length,
        split=split, validation=validation, test=test,
    )  # fmt: skip
    return read(source, options)


def read(source: object, options: LoadOptions) -> Log:
    """`load_log` with its options as one value; a `Log` is returned as it is.

    Raises:
        ConfigError: an option is impossible.
        DataError: the log cannot be read, or nothing is left of it.
    """
    options.require_possible()
    if isinstance(source, Log):
        if options != LoadOptions():
            raise ConfigError(f"{source!r} is read already; pass the options to load_log")
        return source
    if is_sharded(source):
        return _in_shards(Path(str(source)), options)
    if isinstance(source, str | Path):
        log = _read_file(source, options)
    else:
        log = _read_memory(source, options)
    for note in log.notes:
        logger.info("%s: %s", log.name, note)
    for warning in log.warnings:
        logger.warning("%s: %s", log.name, warning)
    return log


def source_of(shards: ShardedLog) -> DataSource:
    """The record of a log in shards that a checkpoint keeps."""
    read = {"options": shards.splitting, **shards.reading}
    return DataSource(
        shards.name, str(shards.folder.resolve()), summary=shards.summary, digest=shards.digest,
        **read,
    )  # fmt: skip


def _in_shards(folder: Path, options: LoadOptions) -> Log:
    from glint_edge.data.sharded.shards import open_shards  # which imports torch

    if options != LoadOptions():
        raise ConfigError(f"{folder} holds shards, which were read already; pass no options for it")
    shards = open_shards(folder)
    source = source_of(shards)
    return Log(shards, source, source.columns, tuple(source.notes))


def _read_file(source: str | Path, options: LoadOptions) -> Log:
    if isinstance(source, str) and source in NAMED:
        path, name, where, attribution = download(source), source, source, NAMED[source].attribution
    else:
        path, attribution = Path(source), ""
        name, where = path.name, str(path.resolve())
    require_plain(path, NAMED)
    from glint_edge.data.reading.reader import read_table, read_titles
    from glint_edge.data.sequencing.assembly import assembled

    table = read_table(path, options.selection, options.format)
    titles = read_titles(path, options.format)
    return _log(table, assembled(table, titles, name, where, attribution, options))


def _read_memory(source: object, options: LoadOptions) -> Log:
    if options.format is not None:
        raise ConfigError(f"format {options.format!r} is of files; leave it out")
    from glint_edge.data.reading.memory import is_frame, table_of_frame, table_of_lists
    from glint_edge.data.sequencing.assembly import assembled

    if is_frame(source):
        name, table = "dataframe", table_of_frame(source, options.selection)
    elif options.columns != USUAL_NAMES or options.selection.needed:
        raise ConfigError("lists of keys have no columns to choose; leave them out")
    else:
        name, table = "lists", table_of_lists(source)
    return _log(table, assembled(table, {}, name, "", "", options))


def _log(table: Table, read: Read) -> Log:
    return Log(read.sequences, read.source, table.columns, read.notes, read.warnings)
