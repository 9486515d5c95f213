"""Training: every prefix of every sequence in one pass, into a folder that survives `kill -9`."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from glint_edge.checkpoints.checkpoint import CONFIG, Checkpoint, save_checkpoint
from glint_edge.config import ModelConfig, TrainConfig
from glint_edge.data.features import Features
from glint_edge.data.items import ItemFile, describing
from glint_edge.data.record import DataSource
from glint_edge.data.sequences import Split, require_trainable
from glint_edge.data.sharded.shards import ShardedLog
from glint_edge.errors import ConfigError, DivergedError, InUseError
from glint_edge.evaluation.protocols import chosen_protocol
from glint_edge.processes.distributed import Alone, find_device
from glint_edge.staging import Identity, identity
from glint_edge.training.begin import begin
from glint_edge.training.curves import draw_curves
from glint_edge.training.epochs import Progress, Run, epochs
from glint_edge.training.field_rows import of_features
from glint_edge.training.kept import TEST, VALIDATION, keep_best
from glint_edge.training.objective import has_bfloat16
from glint_edge.training.run_file import RUN_FILE, run_settings, write_run
from glint_edge.training.run_folder import CURVES, claimed, restore, save_run, write_metrics
from glint_edge.training.run_place import RESUME

log = logging.getLogger(__name__)


def train(
    split: Split | ShardedLog,
    model_config: ModelConfig,
    config: TrainConfig,
    folder: Path,
    *,
    source: DataSource,
    items: ItemFile | None = None,
    resume: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    group: Alone | None = None,
    device: str = "cpu",
) -> Checkpoint:
    """Train until validation NDCG@10 stops growing; keep and return the best epoch.

    Args:
        split: training sequences and held-out items, in memory or in shards.
        model_config: `items` must be the catalogue's size.
        config: how to train.
        folder: the run's folder.
        source: recorded in the checkpoint.
        items: what is shown of the items; None: their titles as the log has them.
        resume: continue from `folder`'s last complete epoch.
        on_progress: called after each batch, and after each epoch.
        group: the processes that train together; None is this one alone. Rank 0 alone writes.
        device: "cpu" or "cuda".

    Raises:
        ProcessDied: another process of the group died.
        InUseError: another process trains into `folder`, or wrote to it meanwhile.
        ConfigError: `folder` holds a run and `resume` is off, or the other way round; there is no
            such device; or the group's processes have different data or settings.
        CheckpointError: the run in `folder` is damaged or was started with other settings or with
            another log.
        DataError: no history has two items to train on.
        DivergedError: the loss became NaN or infinite; `folder` has the best of the epochs before.
    """
    require_trainable(source.name, split.predictions, split.item_count, cut=bool(split.splitting))
    described = describing(split.catalogue, items)
    features = described.features(items) if config.item_features else None
    source = replace(source, notes=(*source.notes, *described.notes))
    group = group or Alone()
    at = find_device(device)
    with claimed(folder, resume) if group.rank == 0 else nullcontext():
        before = identity(folder / CONFIG)
        if group.rank == 0 and config.precision == "bfloat16" and not has_bfloat16(at.type):
            log.warning("this CPU has no bfloat16 instructions: float32 will be faster")
        run = begin(model_config, config, split, at, features, resumed=resume)
        protocol = chosen_protocol(config.protocol, source, split)
        settings = {
            "model": vars(model_config),
            "training": _result_settings(config),
            "log": {"digest": source.digest},
            "ranking": {"protocol": protocol},
            "features": of_features(features, config),
        }
        _require_same(
            group, [settings, config.epochs, config.patience, resume, dict(source.summary)]
        )
        if resume:
            path = folder / RESUME
            whole = group.copy_of_first(path.read_bytes() if group.rank == 0 else b"")
            restore(run, whole, path, settings)
            if group.rank == 0:
                write_metrics(run, folder)  # a kill may have come before the last epoch's
        if group.rank == 0:
            write_run(
                folder / RUN_FILE, run_settings(model_config, config, source, folder, device, items)
            )
        diverged: DivergedError | None = None
        try:
            for _ in epochs(
                run, split, config, group=group, protocol=protocol, on_progress=on_progress
            ):
                if group.rank == 0:
                    save_run(run, folder, settings)
        except DivergedError as error:
            if not run.history:
                raise
            diverged = error
        about = Checkpoint(run.model, described.catalogue, source, config)
        checkpoint = _finish(run, split, config, about, folder, group, before, protocol, features)
        _end(folder, diverged, group)
        return checkpoint


def _end(folder: Path, diverged: DivergedError | None, group: Alone) -> None:
    """Forget the run that is finished; one that diverged keeps its last epoch, and says so."""
    if diverged is not None:
        group.total(0)  # no process fails, and ends the others, before the first has written all
        raise DivergedError(
            f"{diverged.what}; the best of the epochs before is in {folder}", diverged.way_out
        ) from diverged
    if group.rank == 0:
        (folder / RESUME).unlink(missing_ok=True)


def _finish(
    run: Run,
    split: Split | ShardedLog,
    config: TrainConfig,
    about: Checkpoint,
    folder: Path,
    group: Alone,
    before: Identity | None,
    protocol: str,
    features: Features | None,
) -> Checkpoint:
    """Write the best epoch as a checkpoint, with its figures; `about`: all else that is known."""
    kept = keep_best(
        run, split, config, features=features, repeats=about.data.repeats, protocol=protocol,
        group=group,
    )  # fmt: skip
    parts = {VALIDATION: split.validation(), TEST: split.test()}
    metrics = kept.figures(parts, protocol, group)
    checkpoint = replace(
        about, model=kept.model.cpu().eval(), metrics=metrics, vectors=kept.vectors,
        neighbours=kept.neighbours,
    )  # fmt: skip
    if group.rank:
        return checkpoint
    if identity(folder / CONFIG) != before:
        raise InUseError(
            f"another process wrote a checkpoint to {folder} meanwhile; move it away, then "
            "continue with --resume"
        )
    save_checkpoint(checkpoint, folder)
    losses = [epoch.loss for epoch in run.history]
    draw_curves(folder / CURVES, losses, [epoch.validation_ndcg_at_10 for epoch in run.history])
    return checkpoint


def _require_same(group: Alone, own: list[Any]) -> None:
    """Refuse processes that would not take the same steps, as on machines with different logs."""
    mine = json.dumps(own, sort_keys=True).encode()
    if group.copy_of_first(mine) != mine:
        raise ConfigError(
            f"process {group.rank} has other data or other options than the first; give all of "
            "them the same command and the same log"
        )


def _result_settings(config: TrainConfig) -> dict[str, Any]:
    """The settings a resumed run must share: a longer run, more patience are welcome."""
    # Neighbours are counted in the end; the last three are compared as what they come to.
    free = (
        "epochs", "patience", "threads", "neighbours", "protocol", "item_features",
        "item_row_dropout",
    )  # fmt: skip
    return {name: value for name, value in config.to_dict().items() if name not in free}
