"""From a table to sequences in memory, the record of them, and what is said of it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import polars as pl

from glint_edge.data.options import LoadOptions
from glint_edge.data.reading.checks import checked
from glint_edge.data.reading.columns import dropped_notes
from glint_edge.data.reading.reader import read_table
from glint_edge.data.reading.table import Table
from glint_edge.data.record import DataSource
from glint_edge.data.sequences import Sequences
from glint_edge.data.sequencing.arranging import Tally
from glint_edge.data.sequencing.cuts import divided, split_notes
from glint_edge.data.sequencing.numbering import numbered


class Read(NamedTuple):
    """What was read: `glint_edge.data.log.Log` has the same."""

    sequences: Sequences
    source: DataSource
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def assembled(
    table: Table,
    titles: Mapping[str, str],
    name: str,
    where: str,
    attribution: str,
    options: LoadOptions,
) -> Read:
    """Check, filter, split and number a table.

    Args:
        table: the log.
        titles: by item key.
        name: of the log.
        where: it was read from; "" from memory.
        attribution: who made it.
        options: how it is read.

    Raises:
        DataError: a row makes no sense, nothing is left, or it cannot be split so.
    """
    interactions, tally = checked(table, options, in_memory=True), Tally()
    dropped = Counter({**table.dropped, **interactions.dropped})

    def other(path: Path) -> pl.LazyFrame:
        beside = checked(
            read_table(path, options.selection, options.format), options, in_memory=True
        )
        dropped.update(beside.dropped)
        return beside.decoded().rows

    # Files of their own have keys of their own.
    own = interactions.decoded() if options.test else interactions
    rows, rule = divided(table, own.rows, options, other)
    coded = replace(own, rows=rows) if own.keys else replace(own, rows=rows).encoded()
    sequences = numbered(name, table.columns, coded, titles, dropped, options, tally, rule)
    summary = {
        "users": len(sequences),
        "items": sequences.item_count,
        "interactions": sequences.interactions,
    }
    parts = sequences.parts
    split = split_notes(rule, parts.census(), sequences.untrained) if rule and parts else ()
    notes = (*table.notes(), *dropped_notes(sequences.dropped), *split, *tally.notes())
    warnings = (*table.warnings(), *interactions.warnings, *tally.warnings())
    source = DataSource(
        name, where, options.to_dict(), attribution, summary, sequences.digest(),
        dict(table.columns), (*warnings, *notes), tally.share_of_repeats,
    )  # fmt: skip
    return Read(sequences, source, notes, warnings)
