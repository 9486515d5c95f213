"""One model on one log: its search, then a training for each seed, each a line of a file.

OUT/LOG/MODEL/trials.jsonl   the search
OUT/LOG/MODEL/runs.jsonl     a seed's figures
OUT/LOG/MODEL/seed-N.npz     where each user's test item ranks, also with neighbours
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glint_edge.data.log import load_log
from glint_edge.data.sequences import Split
from glint_edge.errors import ConfigError
from glint_edge.evaluation.metrics import metrics_of_ranks
from glint_edge.evaluation.neighbours import fitting_neighbours
from glint_edge.evaluation.protocols import chosen_protocol
from glint_edge.evaluation.ranking import ranked
from glint_edge.locks import try_lock
from models.contenders import (
    CONTENDERS,
    LATER_ITEMS,
    NEIGHBOUR_ROWS,
    SCHEDULE,
    Conditions,
    Settings,
    conditions,
    make_model,
    train_config,
)
from models.fitting import fit
from models.lines import add_line, read_lines
from models.search import best_settings, search

TRIALS, RUNS = "trials.jsonl", "runs.jsonl"
PROTOCOLS = {"unseen": "unseen", "whole": "full"}  # a table's word, and `evaluate`'s
EXPERT = "_expert"  # after a protocol's word: with the neighbours' expert
NEIGHBOURS = 32  # of an item
TRIAL_SEED = 1


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What each model has.

    Attributes:
        trials: of the search.
        trial_epochs: of a trial at most.
        epochs: of a training at most.
        patience: epochs without a better one after which a training stops.
        seeds: of the trainings with the best settings.
        d: width.
        schedule: the step size by epoch. Where it is constant, a trial's epochs are a training's
            first ones.
        later_items: what an item after the next one counts as a target, of the one before it.
        neighbour_rows: nearest items whose rows an item's vector takes in.
    """

    trials: int
    trial_epochs: int
    epochs: int
    patience: int
    seeds: Sequence[int]
    d: int = 64
    schedule: str = SCHEDULE
    later_items: float = LATER_ITEMS
    neighbour_rows: int = NEIGHBOUR_ROWS


@dataclass(frozen=True)
class Log:
    """A log, and what is the same for all models on it.

    Attributes:
        name: of the log.
        parts: what is trained on and held out.
        repeats: the share of targets that repeat an item; None: not counted.
        same: what is the same for all models.
    """

    name: str
    parts: Split
    repeats: float | None
    same: Conditions


def open_log(data: str, budget: Budget) -> Log:
    """Read a log.

    Raises:
        GlintEdgeError: it cannot be read.
    """
    whole = load_log(data)
    parts = whole.split()
    protocol = chosen_protocol(None, whole.source, parts)
    same = conditions(
        parts, protocol, epochs=budget.epochs, patience=budget.patience, d=budget.d,
        schedule=budget.schedule, later_items=budget.later_items,
        neighbour_rows=budget.neighbour_rows,
    )  # fmt: skip
    return Log(parts.sequences.name, parts, whole.source.repeats, same)


def run(log: Log, name: str, budget: Budget, out: Path) -> bool:
    """Search and train what `out` lacks; False where another process is at it.

    Raises:
        GlintEdgeError: a file there was begun under other conditions.
    """
    folder = out / log.name / name
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder) as mine:
        if mine:
            settings = _searched(log, name, budget, out)
            there = [(line["seed"], line["settings"], line["fixed"])
                     for line in read_lines(folder / RUNS)]  # fmt: skip
            for seed in budget.seeds:
                if (seed, settings, asdict(_same(log, name))) not in there:
                    print(f"{log.name}, {name}, seed {seed}", file=sys.stderr, flush=True)
                    add_line(folder / RUNS, _train(log, name, settings, seed, folder))
    return mine


def results(log: Log, name: str, budget: Budget, out: Path) -> list[dict[str, Any]]:
    """The last line of each seed, in their order; those of the settings that were found last."""
    lines = [line for line in read_lines(out / log.name / name / RUNS)
             if line["fixed"] == asdict(_same(log, name))]  # fmt: skip
    lines = [line for line in lines if line["settings"] == lines[-1]["settings"]]
    by_seed = {line["seed"]: line for line in lines}
    return [by_seed[seed] for seed in budget.seeds if seed in by_seed]


def ranks(log: Log, name: str, seed: int, out: Path) -> dict[str, Any]:
    """Where each user's test item ranks, int64 [U] each, by a table's word."""
    with np.load(out / log.name / name / f"seed-{seed}.npz") as arrays:
        return {key: arrays[key].astype(np.int64) for key in arrays.files}


def _searched(log: Log, name: str, budget: Budget, out: Path) -> Settings:
    """The best settings; of a contender that is like another, that one's."""
    path = out / log.name / (CONTENDERS[name].like or name) / TRIALS
    if like := CONTENDERS[name].like:
        if len(done := read_lines(path)) < budget.trials:
            raise ConfigError(f"{name} takes what is found for {like}: run --models {like}")
        return best_settings(done[: budget.trials]) or CONTENDERS[name].first

    same = replace(_same(log, name), epochs=budget.trial_epochs)

    def train(settings: Settings, after: Any) -> None:  # noqa: ANN401  # search.Objective's
        model = _fresh(log, name, settings, TRIAL_SEED)
        config = train_config(same, settings, TRIAL_SEED)
        fit(model, log.parts, config, log.same.protocol, after=after)

    print(f"{log.name}, {name}: search", file=sys.stderr, flush=True)
    return search(CONTENDERS[name], path, budget.trials, asdict(same), train).settings


def _same(log: Log, name: str) -> Conditions:
    most = CONTENDERS[name].most_positions
    return replace(log.same, batch_positions=most or log.same.batch_positions)


def _fresh(log: Log, name: str, settings: Settings, seed: int) -> Any:  # noqa: ANN401  # an Encoder
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    return make_model(name, log.parts.item_count, log.same.d, log.same.max_length, settings)


def _train(log: Log, name: str, settings: Settings, seed: int, folder: Path) -> dict[str, Any]:
    model = _fresh(log, name, settings, seed)
    config = train_config(_same(log, name), settings, seed)
    done = fit(model, log.parts, config, log.same.protocol)
    test = log.parts.test()
    expert = fitting_neighbours(
        model, log.parts, NEIGHBOURS, repeats=log.repeats, protocol=log.same.protocol
    )
    ranks = {
        word + ending: ranked(model, test, protocol=protocol, neighbours=one).ranks
        for word, protocol in PROTOCOLS.items()
        for ending, one in (("", None), (EXPERT, expert))
    }
    np.savez_compressed(folder / f"seed-{seed}.npz", **ranks)
    weights = sum(p.numel() for p in model.parameters())
    return {
        "log": log.name, "model": name, "seed": seed, "settings": dict(settings),
        "minutes": round(done.minutes, 3), "epochs": done.epochs, "best_epoch": done.best_epoch,
        "validation_ndcg_at_10": done.validation_ndcg, "weights": weights,
        "weights_without_table": weights - model.embedding.weight.numel(),
        "neighbours": {"c": expert.c, "gamma": expert.gamma} if expert else {"c": 0.0},
        **{word: metrics_of_ranks(one, weights=test.weights).to_dict()
           for word, one in ranks.items()},
        "fixed": asdict(_same(log, name)),
    }  # fmt: skip


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    with (folder / "lock").open("wb") as file:
        yield try_lock(file)
