"""Writing shards, a part of the users at a time.

An item's id is its rank by popularity in training, which is known when all users are. Until then
its number is its place among the items in order of first appearance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from glint_edge.data.options import LoadOptions
from glint_edge.data.sequencing.arranging import Tally, arranged
from glint_edge.data.sequencing.cuts import SplitRule
from glint_edge.data.sequencing.numbering import parts_of, users_of
from glint_edge.data.sequencing.parts import Parts
from glint_edge.data.sharded.doors import HELD_OUT, ITEMS
from glint_edge.data.sharded.shards import Ids


@dataclass
class Written:
    """What was written, and what was left out.

    Attributes:
        summary: users, items and interactions.
        predictions: how many items of the training sequences follow another.
        unseen: items that no training sequence has.
        tally: what was left out, and what was seen of the order.
        census: how many users are in no part of the split, are validated on, and are tested on.
    """

    summary: dict[str, int]
    predictions: int
    unseen: int
    tally: Tally
    census: tuple[int, ...]


class ShardWriter:
    """The files of one folder of shards, but for the one that names them."""

    def __init__(
        self,
        folder: Path,
        parts: int,
        held_out: int,
        rng: np.random.Generator,
        rule: SplitRule | None,
        options: LoadOptions,
    ) -> None:
        """Write into a folder.

        Args:
            folder: empty.
            parts: shards to make.
            held_out: users to evaluate on, at most.
            rng: of the choice of these.
            rule: how rows are split; None: leave-one-out, of the users to evaluate on.
            options: what is left out, joined and cut.
        """
        self._folder = folder
        self._files = [folder / f"part-{part:04d}.parquet" for part in range(parts)]
        self._held_out = held_out
        self._rng = rng
        self._rule = rule
        self._options = options

    def write(self, rows: pl.LazyFrame, per_second: float | None) -> Written:
        """Write all files.

        Args:
            rows: the log's, checked, with a `part` each where there is a rule; they are read once a
                part and once more.
            per_second: how much the time grows in a second.
        """
        keys = (
            rows.group_by("item").agg(pl.col("row").min()).sort("row")
            .collect(engine="streaming")["item"]
        )  # fmt: skip
        counts, learnt = np.zeros((2, len(keys)), dtype=np.int64)
        first = np.full(len(keys), np.iinfo(np.int64).max)
        tally = Tally()
        users = predictions = 0
        census = np.zeros(3, dtype=np.int64)
        evaluated = []
        for part, own in enumerate(self._parts(rows, keys, per_second, tally)):
            np.minimum.at(first, own["number"].to_numpy(), own["row"].to_numpy())
            lists = {"items": pl.col("number")}
            if "weight" in own.columns:
                lists["weights"] = pl.col("weight")
            sequences = users_of(own, **lists)
            trained, held = self._split(part, sequences, census)
            heads = sequences.select(*lists, trained=pl.Series(trained))
            training = heads.select(pl.col(*lists).list.head(pl.col("trained")))
            training.write_parquet(self._files[part])
            evaluated.append(held)
            users += len(sequences)
            predictions += int(np.maximum(trained - 1, 0).sum())
            counts += np.bincount(own["number"], minlength=len(keys))
            flat = training["items"].explode(empty_as_null=False)
            learnt += np.bincount(flat, minlength=len(keys))
        pl.concat(evaluated).write_parquet(self._folder / HELD_OUT)
        self._number(keys, counts, learnt, first)
        summary = {
            "users": users, "items": int((counts > 0).sum()), "interactions": int(counts.sum()),
        }  # fmt: skip
        unseen = int(((counts > 0) & (learnt == 0)).sum())
        return Written(summary, predictions, unseen, tally, tuple(census.tolist()))

    def _split(
        self, part: int, sequences: pl.DataFrame, census: npt.NDArray[np.int64]
    ) -> tuple[Ids, pl.DataFrame]:
        """How many items of each user are trained on, and whom to evaluate on; counts users."""
        lengths = sequences["len"].to_numpy().astype(np.int64)
        parts = parts_of(sequences, self._rule)
        if parts is not None:
            census += parts.census()
            held = (parts.validation >= 0) | (parts.test >= 0)
            chosen, trained = self._chosen(part, held), parts.learnt
        else:
            parts = Parts.leave_one_out(lengths)
            chosen = self._chosen(part, np.ones(len(lengths), dtype=bool))
            trained = np.where(chosen, parts.learnt, lengths)
        places = {"validation": parts.validation, "test": parts.test}
        lists = [name for name in ("items", "weights") if name in sequences.columns]
        whole = sequences.select(*lists, **{n: pl.Series(p) for n, p in places.items()})
        return trained, whole.filter(pl.Series(chosen))

    def _parts(
        self, rows: pl.LazyFrame, keys: pl.Series, per_second: float | None, tally: Tally
    ) -> Iterator[pl.DataFrame]:
        """Each part's kept rows, in order, with the item's `number`."""
        numbers = pl.LazyFrame({"item": keys}).with_row_index("number")
        for part in range(len(self._files)):
            whole = rows.filter(pl.col("user").hash(seed=1) % len(self._files) == part)
            own = whole.collect(engine="streaming").sort("row")
            kept = arranged(own, self._options, per_second, tally)
            numbered = kept.lazy().join(numbers, on="item", how="left", maintain_order="left")
            yield numbered.drop("item", "time", strict=False).collect()

    def _chosen(self, part: int, possible: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Which of a part's users, of those that can be, are held out."""
        parts = len(self._files)
        share = self._held_out * (part + 1) // parts - self._held_out * part // parts
        chosen = np.zeros(len(possible), dtype=bool)
        chosen[self._rng.permutation(np.flatnonzero(possible))[:share]] = True
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
        for path in (*self._files, self._folder / HELD_OUT):
            sequences = pl.read_parquet(path, memory_map=False)
            sequences.with_columns(pl.col("items").list.eval(by_number)).write_parquet(path)
