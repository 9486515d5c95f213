"""Logs larger than memory: sequences in Parquet shards, read a few at a time.

    glint-edge shard interactions/ --out shards/
    glint-edge train --data shards/ --out run/

    part-0000.parquet …    a user a row, column `items`: training ids in time order: those before
                           the cut; or, leave-one-out, all but the held-out users' last two; and
                           `weights`, where events have some
    held_out.parquet       whole sequences of a sample of users, to evaluate on: the same columns,
                           `validation` and `test`, the places of what is predicted, or -1
    items.parquet          columns `key`, `count` and `training` (how often in the parts), a row an
                           item, most popular in training first: row n is id n + 1
    shards.json            format version, the data's name, the split, how many of each, sha256 of
                           the files

`sharding.make_shards` writes them; training holds `MIXED` shards at a time.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from glint_edge.data.catalogue import Catalogue
from glint_edge.data.reading.parquet import require_readable
from glint_edge.data.sequences import HeldOut, Weights, held_out_at
from glint_edge.data.sequencing.parts import Parts
from glint_edge.data.sharded.doors import (
    HELD_OUT,
    ITEMS,
    read_about,
    read_items,
    read_sequences,
)
from glint_edge.errors import ConfigError, DataError
from glint_edge.processes.distributed import Alone
from glint_edge.tables import counted

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

Ids = npt.NDArray[np.int64]

MOST_PARTS = 100_000
MIXED = 2  # shards whose users are shuffled together


@dataclass(frozen=True, slots=True, eq=False)
class ShardedLog:
    """A folder that `make_shards` wrote.

    Attributes:
        name: the data's name.
        folder: where it lies.
        keys: item keys by id; `keys[0]` is "", padding or an unknown item.
        interactions_by_id: int64 [V + 1], interactions by id.
        training_by_id: the same without those of held-out items.
        parts: the shards' files.
        summary: users, items and interactions.
        sha256: of each file by name; empty in shards that were written without.
        predictions: how many items of the training sequences follow another.
        splitting: what was said of the split, by option; nothing for leave-one-out.
        reading: how the log was read, as `DataSource` has it: `options`, `columns`, `notes` and
            `repeats`; empty in shards that were written without.
    """

    name: str
    folder: Path
    keys: tuple[str, ...]
    interactions_by_id: Ids
    training_by_id: Ids
    parts: tuple[Path, ...]
    summary: dict[str, int]
    sha256: Mapping[str, str]
    predictions: int
    splitting: Mapping[str, str]
    reading: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Of all files; "" in shards that were written without."""
        if not self.sha256:
            return ""
        return hashlib.sha256(json.dumps(dict(self.sha256), sort_keys=True).encode()).hexdigest()

    @property
    def item_count(self) -> int:
        """Number of items V; ids run from 1 to V."""
        return len(self.keys) - 1

    @property
    def catalogue(self) -> Catalogue:
        """The items; shards carry no titles."""
        return Catalogue(self.keys, {})

    def counts(self) -> Ids:
        """How often each item stands in the training sequences: int64 [V + 1], by id."""
        return self.training_by_id

    def popularity(self) -> Ids:
        """How often each item stands in all sequences, held-out items too: int64 [V + 1], by id."""
        return self.interactions_by_id

    def training(self) -> tuple[npt.NDArray[np.int32], Ids]:
        """The training sequences: int32 [T], and int64 [U + 1], where each starts.

        Four bytes an interaction: a log whose text is larger than memory fits as ids.

        Raises:
            DataError: a shard is damaged.
        """
        ids, lengths = [], []
        for path in self.parts:
            part, offsets = _flat(self._sequences(path)["items"])
            ids.append(part.astype(np.int32))
            lengths.append(np.diff(offsets))
        return np.concatenate(ids), np.concatenate([[0], np.concatenate(lengths).cumsum()])

    def training_parts(self) -> Iterator[tuple[Ids, Ids]]:
        """The training sequences of one shard after another: int64 [T], and int64 [U + 1].

        Raises:
            DataError: a shard is damaged.
        """
        for path in self.parts:
            yield _flat(self._sequences(path)["items"])

    def validation(self) -> HeldOut:
        """The held-out users' items to validate on, after the ones before."""
        return self._held_out("validation")

    def test(self) -> HeldOut:
        """The held-out users' items to test on, after all others."""
        return self._held_out("test")

    def _sequences(self, path: Path) -> pl.DataFrame:
        return read_sequences(path, self.sha256.get(path.name), self.item_count)

    def _held_out(self, part: str) -> HeldOut:
        held = self._sequences(self.folder / HELD_OUT)
        ids, offsets = _flat(held["items"])
        weights = _weights(held)
        if part in held.columns:
            return held_out_at(ids, offsets, held[part].to_numpy(), weights)
        lengths = np.diff(offsets)  # written before there was another split
        return held_out_at(ids, offsets, getattr(Parts.leave_one_out(lengths), part), weights)

    def batches(
        self,
        max_length: int,
        positions: int,
        rng: np.random.Generator,
        *,
        group: Alone | None = None,
    ) -> Iterator[tuple[Tensor, ...]]:
        """One epoch's batches of this process: its own shards, in random order, users mixed.

        Args and what is yielded: those of `batches.batches`; `group` are the processes
        that share the shards. All draw once from `rng`, so that it stays the same in each.

        Raises:
            ConfigError: there are fewer shards than processes.
            DataError: a shard is damaged.
        """
        from glint_edge.data.batches import batches  # which imports torch

        group = group or Alone()
        if len(self.parts) < group.size:
            raise ConfigError(
                f"{self.folder} has {counted(len(self.parts), 'shards')}, too few for {group.size} "
                f"processes; make them again with --parts {group.size} or more"
            )
        seed = int(rng.integers(2**62))
        order = np.random.default_rng(seed).permutation(len(self.parts))[group.rank :: group.size]
        own = np.random.default_rng([seed, group.rank])
        for at in range(0, len(order), MIXED):
            sequences = pl.concat(
                [self._sequences(self.parts[index]) for index in order[at : at + MIXED]]
            )
            ids, offsets = _flat(sequences["items"])
            yield from batches(
                ids, offsets, max_length, positions, own, weights=_weights(sequences)
            )


def open_shards(folder: Path) -> ShardedLog:
    """Read what a folder of shards says of itself.

    Raises:
        DataError: it is damaged, incomplete, or newer than this version.
    """
    about = read_about(folder)
    parts = tuple(folder / f"part-{n:04d}.parquet" for n in range(about["parts"]))
    files = (*parts, folder / HELD_OUT, folder / ITEMS)
    lost = [path.name for path in files if not path.is_file()]
    if lost:
        raise DataError(f"{folder} lacks {lost[0]}; make the shards again")
    digests: dict[str, str] = about.get("sha256", {})
    if not digests:
        require_readable(str(folder), files, None)
    catalogue = read_items(folder / ITEMS, digests.get(ITEMS), about["summary"])
    counts = _by_id(catalogue["count"])
    learnt = _by_id(catalogue["training"]) if "training" in catalogue.columns else counts
    return ShardedLog(
        about["name"], folder, ("", *catalogue["key"]), counts, learnt, parts,
        about["summary"], digests,
        about.get("predictions", int(learnt.sum()) - about["summary"]["users"]),
        about.get("split", {}), about.get("reading", {}),
    )  # fmt: skip


def _by_id(counts: pl.Series) -> Ids:
    return np.concatenate([[0], counts.to_numpy()]).astype(np.int64)


def _weights(sequences: pl.DataFrame) -> Weights | None:
    """How much each item counts as a target: float32 [T]; None: all count 1."""
    if "weights" not in sequences.columns:
        return None
    return sequences["weights"].explode(empty_as_null=False).to_numpy()


def _flat(sequences: pl.Series) -> tuple[Ids, Ids]:
    """Lists of ids as one int64 array, and where each starts."""
    lengths = sequences.list.len().to_numpy().astype(np.int64)
    ids = sequences.explode(empty_as_null=False).to_numpy().astype(np.int64)
    return ids, np.concatenate([[0], lengths.cumsum()])
