"""A search for good settings, by Optuna: resumable, each trial one short training.

    glint-edge tune --data LOG --out STUDY --trials 30

`STUDY/journal.log` holds every trial; the same command with more trials goes on from it. What is
searched (`USUAL`, or any of `LEVERS`) decides how a model generalises; all else stays as given. A
trial that is clearly behind the others at the same epoch is stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import torch

from glint_edge.config import LOSSES, SCHEDULES, ModelConfig, TrainConfig
from glint_edge.data.sequences import Split
from glint_edge.data.shards import ShardedLog
from glint_edge.errors import CheckpointError, ConfigError, MissingExtraError
from glint_edge.evaluation.ranking import evaluate
from glint_edge.files import write_json
from glint_edge.model.glint_ru import GlintRU
from glint_edge.training.train import make_optimizer, train_epoch

if TYPE_CHECKING:
    import optuna

EXTRA = "glint-edge[tune]"
JOURNAL, BEST = "journal.log", "best.json"
STUDY = "glint-edge"

Setting: TypeAlias = float | int | str


@dataclass(frozen=True)
class Between:
    """A lever that is any number from `low` to `high`.

    Attributes:
        by_log: its logarithm is drawn evenly, in place of its size.
    """

    low: float
    high: float
    by_log: bool = False

    def draw(self, trial: optuna.Trial, name: str) -> float:
        """A value of this trial's."""
        return trial.suggest_float(name, self.low, self.high, log=self.by_log)


@dataclass(frozen=True)
class OneOf:
    """A lever with a few values."""

    values: tuple[Setting, ...]

    def draw(self, trial: optuna.Trial, name: str) -> Setting:
        """A value of this trial's."""
        return cast("Setting", trial.suggest_categorical(name, self.values))


LEVERS: Mapping[str, Between | OneOf] = {
    "embedding_dropout": Between(0.0, 0.6),
    "attention_dropout": Between(0.0, 0.6),
    "block_dropout": Between(0.0, 0.6),
    "learning_rate": Between(3e-4, 5e-3, by_log=True),
    "l2": Between(1e-6, 1e-3, by_log=True),
    "label_smoothing": Between(0.0, 0.2),
    "item_dropout": Between(0.0, 0.3),
    "crop": Between(0.0, 0.5),
    "weight_decay": Between(1e-4, 1.0, by_log=True),
    "schedule": OneOf(SCHEDULES),
    "d": OneOf((32, 64, 128)),
    "loss": OneOf(LOSSES),
    "calibration": Between(0.0, 1.0),
    "temperature": Between(0.03, 0.5, by_log=True),
    "seen_margin": Between(0.0, 5.0),
}
# Those that cost nothing but the trials.
USUAL = (
    "embedding_dropout", "attention_dropout", "block_dropout", "learning_rate", "l2",
    "label_smoothing", "item_dropout", "crop",
)  # fmt: skip
# Levers that not every loss has, with those that do; with others they are not drawn.
SOFTMAX = ("cross-entropy", "sampled-softmax")
LOSSES_OF: Mapping[str, tuple[str, ...]] = {
    "calibration": ("gbce",), "label_smoothing": SOFTMAX, "seen_margin": SOFTMAX,
}  # fmt: skip


@dataclass(frozen=True)
class TrialResult:
    """What a trial came to.

    Attributes:
        number: of the trial, from 0.
        settings: the values of the levers that were drawn.
        ndcg: best validation NDCG@10 of its epochs.
        epochs: trained.
        stopped: it was behind the others and not trained to its end.
    """

    number: int
    settings: dict[str, Setting]
    ndcg: float
    epochs: int
    stopped: bool

    def flags(self) -> str:
        """As `glint-edge train` takes them."""
        return " ".join(
            f"--{name.replace('_', '-')} {self.text(name, digits=4)}" for name in self.settings
        )

    def text(self, lever: str, digits: int) -> str:
        """A lever's value to read; a dash where it was not drawn."""
        value = self.settings.get(lever, "–")
        return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def tune(
    data: Split | ShardedLog,
    model_config: ModelConfig,
    config: TrainConfig,
    folder: Path,
    *,
    trials: int,
    search: Sequence[str] = USUAL,
    protocol: str = "full",
    on_trial: Callable[[TrialResult], None] | None = None,
) -> list[TrialResult]:
    """Search until the study in `folder` has so many finished trials; all of them, best first.

    Args:
        data: to train on; its validation items are what is searched for. The test items are not
            looked at.
        model_config: the model's shape; what is searched counts for nothing here.
        config: epochs and patience of a trial, and all that is not searched.
        folder: the study's; one that exists is gone on with.
        trials: finished ones in the end, those of earlier calls among them.
        search: names of `LEVERS`.
        protocol: what is ranked, as `glint_edge.evaluation.ranking.target_ranks` takes it.
        on_trial: called after each trial.

    Raises:
        ConfigError: `trials` or `search` is impossible, or the study was begun with other fixed
            settings.
        CheckpointError: the study in `folder` is damaged.
        MissingExtraError: Optuna is not installed.
    """
    if trials < 1:
        raise ConfigError(f"trials must be ≥ 1, not {trials}")
    _check_search(search)
    folder.mkdir(parents=True, exist_ok=True)
    study = _study(folder, config.seed)
    _claim(study, _fixed(model_config, config, protocol, search), folder)

    def objective(trial: optuna.Trial) -> float:
        drawn = _draw(trial, search, config.loss)
        return _train(trial, data, model_config, config, drawn, protocol)

    def told(_: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        write_json(folder / BEST, vars(_results(study)[0]))
        if on_trial:
            on_trial(_result(trial))

    if (left := trials - len(_results(study))) > 0:
        study.optimize(objective, n_trials=left, callbacks=[told])
    return _results(study)


def _check_search(search: Sequence[str]) -> None:
    if unknown := [name for name in search if name not in LEVERS]:
        raise ConfigError(f"cannot search {unknown[0]!r}; choose of {', '.join(LEVERS)}")
    if {"weight_decay", "l2"} <= set(search):
        raise ConfigError("weight_decay and l2 are two kinds: search one of them")


def _draw(trial: optuna.Trial, search: Sequence[str], loss: str) -> dict[str, Setting]:
    """A trial's values; the loss first, since some levers are not of every loss."""
    drawn: dict[str, Setting] = {}
    if "loss" in search:
        drawn["loss"] = loss = str(LEVERS["loss"].draw(trial, "loss"))
    for name in search:
        if name not in drawn and loss in LOSSES_OF.get(name, LOSSES):
            drawn[name] = LEVERS[name].draw(trial, name)
    return drawn


def _train(
    trial: optuna.Trial,
    data: Split | ShardedLog,
    model_config: ModelConfig,
    config: TrainConfig,
    drawn: dict[str, Setting],
    protocol: str,
) -> float:
    """One trial: the best validation NDCG@10 of its epochs."""
    import optuna

    of_model = {name: value for name, value in drawn.items() if hasattr(model_config, name)}
    of_training = {name: value for name, value in drawn.items() if name not in of_model}
    config = replace(config, **of_training)  # type: ignore[arg-type]  # each of its field's type
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    model = GlintRU(replace(model_config, **of_model))  # type: ignore[arg-type]  # the same
    optimizer, rng = make_optimizer(model, config), np.random.default_rng(config.seed)
    best, best_epoch = -1.0, 0
    for epoch in range(1, config.epochs + 1):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate_at(epoch)
        train_epoch(model, optimizer, data, config, rng)
        ndcg = evaluate(model, data.validation(), protocol=protocol).ndcg
        if ndcg > best:
            best, best_epoch = ndcg, epoch
        trial.set_user_attr("best", best)
        trial.set_user_attr("epochs", epoch)
        trial.report(ndcg, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
        if epoch - best_epoch >= config.patience:
            break
    return best


def _study(folder: Path, seed: int) -> optuna.Study:
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    except ImportError as error:
        raise MissingExtraError(EXTRA, "tuning") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(
            study_name=STUDY, direction="maximize", load_if_exists=True,
            storage=JournalStorage(JournalFileBackend(str(folder / JOURNAL))),
            # Behind the median of the others at the same epoch; five have to be through.
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=2),
            sampler=optuna.samplers.TPESampler(seed=seed),
        )  # fmt: skip
    except (ValueError, KeyError) as error:
        raise CheckpointError(
            f"{folder / JOURNAL} is damaged ({error}); choose another --out"
        ) from error


def _fixed(
    model: ModelConfig, config: TrainConfig, protocol: str, search: Sequence[str]
) -> dict[str, Any]:
    """What all trials of a study share."""
    settings = {"protocol": protocol, **model.to_dict(), **config.to_dict()}
    shared = {name: value for name, value in settings.items() if name not in {*search, "threads"}}
    return {"search": ", ".join(sorted(search)), **shared}


def _claim(study: optuna.Study, fixed: dict[str, Any], folder: Path) -> None:
    """Remember the fixed settings, or refuse others than the study was begun with."""
    stored = study.user_attrs.get("fixed")
    if stored is None:
        study.set_user_attr("fixed", fixed)
    elif stored != fixed:
        name = next(n for n in {**fixed, **stored} if stored.get(n) != fixed.get(n))
        raise ConfigError(
            f"the study in {folder} was begun with {name} {stored.get(name)!r}, not "
            f"{fixed.get(name)!r}; use that, or choose another --out"
        )


def _results(study: optuna.Study) -> list[TrialResult]:
    """All finished trials, best first."""
    found = [_result(trial) for trial in study.trials if trial.state.is_finished()]
    return sorted(found, key=lambda result: -result.ndcg)


def _result(trial: optuna.trial.FrozenTrial) -> TrialResult:
    return TrialResult(
        number=trial.number,
        settings=dict(trial.params),
        ndcg=trial.user_attrs.get("best", 0.0),
        epochs=trial.user_attrs.get("epochs", 0),
        stopped=trial.state.name == "PRUNED",
    )
