"""JSON as a table: an object a line or a list of objects, an interaction or an item each."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import islice
from pathlib import Path

import polars as pl

from glint_edge.data.reading.columns import Selection, others
from glint_edge.data.reading.objects import Objects, Pairs, inside, named, value_of
from glint_edge.data.reading.table import SHOWN, Table, described
from glint_edge.data.reading.text import first_line, head_of, not_utf8, require_utf8
from glint_edge.errors import DataError

KEYED = 100  # first objects, whose keys are the columns


def read_json_lines(path: Path, selection: Selection) -> Table:
    """The chosen keys of a file of objects; numbers and lists are taken as their text.

    What is in an object's own objects is a column, too, as `user.id`.

    Raises:
        DataError: it is empty or no JSON lines, or a column is missing or holds more than a value.
    """
    if not head_of(path):
        raise DataError(f"{path} is empty; pass a log with at least one user's items")
    require_utf8(path)
    objects = Objects(path)
    first = [pairs for _, pairs in islice(objects, KEYED)]
    keys = named(first)
    if not keys:
        raise DataError(f"{path} has no objects with keys; pass a log with interactions")
    twice = [name for pairs in first for name in pairs.twice]
    chosen = selection.choose(str(path), [*keys, *twice])
    for role, name in chosen.items():
        kinds = Pairs if selection.may_be_list(role) else list
        if any(isinstance(value_of(pairs, keys[name]), kinds) for pairs in first):
            raise DataError(
                f"{path}: {name!r}, the {role}, holds lists or objects; flatten it to one value"
            )
    explain = partial(_explain, objects)
    source = objects.source

    def read(names: Iterable[str]) -> pl.LazyFrame:
        schema = dict.fromkeys((keys[name][0] for name in names), pl.String)
        try:
            return pl.scan_ndjson(source, schema=schema, row_index_name="row")
        except pl.exceptions.PolarsError as error:
            raise explain(error) from error

    columns = {role: inside(keys[name]) for role, name in chosen.items()}
    rows = read(chosen.values()).select("row", **columns)
    unused = others(list(keys), chosen)
    table = Table(str(path), rows, objects.where, explain, chosen, unused)
    some = {name: [value_of(pairs, keys[name]) for pairs in first[:SHOWN]] for name in unused}
    return described(table, lambda: some, lambda name: read([name]).select(inside(keys[name])))


def _explain(objects: Objects, error: pl.exceptions.PolarsError) -> DataError:
    try:
        for _ in objects:
            pass
    except DataError as wrong:
        return wrong
    if wrong_bytes := not_utf8(objects.path):
        return wrong_bytes
    return DataError(f"{objects.path} is not well-formed ({first_line(error)}); check its lines")
