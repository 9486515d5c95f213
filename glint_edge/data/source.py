"""Which data a checkpoint came from, and how to read it again with the checkpoint's item ids."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from glint_edge.config import ModelConfig
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.columns import USUAL_NAMES, Columns
from glint_edge.data.log import load
from glint_edge.data.named import NAMED, is_cached
from glint_edge.data.sequences import HeldOut, Sequences, Split, split
from glint_edge.data.shards import ShardedLog, is_sharded, open_shards
from glint_edge.errors import ConfigError, DataError

log = logging.getLogger(__name__)

SPLITS = ("validation", "test")


@dataclass(frozen=True)
class DataSource:
    """Where a checkpoint's data came from, so that others can read the same.

    Attributes:
        name: a named data set, or the file's name.
        source: what `log.load` takes: the same name, or the file's path; "" if it was
            read elsewhere: an imported model's, or a pulled one's.
        options: `load`'s other arguments, as JSON values.
        attribution: who made the data; empty for the user's own.
        summary: users, items and interactions after filtering.
    """

    name: str
    source: str
    options: Mapping[str, Any] = field(default_factory=dict)
    attribution: str = ""
    summary: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class LoadOptions:
    """How a log is read: `glint_edge.data.log.load`'s arguments, as one value."""

    columns: Columns = USUAL_NAMES
    format: str | None = None
    k_core: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LoadOptions:
        """Inverse of `to_dict`."""
        return cls(**{**values, "columns": Columns(**values.get("columns", {}))})


def read(source: str, options: LoadOptions) -> tuple[Sequences, DataSource]:
    """Read a log, with the record of it that a checkpoint keeps.

    Raises:
        DataError: it cannot be read.
    """
    sequences = load(source, columns=options.columns, format=options.format, k_core=options.k_core)
    named = source in NAMED
    return sequences, DataSource(
        name=sequences.name,
        source=source if named else str(Path(source).resolve()),
        options=options.to_dict(),
        attribution=NAMED[source].attribution if named else "",
        summary={
            "users": len(sequences),
            "items": sequences.item_count,
            "interactions": sequences.interactions,
        },
    )


def source_of(shards: ShardedLog) -> DataSource:
    """The record of a log in shards that a checkpoint keeps."""
    return DataSource(shards.name, str(shards.folder.resolve()), summary=shards.summary)


def is_at_hand(source: DataSource) -> bool:
    """Whether it can be read without the network."""
    return is_cached(source.source) if source.source in NAMED else Path(source.source).is_file()


def read_again(source: DataSource) -> Sequences:
    """Read a checkpoint's data as it was read for training.

    Raises:
        DataError: it is not there any more, cannot be read, or was never here.
    """
    if is_sharded(source.source):
        raise DataError(f"{source.source} holds shards, not a log; pass the log by --data")
    if not source.source:
        raise DataError(f"what the model was trained on, {source.name}, is not here; pass --data")
    return read(source.source, LoadOptions.from_dict(source.options))[0]


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
            "%d of %d interactions are with items the model does not know", unknown, len(ids)
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
    if part not in SPLITS:
        raise ConfigError(f"split {part!r} is unknown; choose one of {', '.join(SPLITS)}")
    return data.test() if part == "test" else data.validation()


def find_test_items(
    source: DataSource, catalogue: Catalogue, data: str | None, *, offline: bool
) -> HeldOut | None:
    """The test items to measure a model on, in its ids; None, with the reason logged, if none.

    Args:
        source: what the model was trained on.
        catalogue: the model's.
        data: read this instead (as `source` was read); it must be there.
        offline: never fetch.

    Raises:
        DataError: `data` cannot be read.
    """
    if data is None and is_sharded(source.source):
        return open_shards(Path(source.source)).test()
    found = _find(source, catalogue, data, offline=offline)
    if isinstance(found, str):
        log.warning("accuracy is not measured: %s", found)
        return None
    return held_out(found, "test")


def find_training_data(
    source: DataSource, catalogue: Catalogue, data: str | None, *, offline: bool
) -> Split:
    """What a model was trained on, split, in its ids; arguments as for `find_test_items`.

    Raises:
        DataError: it cannot be read or is not at hand.
    """
    found = _find(source, catalogue, data, offline=offline)
    if isinstance(found, str):
        raise DataError(found)
    return split(found)


def _find(
    source: DataSource, catalogue: Catalogue, data: str | None, *, offline: bool
) -> Sequences | str:
    """The data, or why it is not to be had."""
    options = LoadOptions.from_dict(source.options)
    if data is not None:
        return in_catalogue(read(data, options)[0], catalogue)
    if not is_at_hand(source):
        if offline or source.source not in NAMED:
            return f"{source.name} is not at hand; pass --data"
        log.info("fetching %s by pip, once (--offline goes without)", source.name)
    try:
        sequences = read(source.source, options)[0]
    except DataError as error:
        return str(error)
    return in_catalogue(sequences, catalogue)


def some_histories(
    test_items: HeldOut | None, config: ModelConfig, count: int = 16
) -> list[list[int]]:
    """A few histories of different users; without data, runs of the first items."""
    if test_items is None:
        longest = min(config.max_length, config.items, 2 * count)
        return [list(range(1, n + 1)) for n in range(1, longest + 1, 2)]
    users = np.linspace(0, len(test_items.targets) - 1, count).astype(int)
    offsets = test_items.offsets
    return [
        test_items.ids[offsets[u] : offsets[u + 1]][-config.max_length :].tolist() for u in users
    ]
