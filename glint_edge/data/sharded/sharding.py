"""Making shards of a log that is larger than memory.

Goes over the log once a shard and holds one shard.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from glint_edge.data.options import LoadOptions
from glint_edge.data.reading.checks import checked
from glint_edge.data.reading.columns import dropped_notes
from glint_edge.data.reading.reader import read_table
from glint_edge.data.reading.table import Table
from glint_edge.data.record import require_plain
from glint_edge.data.sequencing.cuts import divided, split_notes
from glint_edge.data.sequencing.numbering import nothing_left, require_held_out
from glint_edge.data.sequencing.splits import AHEAD
from glint_edge.data.sharded.doors import ABOUT, CUT_VERSION, FORMAT_VERSION
from glint_edge.data.sharded.shards import MOST_PARTS, ShardedLog, open_shards
from glint_edge.data.sharded.writer import ShardWriter
from glint_edge.errors import ConfigError
from glint_edge.files import new_folder, sha256, write_json

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
    """Turn a log of interactions into shards; users with too few items are left out.

    Args:
        source: a log in any format that `load_log` reads, or a folder of Parquet files.
        out: a folder that does not exist yet.
        options: which columns hold user, item and time, the format and the split; no k-core, which
            needs the whole log. Without a time, rows are in order.
        parts: shards to make; a process holds two of them in training.
        held_out: users to evaluate on, at most.
        seed: of the choice of these.

    Raises:
        ConfigError: `out` exists, or an option is impossible.
        DataError: the log cannot be read or nothing is left of it.
    """
    options = options or LoadOptions()
    _require_possible(options, parts, held_out)
    if out.exists():
        raise ConfigError(f"{out} exists; choose another --out")
    table = _table(source, options)
    interactions = checked(table, options, in_memory=False)
    dropped = Counter({**table.dropped, **interactions.dropped})

    def other(path: Path) -> pl.LazyFrame:
        beside = checked(_table(path, options), options, in_memory=False)
        dropped.update(beside.dropped)
        return beside.rows

    rows, rule = divided(table, interactions.rows, options, other)
    with new_folder(out, stood=None) as work:
        writer = ShardWriter(work, parts, held_out, np.random.default_rng(seed), rule, options)
        with table.reading():
            written = writer.write(rows, interactions.per_second)
        if written.summary["users"] == 0:
            raise nothing_left(str(source), table.columns, options, dropped)
        if rule is not None:
            require_held_out(str(source), rule, written.census)
        dropped.update(written.tally.dropped)
        split = split_notes(rule, written.census, written.unseen) if rule else ()
        notes = (*table.notes(), *dropped_notes(dropped), *split, *written.tally.notes())
        warnings = (*table.warnings(), *interactions.warnings, *written.tally.warnings())
        reading = {
            "options": options.to_dict(), "columns": dict(table.columns),
            "notes": [*warnings, *notes], "repeats": written.tally.share_of_repeats,
        }  # fmt: skip
        files = sorted(path.name for path in work.iterdir())
        write_json(
            work / ABOUT,
            {"format_version": CUT_VERSION if rule else FORMAT_VERSION, "name": source.name,
             "parts": parts, "summary": written.summary, "predictions": written.predictions,
             "split": options.splitting, "reading": reading,
             "sha256": {name: sha256(work / name) for name in files}},
        )  # fmt: skip
    for note in (*notes, *(() if rule else (AHEAD,))):
        log.info("%s: %s", source.name, note)
    for warning in warnings:
        log.warning("%s: %s", source.name, warning)
    return open_shards(out)


def _require_possible(options: LoadOptions, parts: int, held_out: int) -> None:
    """Refuse what no log can be cut by.

    Raises:
        ConfigError: an option is impossible, or needs the whole log.
    """
    if not 1 <= parts <= MOST_PARTS or held_out < 1:
        raise ConfigError(
            f"parts must be 1 to {MOST_PARTS:,} and held-out users ≥ 1, not {parts} and {held_out}"
        )
    options.require_possible()
    usual = replace(options, min_length=None).shortest
    if options.k_core or options.min_length not in (None, usual):
        raise ConfigError(
            "a k-core needs the whole log in memory, and so does another shortest length: leave "
            "them out, or train on the log itself"
        )


def _table(source: Path, options: LoadOptions) -> Table:
    if not source.is_dir():
        require_plain(source)
    return read_table(source, options.selection, options.format)
