"""How good the training recipe is, and what each piece of it is worth: all but one, and none.

    python benchmarks/recipe.py amazon-beauty.txt amazon-video-games.txt --out recipe.json
    python benchmarks/recipe.py ml-100k --set max_length=200 --out recipe.json
    python benchmarks/recipe.py amazon-beauty.txt --settings "the recipe" \
        --set d=128 seen_margin=1 epochs=15 neighbours=32 --out accuracy.json

Leave-one-out; the figures of the test items at the epoch that validates best, users' own items left
out ("unseen") and not ("whole"); of a training with neighbours the model's alone, and with them.
Each run is added to the file as soon as it is done, and what stands there is not run again: an
interrupted table is continued by the same command.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from item_features import table_of
from models.flags import levers_of

from glint_edge.config import configs
from glint_edge.data.features import Features
from glint_edge.data.items import describing
from glint_edge.data.log import load_log
from glint_edge.data.neighbours import Neighbours
from glint_edge.data.sequences import Split, repeat_share
from glint_edge.evaluation.protocols import fitting
from glint_edge.evaluation.ranking import evaluate
from glint_edge.files import write_json
from glint_edge.levers import Setting
from glint_edge.model.protocols import Scorer
from glint_edge.training.begin import begin
from glint_edge.training.epochs import epochs
from glint_edge.training.kept import keep_best
from glint_edge.training.objective import has_bfloat16

BEFORE: dict[str, Setting] = {
    "variant": "paper", "table_start": "random", "output_start": 0.0, "average": 0.0,
    "neighbour_rows": 0, "schedule": "constant", "learning_rate": 1e-3, "embedding_dropout": 0.2,
    "attention_dropout": 0.2, "block_dropout": 0.3, "l2": 1e-4,
}  # fmt: skip
SETTINGS: dict[str, dict[str, Setting]] = {
    "the recipe": {},
    "without the input norm": {"input_norm": False},
    "without the filter": {"low_pass": False},
    "the table drawn": {"table_start": "random"},
    "output matrices as the others": {"output_start": 0.0},
    "own rows alone": {"neighbour_rows": 0},
    "no average": {"average": 0.0},
    "constant step size": {"schedule": "constant"},
    "the paper's variant": {"variant": "paper"},
    "none of it": BEFORE,
}


def run(data: Split, levers: Mapping[str, Setting], features: Features | None) -> dict[str, Any]:
    """Train one setting: its figures, and those with neighbours beside it."""
    repeats = repeat_share(data.validation(), data.test())
    protocol = fitting(repeats)
    model_config, config = configs(data.sequences.item_count, levers)
    began = time.perf_counter()
    training = begin(model_config, config, data, features=features)
    for epoch in epochs(training, data, config, protocol=protocol):
        print(
            f"  epoch {epoch.epoch}: loss {epoch.loss:.3f}, validation NDCG@10 "
            f"{epoch.validation_ndcg_at_10:.4f}", file=sys.stderr, flush=True,
        )  # fmt: skip
    minutes = (time.perf_counter() - began) / 60
    best = keep_best(training, data, config, features=features, repeats=repeats, protocol=protocol)
    figures = {
        "best_epoch": training.best_epoch, "epochs": len(training.history), "minutes": minutes,
        **_figures(best.model, data, protocol),
    }  # fmt: skip
    if best.neighbours is not None:
        own = best.neighbours
        figures["with_neighbours"] = {
            "k": config.neighbours, "c": own.c, "gamma": own.gamma, "last": own.last,
            **_figures(best.model, data, protocol, own),
        }  # fmt: skip
    return figures


def _figures(
    model: Scorer, data: Split, protocol: str, neighbours: Neighbours | None = None
) -> dict[str, Any]:
    """NDCG@10 of the validation and the test items."""
    parts = {"validation": (data.validation(), protocol), "unseen": (data.test(), "unseen"),
             "whole": (data.test(), "full")}  # fmt: skip
    return {
        name: evaluate(model, part, protocol=protocol, neighbours=neighbours).ndcg
        for name, (part, protocol) in parts.items()
    }


def main() -> None:
    """Run what is missing of the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", help="ml-100k, or logs")
    parser.add_argument("--out", type=Path, required=True, help="the JSON, which is added to")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--attributes", type=Path, help="item features; JSON: item → its own")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="LEVER=VALUE",
        help="where not as train has them; max_length is 50",
    )  # fmt: skip
    chosen = parser.parse_args()
    rows = json.loads(chosen.out.read_text("utf-8"))["rows"] if chosen.out.exists() else []
    precision = "bfloat16" if has_bfloat16("cpu") else "float32"
    for data in chosen.data:
        log = load_log(data)
        split = log.split()
        table = chosen.attributes and table_of(data, chosen.attributes)
        features = table and describing(split.catalogue, table).features(table)
        title = f"{split.sequences.name}, item features" if table else split.sequences.name
        shape: dict[str, Setting] = {
            "max_length": 50, "precision": precision, "threads": 1, **levers_of(chosen.set),
        }  # fmt: skip
        for seed in chosen.seeds:
            for name in chosen.settings:
                key = {"data": title, "setting": name, "seed": seed, "set": shape}
                if any(key.items() <= row.items() for row in rows):
                    continue
                print(f"{title}, {name}, seed {seed}", file=sys.stderr)
                levers = {**shape, **SETTINGS[name], "seed": seed}
                rows.append({**key, **run(split, levers, features)})
                write_json(chosen.out, {"rows": rows})


if __name__ == "__main__":
    main()
