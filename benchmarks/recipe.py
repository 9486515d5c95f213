"""How good the training recipe is, and what each piece of it is worth: all but one, and none.

    python benchmarks/recipe.py amazon-beauty.txt amazon-video-games.txt --out recipe.json
    python benchmarks/recipe.py ml-100k --set max_length=200 --out recipe.json
    python benchmarks/recipe.py amazon-beauty.txt --settings "the recipe" --neighbours 32 \
        --set d=128 seen_margin=1 epochs=15 --out accuracy.json

Leave-one-out; the figures of the test items at the epoch that validates best, users' own items left
out ("unseen") and not ("whole"); with `--neighbours` also of the model with that many neighbours of
each item beside it. Each run is added to the file as soon as it is done, and what stands there is
not run again: an interrupted table is continued by the same command.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.flags import levers_of

from glint_edge.config import configs
from glint_edge.data.log import load_log
from glint_edge.data.neighbour_counts import count
from glint_edge.data.neighbours import Neighbours
from glint_edge.data.sequences import Split
from glint_edge.evaluation.neighbours import choose
from glint_edge.evaluation.ranking import evaluate
from glint_edge.files import write_json
from glint_edge.levers import Setting
from glint_edge.model.protocols import Scorer
from glint_edge.training.epochs import begin, epochs
from glint_edge.training.objective import has_bfloat16

BEFORE: dict[str, Setting] = {
    "variant": "paper", "table_start": "random", "output_start": 0.0, "average": 0.0,
    "schedule": "constant", "learning_rate": 1e-3, "embedding_dropout": 0.2,
    "attention_dropout": 0.2, "block_dropout": 0.3, "l2": 1e-4,
}  # fmt: skip
SETTINGS: dict[str, dict[str, Setting]] = {
    "the recipe": {},
    "without the input norm": {"input_norm": False},
    "without the filter": {"low_pass": False},
    "the table drawn": {"table_start": "random"},
    "output matrices as the others": {"output_start": 0.0},
    "no average": {"average": 0.0},
    "constant step size": {"schedule": "constant"},
    "the paper's variant": {"variant": "paper"},
    "none of it": BEFORE,
}


def run(data: Split, levers: dict[str, Setting], neighbours: int = 0) -> dict[str, Any]:
    """Train one setting: its figures, and those with neighbours beside it."""
    model_config, config = configs(data.sequences.item_count, levers)
    began = time.perf_counter()
    training = begin(model_config, config, data)
    for epoch in epochs(training, data, config, protocol="unseen"):
        print(
            f"  epoch {epoch.epoch}: loss {epoch.loss:.3f}, validation NDCG@10 "
            f"{epoch.validation_ndcg_at_10:.4f}", file=sys.stderr, flush=True,
        )  # fmt: skip
    model = training.model
    model.load_state_dict(training.best)
    figures: dict[str, Any] = {
        "best_epoch": training.best_epoch,
        "epochs": len(training.history),
        "minutes": (time.perf_counter() - began) / 60,
        "validation": training.best_ndcg,
        **_of_test(model, data),
    }
    if neighbours:
        counted = count(data.training_parts, data.counts(), neighbours, itself=False)
        choice = choose(model, data.validation(), counted, protocol="unseen")
        own = replace(counted, c=choice.c, gamma=choice.gamma)
        figures["with_neighbours"] = {
            "k": neighbours, "c": choice.c, "gamma": choice.gamma, "validation": choice.ndcg,
            **_of_test(model, data, own),
        }  # fmt: skip
    return figures


def _of_test(model: Scorer, data: Split, neighbours: Neighbours | None = None) -> dict[str, float]:
    """NDCG@10 of the test items."""
    test = data.test()
    return {
        "unseen": evaluate(model, test, protocol="unseen", neighbours=neighbours).ndcg,
        "whole": evaluate(model, test, neighbours=neighbours).ndcg,
    }


def main() -> None:
    """Run what is missing of the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", help="ml-100k, or logs")
    parser.add_argument("--out", type=Path, required=True, help="the JSON, which is added to")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--neighbours", type=int, default=0, help="of each item; 0: none")
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
        shape: dict[str, Setting] = {
            "max_length": 50, "precision": precision, "threads": 1, **levers_of(chosen.set),
        }  # fmt: skip
        for seed in chosen.seeds:
            for name in chosen.settings:
                key = {"data": split.sequences.name, "setting": name, "seed": seed, "set": shape}
                if any(key.items() <= row.items() for row in rows):
                    continue
                print(f"{split.sequences.name}, {name}, seed {seed}", file=sys.stderr)
                levers = {**shape, **SETTINGS[name], "seed": seed}
                figures = run(split, levers, chosen.neighbours)
                rows.append({**key, **figures})
                write_json(chosen.out, {"rows": rows})


if __name__ == "__main__":
    main()
