"""A search for good settings, by Optuna: resumable, each trial one short training.

    glint-edge tune --data LOG --out STUDY --trials 30

`STUDY/journal.log` holds every trial; the same command with more trials continues it. What is
searched (`USUAL`, or any of `SPACE`) decides how a model generalises; all else stays as it is. A
trial that is clearly behind the others at the same epoch is stopped. `STUDY/best.toml` is the best
trial so far: `glint-edge train --config STUDY/best.toml` trains it, `STUDY/best.json` says what it
came to.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glint_edge.config import ModelConfig
from glint_edge.data.items import ItemFile
from glint_edge.data.record import DataSource
from glint_edge.data.sequences import Split
from glint_edge.data.sharded.shards import ShardedLog
from glint_edge.errors import CheckpointError, ConfigError, DivergedError, MissingExtraError
from glint_edge.files import write_json
from glint_edge.levers import Setting
from glint_edge.training.begin import begin
from glint_edge.training.epochs import epochs
from glint_edge.training.kept import VALIDATION, WITHOUT_NEIGHBOURS, keep_best
from glint_edge.training.run_file import command_of, write_run
from glint_edge.training.run_place import BEST, JOURNAL, TUNE
from glint_edge.training.search_space import draw, rounded
from glint_edge.training.trial_plan import FEATURES, LOG, THREADS, Plan, planned
from glint_edge.training.trials import TrialResult, Trials

if TYPE_CHECKING:
    import optuna
    from optuna.storages.journal import JournalFileSymlinkLock

log = logging.getLogger(__name__)

BEST_RUN = "best.toml"
STUDY = "glint-edge"
BEST_NDCG, ALONE = "best", "alone"  # of a trial, with neighbours if it has some, and without
MOST_DIVERGED = 10  # in a row


def tune(
    data: Split | ShardedLog,
    source: DataSource,
    folder: Path,
    *,
    trials: int,
    search: Sequence[str] | None = None,
    protocol: str | None = None,
    on_trial: Callable[[TrialResult], None] | None = None,
    levers: Mapping[str, Setting] | None = None,
    items: ItemFile | None = None,
) -> Trials:
    """Search until the study in `folder` has so many finished trials; all of them, best first.

    Args:
        data: to train on; its validation items are what is searched for. The test items are not
            looked at.
        source: of the data, for the command that trains the best.
        folder: the study's; continues a study that exists.
        trials: finished ones in the end, those of earlier calls among them. One that failed,
            diverged or was interrupted is not finished.
        search: names of `SPACE`; None is `USUAL` without what `levers` fixes.
        protocol: what is ranked, as `glint_edge.evaluation.ranking.ranked` takes it; None: as
            `train` does.
        on_trial: called after each trial.
        levers: what is fixed, by name; `OF_A_TRIAL` and the defaults of a training are the rest.
        items: whose fields are features of training, as for `train`.

    Raises:
        ConfigError: `trials`, `search` or a lever is impossible, or the study was begun with other
            fixed settings, with another log or with other item features.
        DataError: no history has two items to train on, or the items cannot be read.
        CheckpointError: the study in `folder` is damaged.
        DivergedError: `MOST_DIVERGED` trials diverged, one after another.
        MissingExtraError: Optuna is not installed.
    """
    if trials < 1:
        raise ConfigError(f"trials must be ≥ 1, not {trials}")
    if protocol is not None:
        levers = {**(levers or {}), "protocol": protocol}
    plan = planned(data, source, folder, search, levers or {}, items)
    shared = plan.shared()
    folder.mkdir(parents=True, exist_ok=True)
    study = _study(folder, int(shared["seed"]))
    _claim(study, shared, folder)

    def after(_: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if trial.state not in _finished():
            return
        _write_best(study, plan)
        if on_trial:
            on_trial(_result(trial, plan))

    in_a_row = 0
    while (finished := len(_results(study, plan))) < trials:
        _one_more(study, plan, after)
        in_a_row = in_a_row + 1 if len(_results(study, plan)) == finished else 0
        if in_a_row == MOST_DIVERGED:
            way_out = "fix --learning-rate at a lower value, or search other levers"
            raise DivergedError(f"{in_a_row} trials in a row diverged", way_out)
    return _results(study, plan)


def _one_more(study: optuna.Study, plan: Plan, after: Callable[..., None]) -> None:
    try:
        study.optimize(
            lambda trial: _train(trial, plan), n_trials=1, callbacks=[after],
            catch=(DivergedError,),
        )  # fmt: skip
    except AssertionError as error:  # Optuna's, of a trial whose end it could not write down
        raise ConfigError(
            f"{plan.folder / JOURNAL} cannot be written; free space or choose another place"
        ) from error


def _train(trial: optuna.Trial, plan: Plan) -> float:
    """One trial: what `train` would keep of it, judged by validation NDCG@10."""
    import optuna

    model, config = plan.configs(draw(trial, plan.search))
    trial.set_user_attr(THREADS, config.threads)
    run = begin(model, config, plan.data, features=plan.features)
    behind = False
    try:
        for epoch in epochs(run, plan.data, config, protocol=plan.protocol):
            trial.report(epoch.validation_ndcg_at_10, epoch.epoch)
            if behind := trial.should_prune():
                break
    except DivergedError as error:
        log.warning("trial %d diverged and does not count: %s", trial.number, error.what)
        raise
    kept = keep_best(
        run, plan.data, config, features=plan.features, repeats=plan.source.repeats,
        protocol=plan.protocol,
    )  # fmt: skip
    figures = kept.figures({VALIDATION: plan.data.validation()}, plan.protocol)
    ndcg = {part: figure["ndcg_at_10"] for part, figure in figures.items()}
    trial.set_user_attr("epochs", len(run.history))
    trial.set_user_attr(BEST_NDCG, ndcg[VALIDATION])
    if config.neighbours:
        trial.set_user_attr(ALONE, ndcg.get(VALIDATION + WITHOUT_NEIGHBOURS, ndcg[VALIDATION]))
    if behind:
        raise optuna.TrialPruned
    return ndcg[VALIDATION]


def _study(folder: Path, seed: int) -> optuna.Study:
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
    except ImportError as error:
        raise MissingExtraError(TUNE, "tuning") from error
    # Of a trial that fails it would print the stack.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    journal = folder / JOURNAL
    # It is held for milliseconds; one that a kill left is not to be waited for half a minute.
    lock = JournalFileSymlinkLock(str(journal), grace_period=5)
    try:
        _end_last_line(journal, lock)
        study = optuna.create_study(
            study_name=STUDY, direction="maximize", load_if_exists=True,
            storage=JournalStorage(JournalFileBackend(str(journal), lock)),
            # Behind the median of the others at the same epoch; five have to be through.
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=2),
        )  # fmt: skip
        # Not the first call's draws once more, where a study is continued.
        study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
        return study
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{journal} is damaged ({error}); choose another --out") from error


def _end_last_line(journal: Path, lock: JournalFileSymlinkLock) -> None:
    """Take away a last line that a kill or a full disk cut: what comes next would be part of it."""
    if not journal.is_file():
        return
    lock.acquire()
    try:
        with journal.open("r+b") as file:
            file.truncate(file.read().rfind(b"\n") + 1)
    finally:
        lock.release()


def _claim(study: optuna.Study, shared: dict[str, Any], folder: Path) -> None:
    """Remember the shared settings, or refuse others than the study was begun with."""
    stored = study.user_attrs.get("fixed")
    if stored is None:
        study.set_user_attr("fixed", shared)
        return
    # Studies were begun without.
    stored = {LOG: shared[LOG], FEATURES: "", **ModelConfig.BEFORE, **stored}
    for name, what in (
        (LOG, "another log, or this one has changed since; pass the log of then"),
        (FEATURES, "other item features; pass the --items and --item-field of then"),
    ):
        if stored[name] != shared[name]:
            raise ConfigError(
                f"the study in {folder} was begun with {what}, or choose another --out"
            )
    if stored["search"] == shared["search"] and stored.keys() != shared.keys():
        raise ConfigError(
            f"the study in {folder} was begun by another version of glint-edge; choose another "
            "--out"
        )
    if stored != shared:
        name = next(n for n in {**shared, **stored} if stored.get(n) != shared.get(n))
        raise ConfigError(
            f"the study in {folder} was begun with {name} {stored.get(name)!r}, not "
            f"{shared.get(name)!r}; use that, or choose another --out"
        )


def _results(study: optuna.Study, plan: Plan) -> Trials:
    """All finished trials, best first: neither failed, nor left running by a kill."""
    finished = study.get_trials(deepcopy=False, states=_finished())
    results = (_result(trial, plan) for trial in finished)
    return Trials(sorted(results, key=lambda result: -result.ndcg))


def _finished() -> tuple[optuna.trial.TrialState, ...]:
    from optuna.trial import TrialState

    return TrialState.COMPLETE, TrialState.PRUNED


def _result(trial: optuna.trial.FrozenTrial, plan: Plan) -> TrialResult:
    return TrialResult(
        number=trial.number,
        settings=_drawn(trial),
        ndcg=trial.user_attrs.get(BEST_NDCG, 0.0),
        epochs=trial.user_attrs.get("epochs", 0),
        stopped=trial.state.name == "PRUNED",
        command=command_of(_trained(trial, plan)),
        alone=trial.user_attrs.get(ALONE),
    )


def _drawn(trial: optuna.trial.FrozenTrial) -> dict[str, Setting]:
    return {name: rounded(value) for name, value in trial.params.items()}


def _trained(trial: optuna.trial.FrozenTrial, plan: Plan) -> dict[str, Setting]:
    """All that a trial was trained with, by flag; a study may be continued with other threads."""
    threads = {THREADS: trial.user_attrs[THREADS]} if THREADS in trial.user_attrs else {}
    return plan.settings({**_drawn(trial), **threads})


def _write_best(study: optuna.Study, plan: Plan) -> None:
    best = _results(study, plan)[0]
    trial = study.get_trials(deepcopy=False)[best.number]
    write_json(plan.folder / BEST, vars(best))
    title = f"trial {best.number}, {best.judgement}\n# {best.command}"
    write_run(plan.folder / BEST_RUN, _trained(trial, plan), title)
