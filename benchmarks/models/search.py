"""The search for a model's settings: the same number of trials for each, on validation items alone.

Optuna's TPE and its median pruner, as `glint-edge tune` has them; the first trial is each model's
own (`contenders.Contender.first`). Every trial is a line of a file, with which a search goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from glint_edge.errors import ConfigError, DivergedError
from glint_edge.levers import Between, OneOf, Setting
from glint_edge.training.epochs import Epoch
from glint_edge.training.search_space import rounded
from models.contenders import Contender, Settings
from models.lines import add_line, read_lines

STARTUP, WARMUP = 5, 2  # trials and epochs before anything is pruned
SEED = 4

# Trains by settings, and calls the other after each epoch.
Objective = Callable[[Settings, Callable[[Epoch], None]], object]


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        settings: of the best trial.
        ndcg: its validation NDCG@10.
        trials: that were tried, those that were stopped early or diverged among them.
    """

    settings: dict[str, Setting]
    ndcg: float
    trials: int


def search(
    contender: Contender, path: Path, trials: int, fixed: dict[str, Any], train: Objective
) -> Found:
    """Search until so many trials are done.

    Args:
        contender: whose space it is.
        path: the file of trials, appended to.
        trials: in the end, those of earlier calls among them; 0: the first trial's settings.
        fixed: what all trials of a file must share.
        train: a training.

    Raises:
        ConfigError: the file was begun under other conditions.
    """
    if trials == 0:
        return Found(dict(contender.first), 0.0, 0)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    done = read_lines(path)
    if any(line["fixed"] != fixed for line in done):
        raise ConfigError(f"{path} was begun under other conditions; choose another --out")
    space = {name: _distribution(where) for name, where in contender.space.items()}
    study = optuna.create_study(
        direction="maximize",
        # Not the first call's draws once more, where a search goes on.
        sampler=optuna.samplers.TPESampler(seed=SEED + len(done)),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=WARMUP),
    )
    for line in done:
        study.add_trial(_trial(line, space))
    if not done:
        study.enqueue_trial(dict(contender.first))
    for number in range(len(done), trials):
        print(f"trial {number + 1} of {trials}", file=sys.stderr, flush=True)
        line = {**_try(study, space, train), "fixed": fixed}
        add_line(path, line)
        done.append(line)
    best = max(done[:trials], key=_best)
    return Found(best["settings"], _best(best), trials)


def best_settings(done: list[dict[str, Any]]) -> Settings | None:
    """Those of the best of some trials; None of no trial."""
    return max(done, key=_best)["settings"] if done else None


def _try(
    study: optuna.Study, space: dict[str, BaseDistribution], train: Objective
) -> dict[str, Any]:
    trial = study.ask(space)
    settings = {name: rounded(value) for name, value in trial.params.items()}
    print(settings, file=sys.stderr, flush=True)
    by_epoch: list[float] = []

    def after(epoch: Epoch) -> None:
        by_epoch.append(epoch.validation_ndcg_at_10)
        trial.report(epoch.validation_ndcg_at_10, epoch.epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    line = {"settings": settings, "drawn": trial.params, "by_epoch": by_epoch, "stopped": False}
    try:
        train(settings, after)
    except optuna.TrialPruned:
        line["stopped"] = True
    except DivergedError as error:
        print(error, file=sys.stderr, flush=True)  # a trial that was spent
    state = TrialState.PRUNED if line["stopped"] else TrialState.COMPLETE
    study.tell(trial, None if line["stopped"] else _best(line), state=state)
    return line


def _best(line: dict[str, Any]) -> float:
    """A trial's best validation NDCG@10; 0 where its first epoch diverged."""
    return max(line["by_epoch"], default=0.0)


def _trial(line: dict[str, Any], space: dict[str, BaseDistribution]) -> FrozenTrial:
    return create_trial(
        state=TrialState.PRUNED if line["stopped"] else TrialState.COMPLETE,
        params=line["drawn"], distributions=space, value=_best(line),
        intermediate_values=dict(enumerate(line["by_epoch"], start=1)),
    )  # fmt: skip


def _distribution(where: Between | OneOf) -> BaseDistribution:
    if isinstance(where, Between):
        return FloatDistribution(where.low, where.high, log=where.by_log)
    return CategoricalDistribution(where.values)
