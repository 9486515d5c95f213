"""Writing shards, a part of the users at a time.

An item's id is its rank by popularity in training, which is known when all users are. Until then
its number is its place among the items in order of first appearance.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from glint_edge.data.numbering import DUPLICATE, DUPLICATES, SHORT
from glint_edge.data.record import HELD_OUT, MIN_LENGTH
from glint_edge.data.sharded.shards import HELD_OUT as HELD_OUT_FILE
from glint_edge.data.sharded.shards import ITEMS, Ids


class ShardWriter:
    """The files of one folder of shards, but for the one that names them."""

    def __init__(self, folder: Path, parts: int, held_out: int, rng: np.random.Generator) -> None:
        """Write into a folder.

        Args:
            folder: empty.
            parts: shards to make.
            held_out: users to evaluate on, at most.
            rng: of the choice of these.
        """
        self._folder = folder
        self._files = [folder / f"part-{part:04d}.parquet" for part in range(parts)]
        self._held_out = held_out
        self._rng = rng

    def write(self, rows: pl.LazyFrame) -> tuple[dict[str, int], dict[str, int]]:
        """Write all files.

        Args:
            rows: the log's, checked; they are read once a part and once more.

        Returns:
            Users, items and interactions; and what was left out, by reason.
        """
        keys = (
            rows.group_by("item").agg(pl.col("row").min()).sort("row")
            .collect(engine="streaming")["item"]
        )  # fmt: skip
        counts, learnt = np.zeros((2, len(keys)), dtype=np.int64)
        first = np.full(len(keys), np.iinfo(np.int64).max)
        dropped = {DUPLICATES: 0, SHORT.format(MIN_LENGTH): 0}
        users = 0
        evaluated = []
        for part, own in enumerate(self._parts(rows, keys, dropped)):
            np.minimum.at(first, own["number"].to_numpy(), own["row"].to_numpy())
            sequences = own.group_by("user", maintain_order=True).agg(items=pl.col("number"))
            chosen = self._chosen(part, len(sequences))
            last = pl.when(pl.Series(chosen)).then(HELD_OUT).otherwise(0)
            training = sequences.select(
                items=pl.col("items").list.head(pl.col("items").list.len() - last)
            )
            training.write_parquet(self._files[part])
            evaluated.append(sequences.filter(chosen).select("items"))
            users += len(sequences)
            counts += np.bincount(own["number"], minlength=len(keys))
            learnt += np.bincount(training["items"].explode(), minlength=len(keys))
        pl.concat(evaluated).write_parquet(self._folder / HELD_OUT_FILE)
        self._number(keys, counts, learnt, first)
        summary = {
            "users": users, "items": int((counts > 0).sum()), "interactions": int(counts.sum()),
        }  # fmt: skip
        return summary, dropped

    def _parts(
        self, rows: pl.LazyFrame, keys: pl.Series, dropped: dict[str, int]
    ) -> Iterator[pl.DataFrame]:
        """The kept rows of each part's users, in time order: `user`, `row`, the item's `number`."""
        numbers = pl.LazyFrame({"item": keys}).with_row_index("number")
        timed = "time" in rows.collect_schema()
        for part in range(len(self._files)):
            whole = rows.filter(pl.col("user").hash(seed=1) % len(self._files) == part)
            own = whole.collect(engine="streaming").sort("row")
            if timed:
                once = own.unique(DUPLICATE, keep="first", maintain_order=True)
                dropped[DUPLICATES] += len(own) - len(once)
                own = once
            own = own.sort("user", *(["time"] if timed else []), "row")
            long = own.filter(pl.len().over("user") >= MIN_LENGTH)
            dropped[SHORT.format(MIN_LENGTH)] += own["user"].n_unique() - long["user"].n_unique()
            numbered = long.lazy().join(numbers, on="item", how="left", maintain_order="left")
            yield numbered.select("user", "row", "number").collect()

    def _chosen(self, part: int, users: int) -> npt.NDArray[np.bool_]:
        """Which of a part's users are held out."""
        parts = len(self._files)
        share = self._held_out * (part + 1) // parts - self._held_out * part // parts
        chosen = np.zeros(users, dtype=bool)
        chosen[self._rng.permutation(users)[:share]] = True
        return chosen

    def _number(self, keys: pl.Series, counts: Ids, learnt: Ids, first: Ids) -> None:
        """Write the catalogue, and the items' ids in place of their numbers."""
        order = np.lexsort((first, -learnt))
        order = order[counts[order] > 0]
        pl.DataFrame(
            {"key": keys[order], "count": counts[order], "training": learnt[order]}
        ).write_parquet(self._folder / ITEMS)
        ids = np.zeros(len(keys), dtype=np.uint32)
        ids[order] = np.arange(1, len(order) + 1)
        by_number = pl.lit(pl.Series(ids)).gather(pl.element())
        for path in (*self._files, self._folder / HELD_OUT_FILE):
            sequences = pl.read_parquet(path, memory_map=False)
            sequences.select(pl.col("items").list.eval(by_number)).write_parquet(path)
