"""Ranking figures of GLINT-RU or a peer, under one loader, loss, recipe and metric.

    python benchmarks/accuracy.py --data ml-100k --model glint --seed 1 --minutes 10 --json
    python benchmarks/accuracy.py --data ml-100k --model sasrec --seed 1 --layers 1 --dropout 0.2

Leave-one-out; the figures of the test items at the epoch that validates best. All models predict
every item of the training sequences but the first, by cross-entropy over the whole catalogue.
`compare_models.py` runs them all, after a search.

What is ranked (`--protocol`): "auto" does as RecBoard and S3-Rec's line of code do: where nobody
takes an item twice, a user's own items are no candidates ("unseen"); elsewhere the whole catalogue
is ranked ("full"). The figures of "full", of the same epoch, are always printed beside.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from typing import Any

import torch
from models.contenders import CONTENDERS, GLINT, conditions, make_model, train_config
from models.fitting import fit

from glint_edge.config import TrainConfig
from glint_edge.data.log import load_log
from glint_edge.errors import ConfigError, GlintEdgeError
from glint_edge.evaluation.protocols import chosen_protocol
from glint_edge.evaluation.ranking import evaluate

SETTINGS = tuple(dict.fromkeys(name for one in CONTENDERS.values() for name in one.first))
# What is the same for all models of a log, unless a flag says otherwise.
SAME = ("d", "max_length", "batch_positions", "precision")
# More levers of a training that a flag may set.
LEVERS = ("schedule", "table_start", "average", "later_items", "neighbour_rows")


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Train for the time allowed; the test figures of the best epoch, and what was asked for.

    Raises:
        GlintEdgeError: the log cannot be read, or a flag's value is impossible.
    """
    if not asked.minutes > 0:  # NaN compares false with everything
        raise ConfigError(f"minutes must be a number above 0, not {asked.minutes}")
    settings = {**CONTENDERS[asked.model].first, **_of(asked, SETTINGS)}
    if unknown := settings.keys() - CONTENDERS[asked.model].first.keys():
        raise ConfigError(f"{asked.model} has no {min(unknown)}")
    log = load_log(asked.data)
    parts = log.split()
    protocol = chosen_protocol(asked.protocol, log.source, parts)
    same = conditions(parts, protocol, epochs=asked.epochs, patience=asked.patience)
    same = replace(same, **_of(asked, SAME))
    levers = _of(asked, ("seen_margin", "threads", *LEVERS))
    config = train_config(same, settings, asked.seed, **levers)
    if config.threads < 1:
        raise ConfigError(f"threads must be a whole number ≥ 1, not {config.threads}")
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    model = make_model(asked.model, parts.item_count, same.d, same.max_length, settings)
    done = fit(model, parts, config, protocol, minutes=asked.minutes)
    figures = evaluate(model, parts.test(), protocol=protocol)
    return {
        "ndcg_at_10": figures.ndcg, "recall_at_10": figures.recall, "mrr_at_10": figures.mrr,
        "minutes": round(done.minutes, 3), "epochs": done.epochs, "best_epoch": done.best_epoch,
        "protocol": protocol, "validation_ndcg_at_10": done.validation_ndcg,
        "full_ndcg_at_10": evaluate(model, parts.test()).ndcg, "data": parts.sequences.name,
        "model": asked.model, "seed": asked.seed, "threads": config.threads,
        "seen_margin": config.seen_margin, **{name: getattr(same, name) for name in SAME},
        **settings,
    }  # fmt: skip


def _of(asked: argparse.Namespace, names: tuple[str, ...]) -> dict[str, Any]:
    """The flags that were used."""
    return {name: getattr(asked, name) for name in names if getattr(asked, name) is not None}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line; None stands for what the model or the log decides."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="ml-100k, or a log")
    parser.add_argument("--model", choices=CONTENDERS, default=GLINT)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0, help="of training and validation")
    parser.add_argument("--epochs", type=int, default=20, help="the cosine ends there")
    parser.add_argument("--patience", type=int, default=6)
    parser.add_argument("--protocol", choices=("auto", "full", "unseen"), default="auto")
    parser.add_argument("--threads", type=int, help="default: 1")
    parser.add_argument("--seen-margin", type=float, help="default: 1 of unseen items, else 0")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    kinds = {field.name: field.type for field in TrainConfig.__dataclass_fields__.values()}
    for name in LEVERS:
        parser.add_argument(_flag(name), type={"str": str, "float": float, "int": int}[kinds[name]])
    for name in SETTINGS:
        first = next(one.first[name] for one in CONTENDERS.values() if name in one.first)
        parser.add_argument(_flag(name), type=type(first), help="default: the model's own")
    for name in SAME:
        kind = str if name == "precision" else int
        parser.add_argument(_flag(name), type=kind, help="default: the log's")
    return parser.parse_args(arguments)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def main() -> None:
    """Parse, train, print; exit code 2 and one line if it cannot be done."""
    asked = parse()
    try:
        result = measure(asked)
    except GlintEdgeError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    if asked.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:22} {value:.4f}" if isinstance(value, float) else f"{name:22} {value}")


if __name__ == "__main__":
    main()
