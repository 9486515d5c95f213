"""What item features bring: accuracy with and without, and new items that nobody has tapped.

    python benchmarks/item_features.py --data ml-100k --out item-features.json
    python benchmarks/item_features.py --data amazon-beauty.txt \
        --attributes amazon-beauty-attributes.json --out item-features.json

Two steps, `--steps accuracy new`. Each training is added to the file as soon as it is done, and
what stands there is not run again: an interrupted table is continued by the same command.

accuracy: the same training with the fields, with them shown alone, and with them at every
`--dropouts`; unseen and whole NDCG@10 of the test items, over all users and over those whose item
has at most FEW taps in training. What is chosen is chosen by validation.

new: 100 items, drawn anew by each seed, are taken out of the log before training. Then they are
added by their fields, by their titles alone, like the known items that share the most fields with
them, and by `--log`, which knows their taps. Ranked is each of their taps, after what its user
tapped before it; and the test items of the others, from which new items take places.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from models.flags import levers_of

import glint_edge as ge
from glint_edge.checkpoints.changes import NewItem, add_items
from glint_edge.checkpoints.checkpoint import Checkpoint
from glint_edge.checkpoints.near_items import STRENGTH, items_of_log, mean_of
from glint_edge.checkpoints.new_items import items_of_table, rows_of_titles
from glint_edge.data.items import ItemFile, describing
from glint_edge.data.log import Log, load_log
from glint_edge.data.named import download
from glint_edge.data.sequences import HeldOut
from glint_edge.evaluation.metrics import metrics_of_ranks
from glint_edge.evaluation.ranking import ranked
from glint_edge.files import write_json

FEW = 10  # taps in training
NEW = 100  # items that are taken out
OFTEN = 5  # taps that an item needs to be drawn
CASES = 2_000  # taps of new items that are ranked
LIKE = 3  # items that a person would name
STRENGTHS = (STRENGTH, 0.9)
MEASURED = ("ndcg_at_10", "recall_at_50")


def main() -> None:
    """Run the trainings that the file does not have."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default="ml-100k")
    parser.add_argument("--attributes", type=Path, help="JSON: item → its attributes")
    parser.add_argument("--steps", nargs="+", default=["accuracy", "new"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--dropouts", type=float, nargs="*", default=[])
    parser.add_argument("--out", type=Path, required=True, help="the JSON, which is added to")
    parser.add_argument("--set", nargs="*", default=[], metavar="LEVER=VALUE")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    log, items = load_log(chosen.data), table_of(chosen.data, chosen.attributes)
    done = json.loads(chosen.out.read_text("utf-8"))["rows"] if chosen.out.exists() else []
    for row in rows(log, items, chosen, levers_of(chosen.set), done):
        done.append(row)
        write_json(chosen.out, {"rows": done})


def table_of(data: str, attributes: Path | None) -> ItemFile:
    """A table of the log's items: key, and title, genres and year, or attributes."""
    if attributes is not None:
        of = {key: list(map(str, own)) for key, own in json.loads(attributes.read_bytes()).items()}
        frame = pl.DataFrame({"item": list(of), "attribute": list(of.values())})
        return ItemFile(frame, fields=("attribute",))
    path = download(data).with_suffix(".item")
    names = {"item_id:token": "item", "movie_title:token_seq": "name",
             "release_year:token": "year", "class:token_seq": "genre"}  # fmt: skip
    frame = pl.read_csv(path, separator="\t", infer_schema=False, quote_char=None).rename(names)
    title = pl.format("{} ({})", "name", "year").alias("title")
    frame = frame.with_columns(pl.col("genre").str.split(" "), title).drop("name")
    return ItemFile(frame, fields=("genre", "year"))


def rows(
    log: Log,
    items: ItemFile,
    chosen: argparse.Namespace,
    levers: Mapping[str, Any],
    done: Sequence[Mapping[str, Any]],
) -> Iterator[dict[str, Any]]:
    """A row a training that was not done."""
    ways = {"shown alone": {"item_features": False}, "features": {}} | {
        f"features, row dropout {rate:g}": {"item_row_dropout": rate} for rate in chosen.dropouts
    }
    for seed in chosen.seeds:
        about = {"data": Path(chosen.data).name, "seed": seed, "levers": dict(levers)}
        for way, own in ways.items() if "accuracy" in chosen.steps else ():
            head = {**about, "step": "accuracy", "way": way}
            if not _is_done(head, done):
                yield {**head, **accuracy(log, items, {**levers, **own, "seed": seed})}
        head = {**about, "step": "new"}
        if "new" in chosen.steps and not _is_done(head, done):
            yield {**head, "ways": new_items(log, items, {**levers, "seed": seed})}


def _is_done(head: Mapping[str, Any], done: Sequence[Mapping[str, Any]]) -> bool:
    return any(head.items() <= row.items() for row in done)


def trained(log: Log, items: ItemFile, levers: Mapping[str, Any]) -> Checkpoint:
    """A checkpoint of a training into a folder that is not kept."""
    with tempfile.TemporaryDirectory() as folder:
        return ge.train(log, Path(folder) / "run", items=items, **{"threads": 1, **levers})


def accuracy(log: Log, items: ItemFile, levers: Mapping[str, Any]) -> dict[str, Any]:
    """NDCG@10 of the test items, over all users and over those of items with few taps."""
    checkpoint = trained(log, items, levers)
    parts = log.split()
    test = parts.test()
    few = parts.counts()[test.targets] <= FEW
    figures: dict[str, Any] = {"validation": checkpoint.metrics["validation"]["ndcg_at_10"]}
    for protocol in ("unseen", "full"):
        ranks = ranked(checkpoint.model, test, protocol=protocol).ranks
        figures[protocol] = metrics_of_ranks(ranks).ndcg
        figures[f"few_{protocol}"] = metrics_of_ranks(ranks[few]).ndcg
    return {**figures, "users": len(test.targets), "few_users": int(few.sum())}


def new_items(log: Log, items: ItemFile, levers: Mapping[str, Any]) -> dict[str, Any]:
    """Figures of new items and of the others, by the way in which new ones are added."""
    taps = log.sequences()
    keys, counts = np.unique([key for own in taps.values() for key in own], return_counts=True)
    rng = np.random.default_rng(levers["seed"])
    drawn = {str(key) for key in rng.choice(keys[counts >= OFTEN], NEW, replace=False)}
    left = {user: [key for key in own if key not in drawn] for user, own in taps.items()}
    known = load_log({user: own for user, own in left.items() if len(own) > 2}, k_core=0)
    checkpoint = trained(known, items, levers)
    cases, test = cases_of(taps, drawn, rng), known.split().test()
    figures = {"none": figures_of(checkpoint, [], test)}
    for way, added in ways_of(checkpoint, items, sorted(drawn), taps).items():
        after = add_items(checkpoint, added)
        own = [case for case in cases if case[1] in after.catalogue.keys[-len(added) :]]
        figures[way] = figures_of(after, own, test)
    return figures


def cases_of(
    taps: Mapping[str, Sequence[str]], drawn: set[str], rng: np.random.Generator
) -> list[tuple[list[str], str]]:
    """Some taps of new items: the known items that the user tapped before, and the new one."""
    cases = [
        ([key for key in own[:at] if key not in drawn], own[at])
        for own in taps.values()
        for at in range(1, len(own))
        if own[at] in drawn
    ]
    cases = [case for case in cases if case[0]]
    return [cases[at] for at in rng.permutation(len(cases))[:CASES]]


def ways_of(
    checkpoint: Checkpoint, items: ItemFile, drawn: Sequence[str], taps: Mapping[str, Sequence[str]]
) -> dict[str, list[NewItem]]:
    """Vectors of the new items, by how they are made."""
    without = replace(checkpoint, vectors=None)
    titles = describing(checkpoint.catalogue, items, drawn).catalogue.titles
    titled = rows_of_titles(checkpoint, {key: titles.get(key, "") for key in drawn})
    near = like(checkpoint, items, drawn)
    seen = load_log({user: list(own) for user, own in taps.items()}, k_core=0, min_length=2).whole
    ways = {}
    for strength in STRENGTHS:
        own, _ = items_of_table(checkpoint, items, drawn, strength=strength)
        ways[f"fields, {strength:g}"] = own
        if titled:
            own, _ = items_of_table(without, items, drawn, strength=strength)
            ways[f"titles, {strength:g}"] = own
        ways[f"like, {strength:g}"] = [
            NewItem(key, mean_of(checkpoint, others, strength)) for key, others in near.items()
        ]
        own, _ = items_of_log(checkpoint, seen, strength=strength)
        ways[f"log, {strength:g}"] = own
    return ways


def like(
    checkpoint: Checkpoint, items: ItemFile, drawn: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """The known items that share the most of a new one's values, the more popular ones first."""
    keys = checkpoint.catalogue.keys[1:]
    values = describing(checkpoint.catalogue, items, {*keys, *drawn}).values
    own = {
        key: {(field, value) for field, of in values.items() for value in of.get(key, ())}
        for key in (*keys, *drawn)
    }

    def shared(key: str, other: str) -> float:  # of all that either has
        return len(own[key] & own[other]) / max(1, len(own[key] | own[other]))

    # `sorted` is stable, and ids are popularity ranks.
    return {key: tuple(sorted(keys, key=lambda other: -shared(key, other))[:LIKE]) for key in drawn}


def figures_of(
    checkpoint: Checkpoint, cases: Sequence[tuple[list[str], str]], test: HeldOut
) -> dict[str, float]:
    """NDCG@10 and Recall@50 of new items, and NDCG@10 of the others' test items; unseen."""
    ranks = ranked(checkpoint.model, test, protocol="unseen").ranks
    figures = {"others_ndcg_at_10": metrics_of_ranks(ranks).ndcg}
    if not cases:
        return figures
    number = {key: at for at, key in enumerate(checkpoint.catalogue.keys)}
    histories = [[number[key] for key in history if key in number] for history, _ in cases]
    held = HeldOut(
        np.concatenate([np.array(own, np.int64) for own in histories]),
        np.cumsum([0, *map(len, histories)], dtype=np.int64),
        np.array([number[key] for _, key in cases], np.int64),
    )
    ranks = ranked(checkpoint.model, held, protocol="unseen").ranks
    named = (metrics_of_ranks(ranks).ndcg, metrics_of_ranks(ranks, 50).recall)
    return {**dict(zip(MEASURED, named, strict=True)), **figures, "taps": len(cases)}


if __name__ == "__main__":
    main()
