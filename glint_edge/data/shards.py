"""Logs larger than memory: sequences in Parquet shards, read a few at a time.

    glint-edge shard interactions/ --out shards/
    glint-edge train --data shards/ --out run/

    part-0000.parquet …    a user a row, column `items`: training ids in time order, the held-out
                           users' without their last two
    held_out.parquet       column `items`: whole sequences of a sample of users, to evaluate on
    items.parquet          columns `key` and `count`, a row an item, most popular first: row n is
                           id n + 1
    shards.json            format version, the data's name, how many of each

`sharding.make_shards` writes them; training holds `MIXED` shards at a time.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from glint_edge.data.record import SHARDS
from glint_edge.data.sequences import HeldOut
from glint_edge.errors import ConfigError, DataError
from glint_edge.processes.distributed import Alone

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

Ids = npt.NDArray[np.int64]

FORMAT_VERSION = 1
ABOUT, ITEMS, HELD_OUT = SHARDS, "items.parquet", "held_out.parquet"

MIXED = 2  # shards whose users are shuffled together


@dataclass(frozen=True, slots=True, eq=False)
class ShardedLog:
    """A folder that `make_shards` wrote.

    Attributes:
        name: the data's name.
        folder: where it lies.
        keys: item keys by id; `keys[0]` is "", padding or an unknown item.
        interactions_by_id: int64 [V + 1], interactions by id.
        parts: the shards' files.
        summary: users, items and interactions.
    """

    name: str
    folder: Path
    keys: tuple[str, ...]
    interactions_by_id: Ids
    parts: tuple[Path, ...]
    summary: dict[str, int]

    @property
    def item_count(self) -> int:
        """Number of items V; ids run from 1 to V."""
        return len(self.keys) - 1

    @property
    def titles(self) -> dict[str, str]:
        """Shards carry no titles."""
        return {}

    def counts(self) -> Ids:
        """Interactions by id, the held-out ones among them: int64 [V + 1]."""
        return self.interactions_by_id

    popularity = counts

    def training(self) -> tuple[npt.NDArray[np.int32], Ids]:
        """The training sequences: int32 [T], and int64 [U + 1], where each starts.

        Four bytes an interaction: a log whose text is larger than memory fits as ids.

        Raises:
            DataError: a shard is damaged.
        """
        ids, lengths = [], []
        for path in self.parts:
            part, offsets = _flat(_read(path)["items"])
            ids.append(part.astype(np.int32))
            lengths.append(np.diff(offsets))
        return np.concatenate(ids), np.concatenate([[0], np.concatenate(lengths).cumsum()])

    def validation(self) -> HeldOut:
        """The held-out users' last but one items, after the ones before."""
        return self._held_out(without=2)

    def test(self) -> HeldOut:
        """The held-out users' last items, after all others."""
        return self._held_out(without=1)

    def _held_out(self, without: int) -> HeldOut:
        ids, offsets = _flat(pl.read_parquet(self.folder / HELD_OUT)["items"])
        ends = offsets[1:] - without
        kept = np.arange(len(ids)) < np.repeat(ends, np.diff(offsets))
        lengths = np.diff(offsets) - without
        return HeldOut(ids[kept], np.concatenate([[0], lengths.cumsum()]), ids[ends])

    def batches(
        self,
        max_length: int,
        positions: int,
        rng: np.random.Generator,
        *,
        crop: float = 0.0,
        group: Alone | None = None,
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
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
                f"{self.folder} has {len(self.parts)} shards, too few for {group.size} processes; "
                f"make them again with --parts {group.size} or more"
            )
        seed = int(rng.integers(2**62))
        order = np.random.default_rng(seed).permutation(len(self.parts))[group.rank :: group.size]
        own = np.random.default_rng([seed, group.rank])
        for at in range(0, len(order), MIXED):
            sequences = pl.concat(
                [_read(self.parts[index])["items"] for index in order[at : at + MIXED]]
            )
            ids, offsets = _flat(sequences)
            yield from batches(ids, offsets, max_length, positions, own, crop=crop)


def open_shards(folder: Path) -> ShardedLog:
    """Read what a folder of shards says of itself.

    Raises:
        DataError: it is damaged, incomplete, or newer than this version.
    """
    try:
        about: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        if about["format_version"] != FORMAT_VERSION:
            raise DataError(
                f"{folder} has shard format {about['format_version']!r}, this version reads "
                f"{FORMAT_VERSION}; make the shards again"
            )
        catalogue = _read(folder / ITEMS)
        counts = np.concatenate([[0], catalogue["count"].to_numpy()]).astype(np.int64)
        parts = tuple(folder / f"part-{n:04d}.parquet" for n in range(about["parts"]))
        lost = [path.name for path in (*parts, folder / HELD_OUT) if not path.is_file()]
        if lost:
            raise DataError(f"{folder} lacks {lost[0]}; make the shards again")
        return ShardedLog(
            about["name"], folder, ("", *catalogue["key"]), counts, parts, about["summary"]
        )
    except (KeyError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{folder / ABOUT} is damaged ({error}); make the shards again") from error


def _read(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        problem = str(error).partition("\n")[0]
        raise DataError(f"{path} is damaged ({problem}); make the shards again") from error


def _flat(sequences: pl.Series) -> tuple[Ids, Ids]:
    """Lists of ids as one int64 array, and where each starts."""
    lengths = sequences.list.len().to_numpy().astype(np.int64)
    ids = sequences.explode(empty_as_null=False).to_numpy().astype(np.int64)
    return ids, np.concatenate([[0], lengths.cumsum()])
