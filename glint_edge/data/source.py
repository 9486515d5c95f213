"""The data of a checkpoint, or others that are read beside it, in its item ids."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from glint_edge.config import ModelConfig
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.log import Log, read
from glint_edge.data.named import NAMED, is_cached
from glint_edge.data.options import LoadOptions
from glint_edge.data.reading.columns import HEADERLESS
from glint_edge.data.record import DataSource, is_folder_of_parquet, is_sharded
from glint_edge.data.sequences import HeldOut, Sequences, Split, split
from glint_edge.data.sequencing.splits import LEAVE_ONE_OUT, PARTS
from glint_edge.errors import ConfigError, DataError
from glint_edge.suggestions import one_of
from glint_edge.tables import counted

if TYPE_CHECKING:
    from glint_edge.data.sharded.shards import ShardedLog

log = logging.getLogger(__name__)


def resolve(
    source: DataSource, data: object = None, options: LoadOptions | None = None
) -> tuple[object, LoadOptions]:
    """Which log is read beside a checkpoint, and how: what `--data` means, everywhere.

    Args:
        source: what the checkpoint stores.
        data: what `read` takes, to be read in place of what the model was trained on.
        options: what is to be read otherwise than the checkpoint stores.

    Returns:
        What to pass to `read`.

    Raises:
        DataError: no data are passed, and the checkpoint's are not on this machine.
    """
    options = options or LoadOptions()
    if data is None:
        if not source.source:
            raise DataError(
                f"what the model was trained on, {source.name}, is not here; pass --data"
            )
        data = source.source
    if isinstance(data, Log) or is_sharded(data):
        return data, options
    return data, options.over(_fitting(LoadOptions.from_dict(source.options), data, options.format))


def _fitting(stored: LoadOptions, data: object, format: str | None) -> LoadOptions:
    """What is stored of one log, as far as it can hold for another."""
    if isinstance(data, str | Path):
        path = Path(data)
        if data in NAMED or not path.is_file():
            return stored
        from glint_edge.data.reading.reader import detect  # with polars, as below

        if (format or stored.format or detect(path)) in HEADERLESS:
            return stored.without_columns()
        return stored
    from glint_edge.data.reading.memory import is_frame

    kept = stored if is_frame(data) else stored.without_columns()
    return replace(kept, format=None, header=None)


def read_beside(source: DataSource, data: object = None, options: LoadOptions | None = None) -> Log:
    """Read the log that `resolve` names; arguments as there.

    Raises:
        ConfigError: an option is impossible.
        DataError: it is not there, cannot be read, or was never here.
    """
    read_log = read(*resolve(source, data, options))
    _compare(source, read_log, own=data is None and options in (None, LoadOptions()))
    return read_log


def _compare(source: DataSource, read_log: Log, *, own: bool) -> None:
    """Compare a log with what a model was trained on; `own`: it is to be that, read in that way.

    Raises:
        DataError: they are shards in the same place, and other ones.
    """
    before, now = (_splitting(one) for one in (source, read_log.source))
    if before != now and source.source == read_log.source.source:
        log.warning(
            "the model was trained on %s with the split %s, not %s: it may have learned from what "
            "is held out now", source.name, before, now,
        )  # fmt: skip
    digest = read_log.source.digest
    if not source.digest or digest == source.digest:
        return
    if source.source == read_log.source.source and is_sharded(read_log.source.source):
        raise DataError(
            f"{source.source} was made again since the model was trained, which may have learned "
            "from the users that are held out now; pass other data, or train again"
        )
    if own:
        log.warning(
            "%s has changed since the model was trained: figures are of the log as it is now, and "
            "what is held out now may have been learned from",
            source.name,
        )


def _splitting(source: DataSource) -> str:
    """How data were split, in a word."""
    said = LoadOptions.from_dict(source.options).splitting
    return ", ".join(Path(text).name for text in said.values()) or LEAVE_ONE_OUT


def is_at_hand(source: DataSource) -> bool:
    """Whether it can be read without the network."""
    if source.source in NAMED:
        return is_cached(source.source)
    path = Path(source.source)
    return path.is_file() or is_sharded(path) or bool(source.source and is_folder_of_parquet(path))


def in_catalogue(sequences: Sequences, catalogue: Catalogue) -> Sequences:
    """The same sequences in a model's ids; items that it does not know become 0.

    Raises:
        DataError: no item is known.
    """
    if sequences.keys == catalogue.keys:
        return sequences
    known = {key: number for number, key in enumerate(catalogue.keys) if number}
    to_id = np.array([known.get(key, 0) for key in sequences.keys])
    to_id[0] = 0
    ids = to_id[sequences.ids]
    if not ids.any():
        raise DataError(
            f"{sequences.name} shares no item with the model's catalogue; "
            "pass the data that the model was trained on"
        )
    if unknown := int((ids == 0).sum()):
        log.warning(
            "with items that the model does not know: %s of %s",
            f"{unknown:,}",
            counted(len(ids), "interactions"),
        )
    return replace(sequences, keys=catalogue.keys, ids=ids)


def held_out(sequences: Sequences, part: str) -> HeldOut:
    """The "validation" or "test" items of sequences.

    Raises:
        ConfigError: there is no such part.
    """
    return part_of(split(sequences), part)


def part_of(data: Split | ShardedLog, part: str) -> HeldOut:
    """The "validation" or "test" items of data that is split.

    Raises:
        ConfigError: there is no such part.
    """
    if part not in PARTS:
        raise ConfigError(f"part {part!r} is unknown; {one_of(part, PARTS)}")
    return data.test() if part == "test" else data.validation()


def split_for(read_log: Log, catalogue: Catalogue) -> Split | ShardedLog:
    """A log in a model's ids, split.

    Raises:
        DataError: no item is known, or the log is in shards of another catalogue.
    """
    data = read_log.data
    if isinstance(data, Sequences):
        return split(in_catalogue(data, catalogue))
    if catalogue.keys[: len(data.keys)] != data.keys:
        raise DataError(f"{data.folder} has another catalogue than the model; pass the log itself")
    return data


def find_split(
    source: DataSource,
    catalogue: Catalogue,
    data: object = None,
    options: LoadOptions | None = None,
    *,
    offline: bool,
) -> Split | ShardedLog | None:
    """The data to measure a model on, in its ids; None, with the reason logged, if none.

    Args:
        source: what the model was trained on.
        catalogue: the model's.
        data: read this instead; it must be there.
        options: what is to be read otherwise than the checkpoint stores.
        offline: never fetch.

    Raises:
        DataError: `data` cannot be read.
    """
    located = _find(source, data, options, offline=offline)
    if isinstance(located, str):
        log.warning("accuracy is not measured: %s", located)
        return None
    return split_for(located, catalogue)


def find_training_data(
    source: DataSource,
    catalogue: Catalogue,
    data: object = None,
    options: LoadOptions | None = None,
    *,
    offline: bool,
) -> Split:
    """What a model was trained on, split, in its ids; arguments as for `find_split`.

    Raises:
        DataError: it cannot be read or is not at hand.
    """
    located = _find(source, data, options, offline=offline)
    if isinstance(located, str):
        raise DataError(located)
    return split(in_catalogue(located.whole, catalogue))


def _find(
    source: DataSource, data: object, options: LoadOptions | None, *, offline: bool
) -> Log | str:
    """The log, or why the checkpoint's own is not to be had."""
    if data is not None:
        if offline and isinstance(data, str) and data in NAMED and not is_cached(data):
            raise DataError(f"{data} is not at hand and --offline forbids fetching it")
        return read_beside(source, data, options)
    if not is_at_hand(source):
        if offline or source.source not in NAMED:
            return f"{source.name} is not at hand; pass --data"
        log.info("fetching %s by pip, once (--offline goes without)", source.name)
    try:
        return read_beside(source, None, options)
    except DataError as error:
        return str(error)


def some_histories(held_out: HeldOut, config: ModelConfig, count: int = 16) -> list[list[int]]:
    """A few histories of different users."""
    users = np.linspace(0, len(held_out.targets) - 1, count).astype(int)
    offsets = held_out.offsets
    return [held_out.ids[offsets[u] : offsets[u + 1]][-config.max_length :].tolist() for u in users]
