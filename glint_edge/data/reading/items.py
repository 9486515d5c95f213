"""A table of items, by the readers of logs: keys as there, everything else as text."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import polars as pl

from glint_edge.data.catalogue import ITEMS_SCHEMA
from glint_edge.data.items import BETWEEN, ItemFile, ItemRows
from glint_edge.data.reading.checks import item_key
from glint_edge.data.reading.columns import ITEM_KEYS, ITEM_TITLES, Selection, first_of
from glint_edge.data.reading.delimited import read_delimited
from glint_edge.data.reading.entities import entity_note, unescaped
from glint_edge.data.reading.json_lines import read_json_lines
from glint_edge.data.reading.memory import is_frame, table_of_frame
from glint_edge.data.reading.parquet import table_of_parquet
from glint_edge.data.reading.reader import reading
from glint_edge.data.reading.table import MISSING, Table
from glint_edge.data.reading.text import head_of, is_json
from glint_edge.errors import DataError
from glint_edge.suggestions import one_of

MOST_CHARACTERS = 10_000  # of a text that is shown
UNIT = "\x1f"  # ASCII's separator of units: between several values of a field, while they are read


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemColumns(Selection):
    """Which columns of a table of items are taken.

    Attributes:
        header: it has one: the columns are chosen by name.
        file: what was asked for.
        usual_fields: are taken where they are there, if no fields are asked for.
    """

    header: bool | None = True
    file: ItemFile
    usual_fields: tuple[str, ...] = ()
    has_baskets: ClassVar[bool] = False

    def may_be_list(self, role: str) -> bool:
        """A field may have several values, an item several pictures."""
        return _is_field(role) or role == "image"

    def choose(self, log: str, names: Sequence[str], listed: Iterable[str] = ()) -> dict[str, str]:
        """A column by role: "item", and perhaps "title", "image", "field_0" ….

        Raises:
            DataError: one is missing or there twice, or there is nothing but keys.
        """
        file = self.file
        key = file.key or first_of(ITEM_KEYS, names)
        if key is None:
            raise _missing(log, "no column of the item's key found", "key", names)
        title = file.title or first_of(ITEM_TITLES, [name for name in names if name != key])
        fields = file.fields or [
            name for name in self.usual_fields if names.count(name) == 1 and name != key
        ]
        roles = {"item": key, "title": title, "image": file.image}
        roles |= {f"field_{at}": name for at, name in enumerate(fields)}
        chosen = {role: column for role, column in roles.items() if column is not None}
        for role, column in chosen.items():
            if column not in names:
                flag = "key" if role == "item" else role.partition("_")[0]
                raise _missing(log, f"no column {column!r}", flag, names, column)
            if names.count(column) > 1:
                raise DataError(f"{log} has two columns {column!r}; rename one")
        if len(chosen) == 1:
            raise _missing(log, "no column of titles found", "title", names)
        return chosen


def _is_field(role: str) -> bool:
    return role.startswith("field_")


def _missing(
    table: str, problem: str, flag: str, names: Sequence[str], column: str = ""
) -> DataError:
    hint = one_of(column or flag, names, f"choose --item-{flag} from")
    return DataError(f"{table}: {problem}; {hint}")


def read_items(
    file: ItemFile, keys: Collection[str] | None, usual_fields: tuple[str, ...] = ()
) -> ItemRows:
    """The rows of a table that are of some items.

    Args:
        file: the table, and which columns.
        keys: of items; None: all that have one.
        usual_fields: see `ItemColumns`.

    Raises:
        DataError: the table cannot be read, has two rows that say different things of one of these
            items, or a picture's address is none.
    """
    columns = ItemColumns(file=file, usual_fields=usual_fields)
    table = _table(file, columns)
    roles = [role for role in table.columns if role != "item"]
    schema = table.rows.collect_schema()
    values = {role: _value(role, schema[role], file.separator) for role in roles}
    rows = table.collect(table.rows.select("row", key=item_key(table), **values))
    entities = {}
    for role in roles:
        plain, entities[table.columns[role]] = unescaped(rows[role])
        rows = rows.with_columns(plain)
    keyed = rows.drop_nulls("key")
    known = keyed if keys is None else keyed.filter(pl.col("key").is_in(list(keys)))
    if "image" in roles:
        known = known.with_columns(image=_pictures().list.first(), more=_pictures().list.len() > 1)
    _refuse_wrong(table, known, roles)
    distinct = known.unique(["key", *roles], keep="first", maintain_order=True)
    _refuse_two(table, distinct, roles)
    by_role = {role: dict(distinct.select("key", role).drop_nulls().iter_rows()) for role in roles}
    fields = {role: table.columns[role] for role in roles if _is_field(role)}
    several = {name: _several(by_role[role]) for role, name in fields.items()}
    return ItemRows(
        name=Path(table.name).name,
        columns={
            "key" if role == "item" else role: column
            for role, column in table.columns.items()
            if role not in fields
        },
        unused=table.unused,
        keys=dict.fromkeys(distinct["key"]).keys(),
        titles=by_role.get("title", {}),
        fields={
            name: {key: BETWEEN.join(texts) for key, texts in own.items()}
            for name, own in several.items()
        },
        values=several,
        images=by_role.get("image", {}),
        keyless=len(rows) - len(keyed),
        others=len(keyed) - len(known),
        pictured=int(distinct["more"].sum()) if "image" in roles else 0,
        entities=entity_note(entities),
    )


def try_items(file: ItemFile) -> None:
    """Read a table to its end before a model's items are known.

    Raises:
        DataError: it cannot be read, or a column is missing.
    """
    table = _table(file, ItemColumns(file=file))
    table.collect(table.rows)


def _table(file: ItemFile, columns: ItemColumns) -> Table:
    path = file.path
    if path is None:
        if not is_frame(file.source):
            raise DataError(f"{file.source!r} is no table of items; pass a path or a DataFrame")
        return table_of_frame(file.source, columns)
    with reading(path):
        head = head_of(path)
        if not head:
            raise DataError(f"{path} is empty; pass a table with a row an item")
        suffix = (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()
        if suffix in (".parquet", ".pq") or head.startswith("PAR1"):
            return table_of_parquet(str(path), [path], columns)
        if suffix in (".jsonl", ".ndjson", ".json") or is_json(head):
            return read_json_lines(path, columns)
        return read_delimited(path, columns, separator="\t" if suffix == ".tsv" else ",")


def _value(role: str, dtype: pl.DataType, separator: str | None) -> pl.Expr:
    """A value as trimmed text, null where there is none; several have UNIT between."""
    column = pl.col(role)
    if isinstance(dtype, pl.List | pl.Array):
        inner = pl.Series(dtype=dtype.inner).dtype  # an object, where a class was named
        each = column.cast(pl.List(inner)).list.eval(_text(pl.element(), inner))
        return _or_null(each.list.drop_nulls().list.join(UNIT))
    text = _text(column, dtype)
    if role in ("item", "title"):
        return text
    listed = text.str.starts_with("[") & text.str.ends_with("]")
    text = pl.when(listed).then(text.map_elements(_units, pl.String)).otherwise(text)
    cut = separator if _is_field(role) else None  # which an address may have in it
    return text.str.replace_all(cut, UNIT, literal=True) if cut else text


def _pictures() -> pl.Expr:
    """The addresses of each item's pictures."""
    each = pl.col("image").str.split(UNIT).list.eval(_text(pl.element(), pl.String()))
    return each.list.drop_nulls()


def _text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Trimmed, null where there is none; 3.0 is "3", and midnight a date."""
    text = column.cast(pl.String).str.strip_chars()
    if dtype.is_float() or dtype.is_decimal():
        text = text.str.replace(r"\.0+$", "")
    elif dtype == pl.Datetime:
        text = text.str.replace(r"( 00:00:00)?(\.0+)?$", "")
    return _or_null(text)


def _or_null(text: pl.Expr) -> pl.Expr:
    return pl.when(~text.is_in(MISSING)).then(text)


def _units(text: str) -> str:
    """A list as JSON writes it, with UNIT between its values; any other text as it is."""
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if any(isinstance(value, list | dict) for value in listed):
        return text
    return UNIT.join(v if isinstance(v, str) else json.dumps(v) for v in listed if v is not None)


def _several(texts: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The values of each item that has some, each once."""
    parts = {key: map(str.strip, text.split(UNIT)) for key, text in texts.items()}
    values = {
        key: tuple(dict.fromkeys(v for v in own if v not in MISSING)) for key, own in parts.items()
    }
    return {key: own for key, own in values.items() if own}


@cache
def _address() -> str:
    """What the address of a picture matches."""
    schema = json.loads(ITEMS_SCHEMA.path.read_bytes())
    pattern: str = schema["properties"]["images"]["additionalProperties"]["pattern"]
    return pattern


def _refuse_wrong(table: Table, rows: pl.DataFrame, roles: Sequence[str]) -> None:
    """Refuse what no page could show.

    Raises:
        DataError: a text is too long, or a picture's address is no http or https address.
    """
    for role in roles:
        value = pl.col(role)
        long = rows.filter(value.str.len_chars() > MOST_CHARACTERS).head(1)
        for row in long.iter_rows(named=True):
            raise table.error(
                row["row"],
                f"{table.columns[role]} has {len(row[role]):,} characters; write at most "
                f"{MOST_CHARACTERS:,}",
            )
    if "image" not in roles:
        return
    for row in rows.filter(~pl.col("image").str.contains(_address())).head(1).iter_rows(named=True):
        raise table.error(
            row["row"],
            f"{row['image'][:100]!r} is no http or https address of a picture; correct or clear it",
        )


def _refuse_two(table: Table, distinct: pl.DataFrame, roles: Sequence[str]) -> None:
    """Refuse an item with two rows that differ.

    Raises:
        DataError: one has.
    """
    for row in distinct.filter(~pl.col("key").is_first_distinct()).head(1).iter_rows(named=True):
        first = next(distinct.filter(pl.col("key") == row["key"]).iter_rows(named=True))
        role = next(role for role in roles if first[role] != row[role])
        raise table.error(
            row["row"],
            f"item {row['key']!r} again, with another {table.columns[role]}: {_shown(row[role])}, "
            f"and {_shown(first[role])} in {table.where(first['row'])}; keep one row an item",
        )


def _shown(text: str | None) -> str:
    return repr(text and text.replace(UNIT, BETWEEN))
