"""JSON lines: an object a line, an interaction each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from glint_edge.data.reading.columns import Selection, others
from glint_edge.data.reading.table import SHOWN, Table, described
from glint_edge.data.reading.text import first_line, head_of, opened
from glint_edge.errors import DataError

KEYED = 100  # first objects, whose keys are the columns


def read_json_lines(path: Path, selection: Selection) -> Table:
    """The chosen keys of a file with an object a line; numbers and lists are taken as their text.

    Raises:
        DataError: it is empty or no JSON lines, or a column is missing or holds more than a value.
    """
    if not head_of(path):
        raise DataError(f"{path} is empty; pass a log with at least one user's items")
    first = [pairs for _, pairs in islice(_objects(path), KEYED)]
    names = list(dict.fromkeys(name for pairs in first for name, _ in pairs))
    twice = [name for pairs in first for name in _repeated(pairs)]
    chosen = selection.choose(str(path), [*names, *twice])
    for role, name in chosen.items():
        kinds = dict if selection.may_be_list(role) else (list, dict)
        if any(key == name and isinstance(value, kinds) for p in first for key, value in p):
            raise DataError(
                f"{path}: {name!r}, the {role}, holds lists or objects; flatten it to one value"
            )
    explain = partial(_explain, path)
    try:
        rows = pl.scan_ndjson(
            _source(path), schema=dict.fromkeys(chosen.values(), pl.String), row_index_name="row",
        )  # fmt: skip
    except pl.exceptions.PolarsError as error:
        raise explain(error) from error
    unused = others(names, chosen)
    table = Table(
        str(path), rows.select("row", **{role: pl.col(name) for role, name in chosen.items()}),
        partial(_where, path), explain, chosen, unused,
    )  # fmt: skip
    some = {name: [dict(pairs).get(name) for pairs in first[:SHOWN]] for name in unused}
    return described(table, lambda: some)


def _source(path: Path) -> Path | bytes:
    """The file; or its bytes, if a byte order mark stands before them or its name is a pattern."""
    with opened(path) as file:
        data = file.read(3)
        if data == b"\xef\xbb\xbf":
            return file.read()
        return data + file.read() if set("*?[") & set(str(path)) else path


def _objects(path: Path) -> Iterator[tuple[int, list[tuple[str, Any]]]]:
    """The line and the keys and values of each object.

    Raises:
        DataError: a line is no JSON object.
    """
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            text = line.decode("utf-8-sig", errors="replace").strip()
            if not text:
                continue
            try:
                value = json.loads(text, object_pairs_hook=_Pairs)
            except ValueError as error:
                raise DataError(
                    f"{path}, line {number}: {text[:30]!r} is no JSON by itself ({error}); write "
                    "an object a line, or a CSV"
                ) from error
            if not isinstance(value, _Pairs):
                raise DataError(
                    f"{path}, line {number} is no JSON object; write an object a line, or a CSV"
                )
            yield number, value


class _Pairs(list[tuple[str, Any]]):
    """A JSON object, with the keys that are there twice."""


def _repeated(pairs: list[tuple[str, Any]]) -> list[str]:
    names = [name for name, _ in pairs]
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


def _where(path: Path, row: int) -> str:
    try:
        line, _ = next(islice(_objects(path), row, None))
    except (StopIteration, DataError):  # polars is more lenient
        return f"row {row + 1}"
    return f"line {line}"


def _explain(path: Path, error: pl.exceptions.PolarsError) -> DataError:
    try:
        for _ in _objects(path):
            pass
    except DataError as wrong:
        return wrong
    return DataError(f"{path} is not well-formed ({first_line(error)}); check its lines")
