"""Ranking figures of GLINT-RU beside SASRec and GRU4Rec, under one loader, loss and metric.

    python benchmarks/accuracy.py --data ml-100k --model glint --seed 1 --minutes 10 --json
    python benchmarks/accuracy.py --data ml-100k --model sasrec --seed 1 --minutes 10

Leave-one-out; the figures of the test items at the epoch that validates best. All three predict
every item of the training sequences but the first, by cross-entropy over the whole catalogue.

What is ranked (`--protocol`): "auto" does as RecBoard and S3-Rec's line of code do: where nobody
takes an item twice, a user's own items are no candidates ("unseen"); elsewhere the whole catalogue
is ranked ("full"). The figures of "full", of the same epoch, are always printed beside.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from glint_edge.config import ModelConfig, TrainConfig
from glint_edge.data.log import load_log
from glint_edge.data.sequences import Split
from glint_edge.errors import ConfigError, GlintEdgeError
from glint_edge.evaluation.protocols import chosen_protocol
from glint_edge.evaluation.ranking import evaluate
from glint_edge.model.glint_ru import GlintRU
from glint_edge.training.epochs import make_optimizer, train_epoch
from glint_edge.training.objective import has_bfloat16

from peers import GRU4Rec, Peer, PeerConfig, SASRec  # isort: skip  # beside this script


@dataclass(frozen=True)
class Defaults:
    """What a model is trained with unless told otherwise; every one is a flag of every model."""

    d: int
    dropout: float
    learning_rate: float
    weight_decay: float
    l2: float
    batch_positions: int


# SASRec's dropout is RecBole's default. GLINT-RU's L2 was chosen on Beauty's validation items;
# nothing was searched for the peers: every column is a flag, to do so.
DEFAULTS = {
    #                 d  dropout rate decay  l2 positions a step
    "glint": Defaults(64, 0.2, 1e-3, 0.0, 1e-4, 1600),
    "sasrec": Defaults(64, 0.5, 1e-3, 0.0, 0.0, 1600),
    "gru4rec": Defaults(64, 0.5, 1e-3, 0.0, 0.0, 1600),
}


@dataclass(frozen=True)
class Fit:
    """How a training went; the model holds the best epoch's weights."""

    minutes: float
    epochs: int
    best_epoch: int
    validation_ndcg: float


def make_model(name: str, items: int, chosen: argparse.Namespace) -> GlintRU | Peer:
    """A fresh model of the catalogue's size.

    Raises:
        ConfigError: the width, the length or the dropout is impossible.
    """
    shape = {"items": items, "d": chosen.d, "max_length": chosen.max_length}
    if name == "glint":
        return GlintRU(
            ModelConfig(
                **shape, embedding_dropout=chosen.dropout, attention_dropout=chosen.dropout,
                block_dropout=min(0.9, chosen.dropout + 0.1),
            )
        )  # fmt: skip
    peer = {"sasrec": SASRec, "gru4rec": GRU4Rec}[name]
    return peer(PeerConfig(**shape, dropout=chosen.dropout))


def train_config(chosen: argparse.Namespace, protocol: str) -> TrainConfig:
    """How to train for this protocol: the margin helps only where seen items are never ranked.

    Raises:
        ConfigError: a flag's value is impossible.
    """
    if not chosen.minutes > 0:  # NaN compares false with everything
        raise ConfigError(f"minutes must be a number above 0, not {chosen.minutes}")
    if chosen.threads < 1:
        raise ConfigError(f"threads must be a whole number ≥ 1, not {chosen.threads}")
    margin = chosen.seen_margin
    if margin is None:
        margin = 1.0 if protocol == "unseen" else 0.0
    return TrainConfig(
        epochs=chosen.epochs, patience=chosen.patience, batch_positions=chosen.batch_positions,
        learning_rate=chosen.learning_rate, weight_decay=chosen.weight_decay, l2=chosen.l2,
        seen_margin=margin, precision=chosen.precision, seed=chosen.seed, threads=chosen.threads,
    )  # fmt: skip


def fit(
    model: GlintRU | Peer, parts: Split, config: TrainConfig, protocol: str, minutes: float
) -> Fit:
    """Train to the best validation NDCG@10 that these minutes, validation included, allow.

    No epoch is begun that would end too late if it took as long as the slowest one so far. The
    first always runs: without it there is nothing to measure.
    """
    rng = np.random.default_rng(config.seed)
    optimizer = make_optimizer(model, config)
    kept: dict[str, torch.Tensor] = {}
    best, best_epoch, epoch = -1.0, 0, 0
    began = time.perf_counter()
    spent = slowest = 0.0
    while epoch < config.epochs and epoch - best_epoch < config.patience:
        if epoch and spent + slowest > 60 * minutes:
            break
        epoch += 1
        loss = train_epoch(model, optimizer, parts, config, rng)
        ndcg = evaluate(model, parts.validation(), protocol=protocol).ndcg
        if ndcg > best:
            best, best_epoch = ndcg, epoch
            kept = {name: t.detach().clone() for name, t in model.state_dict().items()}
        before, spent = spent, time.perf_counter() - began
        slowest = max(slowest, spent - before)
        print(f"epoch {epoch}: loss {loss:.3f}, validation NDCG@10 {ndcg:.4f}, "
              f"{spent / 60:.1f} min", file=sys.stderr, flush=True)  # fmt: skip
    model.load_state_dict(kept)
    return Fit(spent / 60, epoch, best_epoch, best)


def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    """Train for the time allowed; the test figures of the best epoch, and what was asked for.

    Raises:
        GlintEdgeError: the log cannot be read, or a flag's value is impossible.
    """
    log = load_log(chosen.data)
    parts = log.split()
    protocol = chosen_protocol(chosen.protocol, log.source, parts)
    config = train_config(chosen, protocol)
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    model = make_model(chosen.model, parts.sequences.item_count, chosen)
    done = fit(model, parts, config, protocol, chosen.minutes)
    figures = evaluate(model, parts.test(), protocol=protocol)
    asked = ("model", "seed", *asdict(DEFAULTS[chosen.model]), "max_length", "precision", "threads")
    return {
        "ndcg_at_10": figures.ndcg, "recall_at_10": figures.recall, "mrr_at_10": figures.mrr,
        "minutes": round(done.minutes, 3), "epochs": done.epochs, "best_epoch": done.best_epoch,
        "protocol": protocol, "validation_ndcg_at_10": done.validation_ndcg,
        "full_ndcg_at_10": evaluate(model, parts.test()).ndcg, "data": parts.sequences.name,
        "seen_margin": config.seen_margin, **{name: getattr(chosen, name) for name in asked},
    }  # fmt: skip


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line, the model's own defaults filled in."""
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
    parser.add_argument("--seen-margin", type=float, help="default: 1 of unseen items, else 0")
    parser.add_argument("--precision", help="default: bfloat16 where the CPU has it, else float32")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    for name, value in asdict(DEFAULTS["glint"]).items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=type(value), help="default: the model's own"
        )
    chosen = parser.parse_args(arguments)
    if chosen.precision is None:
        chosen.precision = "bfloat16" if has_bfloat16("cpu") else "float32"
    for name, value in asdict(DEFAULTS[chosen.model]).items():
        if getattr(chosen, name) is None:
            setattr(chosen, name, value)
    return chosen


def main() -> None:
    """Parse, train, print; exit code 2 and one line if it cannot be done."""
    chosen = parse()
    try:
        result = measure(chosen)
    except GlintEdgeError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    if chosen.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:22} {value:.4f}" if isinstance(value, float) else f"{name:22} {value}")


if __name__ == "__main__":
    main()
