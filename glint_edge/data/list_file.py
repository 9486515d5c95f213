"""A file of lists, a row an item of a user's list, written in parts: all are never held at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from glint_edge.errors import ConfigError
from glint_edge.files import new_file

if TYPE_CHECKING:
    import polars as pl

    from glint_edge.data.catalogue import Catalogue

SUFFIXES = (".parquet", ".csv", ".jsonl")
ROWS = 1 << 18  # of a part, which is in memory


@dataclass(frozen=True)
class Lists:
    """Some users' lists.

    Attributes:
        users: their keys, [B].
        items: int64 [B, k], ids, best first; 0: no more are left.
        scores: float32 [B, k].
        because: int64 [B, k], the history's items that they are there because of; 0: of none. None:
            neighbours have no part in the lists.
    """

    users: Sequence[str]
    items: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    because: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class ListFile:
    """A file of lists that was written.

    Attributes:
        path: the file.
        users: whose lists are in it.
        rows: items of them all.
    """

    path: Path
    users: int
    rows: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"out": str(self.path), "users": self.users, "rows": self.rows}


def check_list_file(out: Path) -> None:
    """Refuse, before anything is computed, a file that could not be written.

    Raises:
        ConfigError: its suffix is unknown, or something that is no file stands there.
    """
    if out.suffix not in SUFFIXES:
        raise ConfigError(f"{out}: lists are written as {', '.join(SUFFIXES)}; call it so")
    if out.exists() and not out.is_file():
        raise ConfigError(f"{out} is no file; choose another --out")


def write_lists(lists: Iterable[Lists], catalogue: Catalogue, out: Path) -> int:
    """Write lists to a file, all or nothing: columns user, rank, item, title if any, and score.

    Where neighbours have a part in the lists, a last column, because, has the key of the item of
    the history; it is empty where there is none.

    Args:
        lists: in the file's order; all of them say why, or none.
        catalogue: of the items.
        out: as `check_list_file` allows.

    Returns:
        How many rows were written.

    Raises:
        OSError: the disk is full or not writable; what stood at `out` stays.
    """
    import polars as pl

    rows = 0
    with new_file(out) as file:
        parts = []
        for number, part in enumerate(_parts(lists, catalogue)):
            parts.append(file.with_name(f"{number}.ipc"))
            rows += len(part)
            try:
                part.write_ipc(parts[-1])
            except pl.exceptions.PolarsError as error:
                raise OSError(str(error)) from error
        whole = pl.scan_ipc(parts)
        if out.suffix == ".parquet":
            whole.sink_parquet(file)
        elif out.suffix == ".csv":
            whole.sink_csv(file)
        else:
            whole.sink_ndjson(file)
    return rows


def _parts(lists: Iterable[Lists], catalogue: Catalogue) -> Iterator[pl.DataFrame]:
    """Frames of about `ROWS` rows; at least one, which may have none."""
    import polars as pl

    keys = pl.Series([None, *catalogue.keys[1:]], dtype=pl.String)
    titles = None
    if catalogue.titles:
        shown = [catalogue.titles.get(key) for key in catalogue.keys]
        titles = pl.Series(shown, dtype=pl.String)
    lists = iter(lists)
    first = next(lists, Lists((), np.zeros((0, 1), np.int64), np.zeros((0, 1), np.float32)))
    waiting = [_frame(first, keys, titles)]
    for some in lists:
        waiting.append(_frame(some, keys, titles))
        if sum(map(len, waiting)) >= ROWS:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)


def _frame(lists: Lists, keys: pl.Series, titles: pl.Series | None) -> pl.DataFrame:
    import polars as pl

    user, place = np.nonzero(lists.items)
    items = lists.items[user, place]
    columns = {
        "user": pl.Series(lists.users, dtype=pl.String).gather(user),
        "rank": pl.Series(place + 1, dtype=pl.Int32),
        "item": keys.gather(items),
        **({} if titles is None else {"title": titles.gather(items)}),
        "score": pl.Series(lists.scores[user, place], dtype=pl.Float32),
        **({} if lists.because is None else {"because": keys.gather(lists.because[user, place])}),
    }
    return pl.DataFrame(columns)
