"""Logs larger than memory: sequences in Parquet shards, read a few at a time.

    glint-edge shard interactions/ --out shards/
    glint-edge train --data shards/ --out run/

    part-0000.parquet …    a user a row, column `items`: training ids in time order, the held-out
                           users' without their last two
    held_out.parquet       column `items`: whole sequences of a sample of users, to evaluate on
    items.parquet          columns `key` and `count`, a row an item, most popular first: row n is
                           id n + 1
    shards.json            format version, the data's name, how many of each

Making them goes over the log once a shard and holds one shard; training holds `MIXED` shards.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from torch import Tensor

from glint_edge.data.batches import batches
from glint_edge.data.columns import USUAL_NAMES, Columns, choose_columns
from glint_edge.data.record import MIN_LENGTH, SHARDS
from glint_edge.data.sequences import HeldOut
from glint_edge.errors import ConfigError, DataError
from glint_edge.files import write_json
from glint_edge.processes.distributed import Alone

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


def make_shards(
    source: Path,
    out: Path,
    *,
    columns: Columns = USUAL_NAMES,
    parts: int = 16,
    held_out: int = 10_000,
    seed: int = 0,
) -> ShardedLog:
    """Turn a log of interactions into shards; users with fewer than three items are left out.

    Args:
        source: a Parquet or CSV file, or a folder of Parquet files, of one interaction a row.
        out: a folder that does not exist yet.
        columns: which columns hold user, item and time; without a time, rows are in order.
        parts: shards to make; a process holds two of them in training.
        held_out: users to evaluate on, at most.
        seed: of the choice of these.

    Raises:
        ConfigError: `out` exists, or a number is impossible.
        DataError: the log cannot be read or nothing is left of it.
    """
    if parts < 1 or held_out < 1:
        raise ConfigError(f"parts and held-out users must be ≥ 1, not {parts} and {held_out}")
    if out.exists():
        raise ConfigError(f"{out} exists; choose another --out")
    scratch = out.with_name(f".{out.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        rows = _interactions(source, columns)
        summary = _write(rows, scratch, parts, held_out, np.random.default_rng(seed))
        if summary["users"] == 0:
            raise DataError(f"{source}: no user has {MIN_LENGTH} items; pass a longer log")
        write_json(
            scratch / ABOUT,
            {"format_version": FORMAT_VERSION, "name": source.name, "parts": parts,
             "summary": summary},
        )  # fmt: skip
        scratch.rename(out)
    except pl.exceptions.PolarsError as error:
        problem = str(error).partition("\n")[0]
        raise DataError(f"{source} cannot be read ({problem}); write it again") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return open_shards(out)


def _interactions(source: Path, columns: Columns) -> pl.LazyFrame:
    """The log's rows, unread: `user`, `item` (String), `row`, and `time` where there is one."""
    if source.is_dir():
        files = sorted(source.glob("*.parquet"))
        if not files:
            raise DataError(f"{source} holds no .parquet file; pass a folder of interactions")
        rows = pl.scan_parquet(files)
    elif not source.is_file():
        raise DataError(f"no such file: {source}; pass the path of an interaction log")
    elif source.suffix == ".csv":
        rows = pl.scan_csv(source, infer_schema=False)
    else:
        rows = pl.scan_parquet(source)
    chosen = choose_columns(str(source), rows.collect_schema().names(), columns)
    wanted = rows.select(**{role: pl.col(name) for role, name in chosen.items()})
    if source.suffix == ".csv" and "time" in chosen:
        wanted = wanted.with_columns(pl.col("time").cast(pl.Float64))
    return wanted.with_columns(pl.col("user", "item").cast(pl.String)).with_row_index("row")


def _write(
    rows: pl.LazyFrame, folder: Path, parts: int, held_out: int, rng: np.random.Generator
) -> dict[str, int]:
    """All files but the summary, which is returned."""
    counted = (
        rows.group_by("item").agg(pl.len().alias("count"), pl.col("row").min())
        .sort(["count", "row"], descending=[True, False])
        .collect(engine="streaming")
    )  # fmt: skip
    counted.select(key="item", count="count").write_parquet(folder / ITEMS)
    ranks = counted.lazy().select("item", id=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32))
    order = ["time", "row"] if "time" in rows.collect_schema().names() else ["row"]
    users = interactions = 0
    evaluated = []
    for part in range(parts):
        sequences = (
            rows.filter(pl.col("user").hash(seed=1) % parts == part)
            .join(ranks, on="item")
            .sort("user", *order)
            .group_by("user", maintain_order=True).agg(items=pl.col("id"))
            .filter(pl.col("items").list.len() >= MIN_LENGTH)
            .collect(engine="streaming")
        )  # fmt: skip
        users += len(sequences)
        interactions += int(sequences["items"].list.len().sum())
        share = held_out * (part + 1) // parts - held_out * part // parts
        chosen = np.zeros(len(sequences), dtype=bool)
        chosen[rng.permutation(len(sequences))[:share]] = True
        evaluated.append(sequences.filter(chosen).select("items"))
        last = pl.when(pl.Series(chosen)).then(2).otherwise(0)
        training = sequences.select(
            items=pl.col("items").list.head(pl.col("items").list.len() - last)
        )
        training.write_parquet(folder / f"part-{part:04d}.parquet")
    pl.concat(evaluated).write_parquet(folder / HELD_OUT)
    return {"users": users, "items": len(counted), "interactions": interactions}


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
