"""Tables of the shipped checkpoint: what it says of itself, and what `evaluate` says of it.

`docs_tables.py` puts them into the docs. `card` and `card-figures` take the checkpoint's
config.json, the others the JSON that `evaluate --slices` printed, by protocol:

    {"unseen": …, "full": …}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

Lines: TypeAlias = tuple[list[str], list[list[str]]]
Figures: TypeAlias = Mapping[str, Any]

NAMES = ("recall_at_10", "mrr_at_10", "ndcg_at_10")
HEAD = ["Recall@10", "MRR@10", "NDCG@10"]


def card(path: Path) -> Lines:
    """What a checkpoint says of itself."""
    config = json.loads(path.read_text("utf-8"))
    model, training, data = config["model"], config["training"], config["data"]
    counts = data["summary"]
    files = sum((path.parent / name).stat().st_size for name in config["sha256"])
    rows = {
        "model": f"{config['architecture']}, variant `{model['variant']}`, width {model['d']}, "
        f"histories of up to {model['max_length']} items",
        "data": f"{data['name']}: {counts['users']:,} users, {counts['items']:,} items, "
        f"{counts['interactions']:,} interactions; split leave-one-out",
        "trained by": f"{training['loss']}, seed {training['seed']}, "
        f"{training['neighbours']} neighbours of each item beside the model",
        "size": f"{files / 1e3:,.0f} KB in float32, items and neighbours included",
        "format": str(config["format_version"]),
        "digest": f"`{config['digest'][:16]}…`",
    }
    return ["", ""], [[name, value] for name, value in rows.items()]


def card_figures(path: Path) -> Lines:
    """A checkpoint's own figures, as `train` stored them."""
    lines = []
    for part, row in json.loads(path.read_text("utf-8"))["metrics"].items():
        about = part.replace("_without_neighbours", ", without its neighbours")
        lines.append([about, f"{row['users']:,}", *_cells(row)])
    return ["", "users", *HEAD], lines


def evaluated(path: Path) -> Lines:
    """Test figures of the model and without its neighbours, by what is ranked."""
    lines = []
    for protocol, result in json.loads(path.read_text("utf-8")).items():
        what = {"unseen": "unseen items", "full": "whole catalogue"}[protocol]
        lines.append([f"test, {what}", *_cells(result)])
        lines.append(["the same without its neighbours", *_cells(result["without_neighbours"])])
    return ["shipped checkpoint", *HEAD], lines


def protocols(path: Path) -> Lines:
    """NDCG@10 of the model and of what stands beside it, a column a protocol."""
    by_protocol = json.loads(path.read_text("utf-8"))
    rows = {
        "the last N items": lambda result: result,
        "the same without its neighbours": lambda result: result["without_neighbours"],
        "unbounded: all of a history": lambda result: result["unbounded"],
        "popularity": lambda result: result["baselines"]["popularity"],
        "neighbours": lambda result: result["baselines"]["neighbours"],
    }
    order = sorted(by_protocol)
    return ["shipped checkpoint, test NDCG@10", *(f"`{name}`" for name in order)], [
        [about, *(f"{of(by_protocol[name])['ndcg_at_10']:.4f}" for name in order)]
        for about, of in rows.items()
    ]


def slices(path: Path) -> Lines:
    """A line a slice of the unseen protocol."""
    rows = json.loads(path.read_text("utf-8"))["unseen"]["slices"]
    beside = list(rows[0]["beside"])
    lines = []
    for row in rows:
        figure = f"{row['ndcg_at_10']:.4f} ± {row['ndcg_at_10_half_width']:.4f}"
        others = (f"{row['beside'][name]['ndcg_at_10']:.4f}" for name in beside)
        lines.append([row["name"], f"{row['users']:,}", figure, *others])
    return ["shipped checkpoint, test, `unseen`", "users", "NDCG@10 ± 95 %", *beside], lines


def _cells(row: Figures) -> list[str]:
    return [f"{row[name]:.4f}" for name in NAMES]


KINDS = {
    "card": card, "card-figures": card_figures, "evaluated": evaluated, "protocols": protocols,
    "slices": slices,
}  # fmt: skip
