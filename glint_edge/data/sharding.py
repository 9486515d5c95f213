"""Making shards of a log that is larger than memory.

Goes over the log once a shard and holds one shard.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import polars as pl

from glint_edge.data.columns import choose_columns, column_notes, others
from glint_edge.data.record import MIN_LENGTH, LoadOptions
from glint_edge.data.shards import ABOUT, FORMAT_VERSION, HELD_OUT, ITEMS, ShardedLog, open_shards
from glint_edge.errors import ConfigError, DataError
from glint_edge.files import new_folder, write_json

log = logging.getLogger(__name__)


def make_shards(
    source: Path,
    out: Path,
    *,
    options: LoadOptions | None = None,
    parts: int = 16,
    held_out: int = 10_000,
    seed: int = 0,
) -> ShardedLog:
    """Turn a log of interactions into shards; users with fewer than three items are left out.

    Args:
        source: a Parquet, CSV or TSV file, or a folder of Parquet files, an interaction a row.
        out: a folder that does not exist yet.
        options: which columns hold user, item and time, and the format; no k-core, which needs the
            whole log. Without a time, rows are in order.
        parts: shards to make; a process holds two of them in training.
        held_out: users to evaluate on, at most.
        seed: of the choice of these.

    Raises:
        ConfigError: `out` exists, or an option is impossible.
        DataError: the log cannot be read or nothing is left of it.
    """
    if parts < 1 or held_out < 1:
        raise ConfigError(f"parts and held-out users must be ≥ 1, not {parts} and {held_out}")
    options = options or LoadOptions()
    options.require_possible()
    if options.k_core or options.min_length not in (None, MIN_LENGTH):
        raise ConfigError(
            "a k-core needs the whole log in memory, and so does another shortest length: leave "
            "them out, or train on the log itself"
        )
    if out.exists():
        raise ConfigError(f"{out} exists; choose another --out")
    try:
        with new_folder(out) as work:
            rows = _interactions(source, options)
            summary = _write(rows, work, parts, held_out, np.random.default_rng(seed))
            if summary["users"] == 0:
                raise DataError(f"{source}: no user has {MIN_LENGTH} items; pass a longer log")
            write_json(
                work / ABOUT,
                {"format_version": FORMAT_VERSION, "name": source.name, "parts": parts,
                 "summary": summary},
            )  # fmt: skip
    except pl.exceptions.PolarsError as error:
        problem = str(error).partition("\n")[0]
        raise DataError(f"{source} cannot be read ({problem}); write it again") from error
    return open_shards(out)


def _interactions(source: Path, options: LoadOptions) -> pl.LazyFrame:
    """The log's rows, unread: `user`, `item` (String), `row`, and `time` where there is one."""
    form = options.format or {".csv": "csv", ".tsv": "tsv"}.get(source.suffix.lower(), "parquet")
    if form not in ("csv", "tsv", "parquet"):
        raise DataError(f"{form!r} is not read into shards; write csv, tsv or parquet")
    if source.is_dir():
        files = sorted(source.glob("*.parquet"))
        if not files:
            raise DataError(f"{source} holds no .parquet file; pass a folder of interactions")
        rows = pl.scan_parquet(files)
    elif not source.is_file():
        raise DataError(f"no such file: {source}; pass the path of an interaction log")
    elif form == "parquet":
        rows = pl.scan_parquet(source)
    else:
        separator = "," if form == "csv" else "\t"
        rows = pl.scan_csv(source, separator=separator, infer_schema=False)
    names = rows.collect_schema().names()
    chosen = choose_columns(str(source), names, options.columns)
    for note in column_notes(chosen, others(names, chosen)):
        log.info("%s: %s", source.name, note)
    wanted = rows.select(**{role: pl.col(name) for role, name in chosen.items()})
    if form != "parquet" and "time" in chosen:
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
