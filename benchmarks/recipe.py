"""What each piece of the training recipe is worth: all of it, all but one, and none.

    python benchmarks/recipe.py amazon-beauty.txt amazon-video-games.txt --out recipe.json
    python benchmarks/recipe.py ml-100k --length 200 --out recipe.json

Leave-one-out; the figures of the test items at the epoch that validates best, users' own items left
out ("unseen") and not ("whole"). Each run is added to the file as soon as it is done, and what
stands there is not run again: an interrupted table is continued by the same command.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from glint_edge.config import configs
from glint_edge.data.log import load_log
from glint_edge.data.sequences import Split
from glint_edge.evaluation.ranking import evaluate
from glint_edge.files import write_json
from glint_edge.levers import Setting
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


def run(data: Split, levers: dict[str, Setting]) -> dict[str, Any]:
    """Train one setting: its figures."""
    model_config, config = configs(data.sequences.item_count, levers)
    began = time.perf_counter()
    training = begin(model_config, config, data)
    for epoch in epochs(training, data, config, protocol="unseen"):
        print(
            f"  epoch {epoch.epoch}: loss {epoch.loss:.3f}, validation NDCG@10 "
            f"{epoch.validation_ndcg_at_10:.4f}", file=sys.stderr, flush=True,
        )  # fmt: skip
    training.model.load_state_dict(training.best)
    test = data.test()
    return {
        "validation": training.best_ndcg,
        "unseen": evaluate(training.model, test, protocol="unseen").ndcg,
        "whole": evaluate(training.model, test).ndcg,
        "best_epoch": training.best_epoch,
        "epochs": len(training.history),
        "minutes": (time.perf_counter() - began) / 60,
    }


def main() -> None:
    """Run what is missing of the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", help="ml-100k, or logs")
    parser.add_argument("--out", type=Path, required=True, help="the JSON, which is added to")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, help="default: train's own")
    parser.add_argument("--length", type=int, default=50, help="N")
    parser.add_argument("--width", type=int, default=64, help="d")
    chosen = parser.parse_args()
    rows = json.loads(chosen.out.read_text("utf-8"))["rows"] if chosen.out.exists() else []
    precision = "bfloat16" if has_bfloat16("cpu") else "float32"
    for data in chosen.data:
        log = load_log(data)
        split = log.split()
        shape: dict[str, Setting] = {
            "d": chosen.width, "max_length": chosen.length, "precision": precision, "threads": 1,
            **({"epochs": chosen.epochs} if chosen.epochs else {}),
        }  # fmt: skip
        for seed in chosen.seeds:
            for name in chosen.settings:
                key = {"data": split.sequences.name, "setting": name, "seed": seed, "shape": shape}
                if any(key.items() <= row.items() for row in rows):
                    continue
                print(f"{split.sequences.name}, {name}, seed {seed}", file=sys.stderr)
                figures = run(split, {**shape, **SETTINGS[name], "seed": seed})
                rows.append({**key, **figures})
                write_json(chosen.out, {"rows": rows})


if __name__ == "__main__":
    main()
