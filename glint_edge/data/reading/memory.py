"""Logs that are in memory already: DataFrames of polars, pandas and others, and lists of keys."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, time, timedelta
from decimal import Decimal
from itertools import accumulate
from types import NoneType
from typing import Any

import numpy as np
import polars as pl

from glint_edge.data.reading.columns import FRAME, Selection, names_columns, others
from glint_edge.data.reading.table import SHOWN, Table, described, listed, typed_table, unnested
from glint_edge.errors import ConfigError, DataError
from glint_edge.keys import shown, text_of_key, texts_of_keys

# What a column of Python objects may hold: polars takes all for what the first one is.
VALUES = (str, bytes, int, float, np.generic, date, time, timedelta, Decimal, NoneType)

LISTED = (list, tuple, set, frozenset, np.ndarray)  # several values in one cell

LISTS = "the lists"  # what messages call them


def is_frame(source: object) -> bool:
    """Whether it is a table: of polars, pandas, or what hands out Arrow data, such as pyarrow."""
    if isinstance(source, pl.DataFrame | pl.LazyFrame) or _is_pandas(source):
        return True
    return hasattr(source, "__arrow_c_stream__") and not isinstance(source, pl.Series)


def _is_pandas(source: object) -> bool:
    # by name: pandas is nothing that this package imports
    kind = type(source)
    return kind.__module__.partition(".")[0] == "pandas" and kind.__name__ == "DataFrame"


def table_of_frame(source: Any, selection: Selection) -> Table:  # noqa: ANN401  # of four libraries
    """The chosen columns of a DataFrame.

    Raises:
        DataError: a column is missing, there twice, or holds lists.
    """
    if _is_pandas(source):
        labels = {str(label): label for label in source.columns}
        names = list(map(str, source.columns))
        once = {name: label for name, label in labels.items() if names.count(name) == 1}
        baskets = _lists_of_pandas(source, once) if selection.has_baskets else {}
        lists = listed(pl.LazyFrame(baskets))
        chosen = selection.choose(FRAME, names, lists)
        item, _ = lists.get(chosen["item"], (chosen["item"], None))
        rows = pl.DataFrame([
            baskets[item] if role == "item" and item in baskets
            else _of_pandas(column, source[labels[column]], lists=selection.may_be_list(role))
            for role, column in chosen.items()
        ])  # fmt: skip
        typed = typed_table(FRAME, rows.lazy(), chosen, _explain, selection)
        table = replace(typed, unused=others([n for n in names if n != item], chosen))

        def some_values() -> dict[str, list[Any]]:
            some, unused = source.head(SHOWN), (name for name in table.unused if name in once)
            return {name: some[once[name]].dropna().tolist() for name in unused}

        def values(name: str) -> pl.LazyFrame:
            texts = source[labels[name]].dropna().map(str) if name in once else ()
            return pl.LazyFrame({name: list(texts)}, schema={name: pl.String})

        return described(table, some_values, values)
    try:
        frame = source.collect() if isinstance(source, pl.LazyFrame) else pl.DataFrame(source)
    except pl.exceptions.PolarsError as error:
        raise _explain(error) from error
    flat = unnested(frame.lazy())
    chosen = selection.choose(FRAME, flat.collect_schema().names(), listed(flat))
    return typed_table(FRAME, flat, chosen, _explain, selection)


def _explain(error: pl.exceptions.PolarsError) -> DataError:
    problem = str(error).partition("\n")[0]
    return DataError(f"{FRAME} cannot be read ({problem}); make its keys and times plain columns")


def _no_text(name: str, error: UnicodeEncodeError) -> DataError:
    """Half a character, as a JSON escape can write it."""
    return DataError(f"{name}: {error.object[:50]!r} is no text of Unicode; write another key")


def _of_pandas(
    name: str,
    column: Any,  # noqa: ANN401  # pandas is not imported
    *,
    lists: bool = False,
) -> pl.Series:
    """A column of pandas, without pyarrow, which polars' own conversion needs."""
    if getattr(column.dtype, "tz", None) is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    values = column.to_numpy()
    if values.dtype.kind in "iuf":
        return pl.Series(name, values)
    if values.dtype.kind == "M":
        known = values.dtype.name in ("datetime64[ms]", "datetime64[us]", "datetime64[ns]")
        return pl.Series(name, values if known else values.astype("datetime64[ms]"))
    plain = [
        None if missing else value
        for value, missing in zip(column.tolist(), column.isna().tolist(), strict=True)
    ]
    if lists and any(isinstance(value, LISTED) for value in plain):
        return pl.Series(name, [_texts(value) for value in plain], pl.List(pl.String))
    strange = next((value for value in plain if not _is_value(value)), None)
    if strange is not None:
        holds = "Python objects; make them texts"
        if isinstance(strange, Iterable):
            holds = "lists; flatten it to one value a row"
        raise DataError(f"{FRAME}: column {name!r} holds {holds}")
    try:
        return pl.Series(name, plain)
    except UnicodeEncodeError as error:
        raise _no_text(FRAME, error) from error
    except (TypeError, OverflowError, pl.exceptions.PolarsError):  # of several types
        return _as_texts(name, plain)


def _lists_of_pandas(
    source: Any,  # noqa: ANN401  # pandas is not imported
    labels: Mapping[str, Any],
) -> dict[str, pl.Series]:
    """The columns of lists, as polars has them: of texts, or of structs."""
    lists = {}
    for name, label in labels.items():
        some = source[label].dropna().head(SHOWN).tolist()
        if not any(isinstance(value, LISTED) for value in some):
            continue
        values = source[label].tolist()
        inner = [list(value) if isinstance(value, LISTED) else None for value in values]
        if not any(isinstance(one, (dict, *LISTED)) for own in inner for one in own or ()):
            inner = [_texts(value) for value in values]
        with suppress(TypeError, OverflowError, pl.exceptions.PolarsError):
            lists[name] = pl.Series(name, inner, strict=False)
    return lists


def _is_value(value: object) -> bool:
    """Whether polars, or `str`, makes something of it: a number of thousands of digits is none."""
    return isinstance(value, VALUES) and not (isinstance(value, int) and value.bit_length() > 127)


def _as_texts(name: str, values: Sequence[Any]) -> pl.Series:
    try:
        return pl.Series(name, [_text(value) for value in values])
    except UnicodeEncodeError as error:
        raise _no_text(FRAME, error) from error


def _texts(value: Any) -> list[str | None] | None:  # noqa: ANN401  # a list, or one value
    if value is None:
        return None
    return [_text(each) for each in value] if isinstance(value, LISTED) else [_text(value)]


def _text(value: Any) -> str | None:  # noqa: ANN401  # whatever an object column holds
    if value is None:
        return None
    try:
        return text_of_key(value)
    except ConfigError:
        return str(value)


def table_of_lists(source: object) -> Table:
    """Lists of item keys: a mapping from user to list, or a list of lists, numbered from 0.

    Raises:
        DataError: it is neither, or holds something that is no key.
    """
    histories, empty = _histories(source), 0
    for user in [user for user, items in histories.items() if not items]:
        del histories[user]
        empty += 1
    try:
        frame = pl.DataFrame(
            {"user": list(histories), "item": list(histories.values())},
            schema={"user": pl.String, "item": pl.List(pl.String)},
        )
    except UnicodeEncodeError as error:
        raise _no_text(LISTS, error) from error
    ends = list(accumulate(map(len, histories.values())))

    def where(row: int) -> str:
        user = bisect_right(ends, row)
        before = ends[user - 1] if user else 0
        return f"item {row - before + 1} of user {list(histories)[user]!r}"

    dropped = {"users without items": empty} if empty else {}
    rows = frame.explode("item").with_row_index("row").lazy()
    return Table(LISTS, rows, where, _explain, dropped=dropped)


def _histories(source: object) -> dict[str, list[str]]:
    """Item keys by user key."""
    if not isinstance(source, Iterable):
        raise DataError(f"{source!r} is no log; pass a path, a DataFrame or lists of item keys")
    if isinstance(source, Mapping) and names_columns(map(str, source)):
        raise DataError(
            f"the mapping has columns ({', '.join(map(str, source))}), not users; "
            "pass a DataFrame of it"
        )
    pairs = source.items() if isinstance(source, Mapping) else enumerate(source)
    histories: dict[str, list[str]] = {}
    for user, items in pairs:
        try:
            key = text_of_key(user)
            if key in histories:
                raise DataError(f"{LISTS}: user {key!r} is there twice; put all items in one list")
            histories[key] = texts_of_keys(items)
        except ConfigError as error:
            raise DataError(f"{LISTS}, user {shown(user)}: {error}") from error
    return histories
