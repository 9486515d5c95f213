"""Shards that somebody else may have written: what is read of them has its kind and its range."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from glint_edge.data.record import MIN_LENGTH, SHARDS
from glint_edge.errors import DataError, one_line
from glint_edge.json_files import Fault, Schema

FORMAT_VERSION = 1
CUT_VERSION = 2  # not split leave-one-out: readers of version 1 alone would hold out the last two
VERSIONS = (FORMAT_VERSION, CUT_VERSION)
ABOUT, ITEMS, HELD_OUT = SHARDS, "items.parquet", "held_out.parquet"
ABOUT_SCHEMA = Schema(Path(__file__).with_name("shards.schema.json"))
PLACES = ("validation", "test")


def read_about(folder: Path) -> dict[str, Any]:
    """What shards.json says.

    Raises:
        DataError: it is damaged, or of a later version.
    """
    file = folder / ABOUT
    try:
        about: dict[str, Any] = ABOUT_SCHEMA.load(file)
        version = about.get("format_version") if isinstance(about, dict) else None
        if type(version) is int and version not in VERSIONS:
            raise DataError(
                f"{folder} has shard format {version}, this version reads "
                f"{', '.join(map(str, VERSIONS))}; make the shards again"
            )
        ABOUT_SCHEMA.check(about)
    except Fault as error:
        raise DataError(f"{file} {error}; make the shards again") from error
    return about


def read_items(path: Path, digest: str | None, summary: Mapping[str, int]) -> pl.DataFrame:
    """The items, once their keys and counts are such.

    Raises:
        DataError: they are not, or the file is damaged.
    """
    items = _read(path, digest)
    counts = [name for name in ("count", "training") if name in items.columns]
    right = (
        items.schema.get("key") == pl.String
        and "count" in counts
        and all(items[name].dtype.is_integer() for name in counts)
        and len(items) == items["key"].n_unique() == summary["items"] > 0
        and not any(items[name].null_count() for name in ("key", *counts))
        and (items["key"] != "").all()
        and all(_counts(items[name]) for name in counts)
        and items["count"].sum() == summary["interactions"]
        and (items[counts[-1]] <= items["count"]).all()
    )
    if not right:
        raise _not_ours(path)
    return items


def _counts(values: pl.Series) -> bool:
    whole = values.cast(pl.Int64, strict=False)  # null: larger than that
    return bool(whole.is_between(0, 2**40).fill_null(False).all())


def read_sequences(path: Path, digest: str | None, item_count: int) -> pl.DataFrame:
    """Lists of ids that are items, `weights` as long, and the places of what is held out.

    Raises:
        DataError: they are not, or the file is damaged.
    """
    rows = _read(path, digest)
    items = rows.schema.get("items")
    if not (isinstance(items, pl.List) and items.inner.is_integer()):
        raise _not_ours(path)
    ids = pl.col("items").explode(empty_as_null=False)
    length = pl.col("items").list.len().cast(pl.Int64)
    wrong = [ids.is_null().any(), (~ids.is_between(1, item_count)).any()]
    if "weights" in rows.columns:
        weights = rows.schema["weights"]
        if not (isinstance(weights, pl.List) and weights.inner.is_numeric()):
            raise _not_ours(path)
        each = pl.col("weights").explode(empty_as_null=False).cast(pl.Float64)
        wrong += [
            (pl.col("weights").list.len().cast(pl.Int64).fill_null(-1) != length).any(),
            each.is_null().any(),
            (~(each.is_finite() & (each >= 0))).any(),
        ]
    if path.name == HELD_OUT:
        places = [name for name in PLACES if name in rows.columns]
        if not all(rows.schema[name].is_integer() for name in places):
            raise _not_ours(path)
        wrong += [(~pl.col(n).cast(pl.Int64).is_between(-1, length - 1)).any() for n in places]
        wrong += [pl.col(name).is_null().any() for name in places]
        if not places:  # written before there was another split than leave-one-out
            wrong.append((length < MIN_LENGTH).any())
    empty = path.name == HELD_OUT and rows.is_empty()
    if empty or rows["items"].null_count() or rows.select(pl.any_horizontal(wrong)).item():
        raise _not_ours(path)
    return rows.with_columns(pl.col("items").cast(pl.List(pl.UInt32)))


def _not_ours(path: Path) -> DataError:
    return DataError(f"{path} is damaged (it is not what `shard` writes); make the shards again")


def _read(path: Path, digest: str | None) -> pl.DataFrame:
    """A file of the folder, if it is as it was written: a damaged Parquet can end the process."""
    try:
        data = path.read_bytes()
        if digest is not None and hashlib.sha256(data).hexdigest() != digest:
            raise DataError(f"{path} is damaged (its sha256 differs); make the shards again")
        return pl.read_parquet(io.BytesIO(data))
    except (OSError, pl.exceptions.PolarsError) as error:
        problem = one_line(error)[:200]
        raise DataError(f"{path} is damaged ({problem}); make the shards again") from error
