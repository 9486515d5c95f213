"""JSON as a table: an object a line or a list of objects, an interaction or an item each."""

from __future__ import annotations

from functools import partial
from itertools import islice
from pathlib import Path

import polars as pl

from glint_edge.data.reading.columns import Selection, others
from glint_edge.data.reading.objects import Objects, Pairs, Place, listed, named
from glint_edge.data.reading.table import SHOWN, Table, described, holds_more
from glint_edge.data.reading.text import first_line, head_of, not_utf8, require_utf8
from glint_edge.errors import DataError

KEYED = 1_000  # first objects, whose keys are the columns


def read_json_lines(path: Path, selection: Selection) -> Table:
    """The chosen keys of a file of objects; numbers and lists are taken as their text.

    What is in an object's own objects is a column, too, as `user.id`. A log's items may stand in a
    list, as `items.item_id`: each is a row.

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
    lists = listed(first) if selection.has_baskets else {}
    twice = [name for pairs in first for name in pairs.twice]
    try:
        chosen = selection.choose(str(path), [*keys, *twice], lists)
    except DataError as error:
        raise _wrapped(path, first) or error from error
    places = {role: Place(keys[name]) for role, name in chosen.items() if name in keys}
    if chosen["item"] in lists:
        places["item"] = lists[chosen["item"]]
    for role, place in places.items():
        kind = Pairs if selection.may_be_list(role) else list
        if any(isinstance(value, kind) for pairs in first for value in place.values(pairs)):
            raise holds_more(str(path), role, chosen[role], lists)
    explain = partial(_explain, objects)
    source = objects.source

    def read(*places: Place) -> pl.LazyFrame:
        schema = dict.fromkeys((place.keys[0] for place in places), pl.String)
        try:
            return pl.scan_ndjson(source, schema=schema, row_index_name="row")
        except pl.exceptions.PolarsError as error:
            raise explain(error) from error

    columns = {role: place.texts() for role, place in places.items()}
    rows = read(*places.values()).select("row", **columns)
    if places["item"].each is not None:
        rows = rows.explode("item", empty_as_null=True)
    rest = {name: Place(own) for name, own in keys.items() if own != places["item"].keys}
    unused = others(list(rest), chosen)
    table = Table(str(path), rows, objects.where, explain, chosen, unused)
    some = {name: [rest[name].values(pairs)[0] for pairs in first[:SHOWN]] for name in unused}
    return described(table, lambda: some, lambda name: read(rest[name]).select(rest[name].texts()))


def _wrapped(path: Path, first: list[Pairs]) -> DataError | None:
    """What is wrong where one object holds the rows, such as a web interface's answer."""
    whole, *more = first
    lists = [(name, value) for name, value in whole if type(value) is list]
    inner = [name for name, values in lists if any(isinstance(one, Pairs) for one in values)]
    if more or not inner:
        return None
    return DataError(
        f"{path} is one object, with its rows in {inner[0]!r}; write these alone, as "
        f"jq -c '.{inner[0]}[]' does"
    )


def _explain(objects: Objects, error: pl.exceptions.PolarsError) -> DataError:
    try:
        for _ in objects:
            pass
    except DataError as wrong:
        return wrong
    if wrong_bytes := not_utf8(objects.path):
        return wrong_bytes
    return DataError(f"{objects.path} is not well-formed ({first_line(error)}); check its lines")
