"""How well new items do by `glint-edge catalogue add --log`, beside rows that were trained.

    python benchmarks/new_items.py --out docs/measured/new-items.json

Some items of MovieLens-100K are treated as new: their trained rows are thrown away and made again
from the known items near them in the training histories. Validation and test targets are then
ranked over the full catalogue, those that are new and all others apart.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint
from glint_edge.checkpoints.near_items import STRENGTH, items_of_log
from glint_edge.data.histories import last_items
from glint_edge.data.sequences import Sequences, Split, split
from glint_edge.data.source import in_catalogue, read_beside
from glint_edge.evaluation.metrics import metrics_of_ranks
from glint_edge.files import write_json

SEEN = 5  # training interactions that an item needs to be drawn


def main() -> None:
    """Draw new items with several seeds, and print a row a way to make theirs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--new", type=int, default=100, help="items that are treated as new")
    parser.add_argument("--seeds", type=int, default=3, help="draws")
    parser.add_argument("--strengths", type=float, nargs="+", default=[0, 0.7, STRENGTH, 0.9, 1])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path, help="a file for the same")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    checkpoint = load_checkpoint()
    parts = split(in_catalogue(read_beside(checkpoint.data).whole, checkpoint.catalogue))
    # A catalogue in which a drawn item can be new: the log below calls it otherwise.
    keys = tuple(f"known {key}" for key in checkpoint.catalogue.keys)
    checkpoint = replace(checkpoint, catalogue=replace(checkpoint.catalogue, keys=keys))
    rows: dict[str, list[list[float]]] = {}
    for seed in range(asked.seeds):
        drawn = draw(parts, asked.new, seed)
        rows.setdefault("trained", []).append(figures(checkpoint, parts, drawn, None))
        for strength in asked.strengths:
            name = f"strength {strength:g}"
            rows.setdefault(name, []).append(figures(checkpoint, parts, drawn, strength))
    means = {name: np.mean(values, axis=0).tolist() for name, values in rows.items()}
    if asked.out:
        write_json(asked.out, {"new": asked.new, "draws": asked.seeds, "rows": means})
    if asked.json:
        print(json.dumps(means))
        return
    print(f"{asked.new} items as new, mean of {asked.seeds} draws")
    heads = ("rows", "new: NDCG@10", "Recall@50", "others: NDCG@10", "Recall@50")
    print("{:14} {:>13} {:>10} {:>16} {:>10}".format(*heads))
    for name, values in means.items():
        print(f"{name:14} {values[0]:13.4f} {values[1]:10.3f} {values[2]:16.4f} {values[3]:10.3f}")


def draw(parts: Split, count: int, seed: int) -> np.ndarray:
    """Ids of items that were seen often enough to be judged."""
    seen = np.bincount(parts.train_ids)
    often = np.flatnonzero(seen >= SEEN)
    return np.random.default_rng(seed).choice(often[often > 0], count, replace=False)


def figures(
    checkpoint: Checkpoint, parts: Split, drawn: np.ndarray, strength: float | None
) -> list[float]:
    """NDCG@10 and Recall@50 of targets that are new, then of the others."""
    table = checkpoint.model.embedding.weight
    trained = table.detach().clone()
    with torch.no_grad():
        if strength is not None:
            table[torch.from_numpy(drawn)] = 0
            for item in items_of_log(checkpoint, _log(parts, drawn), strength=strength)[0]:
                table[int(item.key)] = item.row
        ranks, targets = _ranks(checkpoint, parts)
        table.copy_(trained)
    new = np.isin(targets, drawn)
    return [
        figure
        for group in (ranks[new], ranks[~new])
        for figure in (metrics_of_ranks(group, 10).ndcg, metrics_of_ranks(group, 50).recall)
    ]


def _log(parts: Split, drawn: np.ndarray) -> Sequences:
    """The training histories, in which a drawn item is called by its id: a key nobody knows."""
    whole = parts.sequences
    keys = [f"known {key}" for key in whole.keys]
    for number in drawn:
        keys[number] = f"{number}"
    return replace(whole, keys=tuple(keys), ids=parts.train_ids, offsets=parts.train_offsets)


def _ranks(checkpoint: Checkpoint, parts: Split) -> tuple[np.ndarray, np.ndarray]:
    ranks, targets = [], []
    for held_out in (parts.validation(), parts.test()):
        length = checkpoint.model.config.max_length
        items, lengths = last_items(held_out.ids, held_out.offsets, length)
        scores = checkpoint.model.score(torch.from_numpy(items), torch.from_numpy(lengths))
        target = scores.gather(1, torch.from_numpy(held_out.targets)[:, None])
        ranks.append((scores >= target).sum(dim=1).numpy())
        targets.append(held_out.targets)
    return np.concatenate(ranks), np.concatenate(targets)


if __name__ == "__main__":
    main()
