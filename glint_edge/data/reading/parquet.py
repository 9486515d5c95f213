"""Parquet, read in a process of its own before this one reads it.

A damaged file can end the process that reads it: one bit is enough. What a child has read to its
end can be read here, too.

    python -m glint_edge.data.reading.parquet    reads the files and columns that stdin names
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import polars as pl

from glint_edge.data.reading.columns import Columns, Selection
from glint_edge.data.reading.table import SHOWN, Table, listed, typed_table, unnested
from glint_edge.errors import DataError
from glint_edge.files import scratch
from glint_edge.processes.child import environment, how_it_ended, wait_for

SECONDS = 60.0  # that a file of no size may take
BYTES_A_SECOND = 5e6  # that even a slow disk reads


def table_of_parquet(name: str, paths: Sequence[Path], selection: Selection) -> Table:
    """The chosen columns of files that hold a row an interaction, one after the other.

    Raises:
        DataError: a file is damaged, or a column is missing or holds no keys.
    """
    # The child chooses as for a log; of another table it reads all.
    require_readable(name, paths, selection if type(selection) is Selection else None)
    explain = partial(_explain, name)
    try:
        rows = _scan(paths)
        chosen = selection.choose(name, rows.collect_schema().names(), listed(rows))
        return typed_table(name, rows, chosen, explain, selection)
    except pl.exceptions.PolarsError as error:
        raise explain(error) from error


def require_readable(name: str, paths: Sequence[Path], selection: Selection | None) -> None:
    """Let a child read files to their end.

    Args:
        name: of the log, for messages.
        paths: the files.
        selection: which of their columns are read; None: all.

    Raises:
        DataError: the child died of them.
    """
    for path in paths:
        path.open("rb").close()  # who may not read it is told so
    request: dict[str, object] = {"paths": [str(path.resolve()) for path in paths]}
    if selection is not None:
        request |= {"columns": selection.columns.to_dict(), "needed": sorted(selection.needed)}
    size = sum(path.stat().st_size for path in paths)
    with scratch() as folder:  # which is swept if this process is killed
        done = wait_for(
            [sys.executable, "-m", __name__],
            what=f"reading {name}", folder=folder, error=DataError,
            seconds=SECONDS + size / BYTES_A_SECOND, stdin=json.dumps(request),
            variables=environment(),
        )  # fmt: skip
    if done.returncode:
        how = how_it_ended("reading it", done.returncode, done.stderr)
        raise DataError(f"{name} is not a readable Parquet file ({how}); write it again")


def _scan(paths: Sequence[Path]) -> pl.LazyFrame:
    return unnested(pl.scan_parquet(list(paths), glob=False))


def _explain(name: str, error: pl.exceptions.PolarsError) -> DataError:
    problem = str(error).partition("\n")[0][:200]
    return DataError(f"{name} is not a readable Parquet file ({problem}); write it again")


def _read_to_the_end() -> None:
    """In the child. What is only refused is refused again, in words, by who asked."""
    with suppress(OSError):  # where memory ends, let it be this process that goes
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="utf-8")
    request = json.load(sys.stdin)
    with suppress(pl.exceptions.PolarsError, DataError):
        rows = _scan([Path(path) for path in request["paths"]])
        if "columns" in request:
            names, lists = rows.collect_schema().names(), listed(rows)
            selection = Selection(
                columns=Columns(**request["columns"]), needed=frozenset(request["needed"])
            )
            rows.head(SHOWN).collect()
            chosen = selection.choose("", names, lists).values()
            rows = rows.select(lists[name][0] if name in lists else name for name in chosen)
        for _ in rows.collect_batches():
            pass


if __name__ == "__main__":
    _read_to_the_end()
    sys.stdout.flush()
    os._exit(0)  # without the threads' farewell
