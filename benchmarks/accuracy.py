"""Ranking figures of GLINT-RU beside SASRec and GRU4Rec, under one loader, loss and metric.

    python benchmarks/accuracy.py --data ml-100k --model glint --seed 1 --minutes 10 --json
    python benchmarks/accuracy.py --data ml-100k --model sasrec --seed 1 --minutes 10

Leave-one-out; the figures of the test items at the epoch that validates best. All three predict
every item of the training sequences but the first, by cross-entropy over the whole catalogue.

What is ranked (`--protocol`): "auto" does as RecBoard and S3-Rec's line of code do: where nobody
takes an item twice, a user's own items are no candidates ("unseen"); elsewhere the whole catalogue
is ranked ("full"). The figures of "full" are always printed beside.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from glint_edge.config import ModelConfig, TrainConfig
from glint_edge.data import load, split
from glint_edge.errors import GlintEdgeError
from glint_edge.evaluate import evaluate
from glint_edge.model import GlintRU
from glint_edge.train import make_optimizer, train_epoch

from peers import GRU4Rec, PeerConfig, SASRec  # isort: skip  # beside this script


@dataclass(frozen=True)
class Defaults:
    """What a model is trained with unless told otherwise; chosen on Beauty's validation items."""

    d: int
    dropout: float
    learning_rate: float
    l2: float
    batch_positions: int


DEFAULTS = {
    "glint": Defaults(64, 0.2, 1e-3, 1e-4, 1600),
    "sasrec": Defaults(64, 0.5, 1e-3, 0.0, 1600),
    "gru4rec": Defaults(64, 0.5, 1e-3, 0.0, 1600),
}


def make_model(name: str, items: int, chosen: argparse.Namespace) -> Any:  # noqa: ANN401  # duck-typed
    """A fresh model of the catalogue's size."""
    if name == "glint":
        return GlintRU(
            ModelConfig(
                items=items, d=chosen.d, max_length=chosen.max_length,
                embedding_dropout=chosen.dropout, attention_dropout=chosen.dropout,
                block_dropout=min(0.9, chosen.dropout + 0.1),
            )
        )  # fmt: skip
    peer = {"sasrec": SASRec, "gru4rec": GRU4Rec}[name]
    return peer(
        PeerConfig(
            items=items, d=chosen.d, max_length=chosen.max_length, dropout=chosen.dropout
        )
    )  # fmt: skip


def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    """Train for the time allowed; the test figures of the best epoch."""
    torch.set_num_threads(chosen.threads)
    parts = split(load(chosen.data))
    auto = "full" if parts.sequences.has_repeats else "unseen"
    protocol = auto if chosen.protocol == "auto" else chosen.protocol
    torch.manual_seed(chosen.seed)
    rng = np.random.default_rng(chosen.seed)
    model = make_model(chosen.model, parts.sequences.catalogue, chosen)
    config = TrainConfig(
        batch_positions=chosen.batch_positions, learning_rate=chosen.learning_rate,
        l2=chosen.l2, seen_margin=chosen.seen_margin,
        precision=chosen.precision,
    )  # fmt: skip
    optimizer = make_optimizer(model, config)
    best, kept, best_epoch, epoch = -1.0, {}, 0, 0
    began = time.perf_counter()
    while epoch < chosen.epochs and epoch - best_epoch < chosen.patience:
        if time.perf_counter() - began > 60 * chosen.minutes and epoch:
            break
        epoch += 1
        loss = train_epoch(model, optimizer, parts, config, rng)
        ndcg = evaluate(model, parts.validation(), protocol=protocol).ndcg
        if ndcg > best:
            best, best_epoch = ndcg, epoch
            kept = {name: t.detach().clone() for name, t in model.state_dict().items()}
        minutes = (time.perf_counter() - began) / 60
        print(f"epoch {epoch}: loss {loss:.3f}, validation NDCG@10 {ndcg:.4f}, "
              f"{minutes:.1f} min", file=sys.stderr, flush=True)  # fmt: skip
    minutes = (time.perf_counter() - began) / 60
    model.load_state_dict(kept)
    figures = evaluate(model, parts.test(), protocol=protocol)
    full = evaluate(model, parts.test())
    return {
        "ndcg_at_10": figures.ndcg, "recall_at_10": figures.recall, "mrr_at_10": figures.mrr,
        "minutes": round(minutes, 2), "epochs": epoch, "best_epoch": best_epoch,
        "protocol": protocol, "validation_ndcg_at_10": best, "full_ndcg_at_10": full.ndcg,
        **{name: getattr(chosen, name) for name in ("model", "seed", *vars(DEFAULTS["glint"]))},
    }  # fmt: skip


def main() -> None:
    """Parse, train, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="ml-100k, or a log")
    parser.add_argument("--model", choices=DEFAULTS, default="glint")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0, help="of training and validation")
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--patience", type=int, default=5)
    parser.add_argument("--protocol", choices=("auto", "full", "unseen"), default="auto")
    parser.add_argument("--max-length", type=int, default=50)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seen-margin", type=float, default=1.0)
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    for name, kind in (
        ("d", int), ("dropout", float), ("learning-rate", float), ("l2", float),
        ("batch-positions", int),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=kind, help="default: the model's own")
    chosen = parser.parse_args()
    for name, value in vars(DEFAULTS[chosen.model]).items():
        if getattr(chosen, name) is None:
            setattr(chosen, name, value)
    try:
        result = measure(chosen)
    except GlintEdgeError as error:
        sys.exit(f"{error}")
    if chosen.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:22} {value:.4f}" if isinstance(value, float) else f"{name:22} {value}")


if __name__ == "__main__":
    main()
