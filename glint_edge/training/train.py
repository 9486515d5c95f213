"""Training: every prefix of every sequence in one pass, full-catalogue cross-entropy.

A run lives in one folder and survives `kill -9` at any moment:

    resume.safetensors   model, best model, Adam's moments, random state: replaced whole after
                         each epoch, gone when the run is finished
    metrics.jsonl        one line an epoch
    curves.png           the same, drawn when the run is finished
    config.json …        then also the checkpoint of the best epoch (checkpoints/checkpoint.py)

A resumed run goes on from the last complete epoch, bit for bit as if it had not stopped.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from safetensors.torch import load, save
from torch import Tensor

from glint_edge.checkpoints.checkpoint import Checkpoint, save_checkpoint
from glint_edge.config import ModelConfig, TrainConfig
from glint_edge.data.batches import batches
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.data.sequences import Split
from glint_edge.data.shards import ShardedLog
from glint_edge.errors import CheckpointError, ConfigError
from glint_edge.evaluation.ranking import evaluate
from glint_edge.files import write_atomic
from glint_edge.model.glint_ru import GlintRU
from glint_edge.model.protocols import Encoder
from glint_edge.processes.distributed import Alone, find_device
from glint_edge.training.curves import draw_curves
from glint_edge.training.objective import Objective, has_bfloat16, prefix_objective, scale_rows

log = logging.getLogger(__name__)

RESUME, METRICS, CURVES = "resume.safetensors", "metrics.jsonl", "curves.png"
FUSED_FROM = 10_000_000  # parameters


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to; a line of metrics.jsonl."""

    epoch: int
    loss: float
    validation_ndcg_at_10: float
    seconds: float
    best_epoch: int


@dataclass(frozen=True)
class Progress:
    """Where a run is, told after each batch."""

    epoch: int
    batch: int
    batches: int
    loss: float
    last: Epoch | None


@dataclass
class _Run:
    """All that changes during a run, and all that `resume.safetensors` holds."""

    model: GlintRU
    optimizer: torch.optim.Optimizer
    rng: np.random.Generator
    best: dict[str, Tensor] = field(default_factory=dict)
    history: list[Epoch] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        return self.history[-1].best_epoch if self.history else 0

    @property
    def best_ndcg(self) -> float:
        return max((e.validation_ndcg_at_10 for e in self.history), default=-1.0)

    def finished(self, config: TrainConfig) -> bool:
        done = len(self.history)
        return done >= config.epochs or done - self.best_epoch >= config.patience


def train(
    split: Split | ShardedLog,
    model_config: ModelConfig,
    config: TrainConfig,
    folder: Path,
    *,
    source: DataSource,
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
        resume: go on from `folder`'s last complete epoch.
        on_progress: called after each batch.
        group: the processes that train together; None is this one alone. Rank 0 alone writes.
        device: "cpu" or "cuda".

    Raises:
        ProcessDied: another process of the group died.
        ConfigError: `folder` holds a run and `resume` is off, or the other way round; there is no
            such device; or the group's processes were given different data or settings.
        CheckpointError: the run in `folder` is damaged or was started with other settings.
    """
    group = group or Alone()
    at = find_device(device)
    if group.rank == 0:
        _claim(folder, resume)
        if config.precision == "bfloat16" and not has_bfloat16(at.type):
            log.warning("this CPU has no bfloat16 instructions: float32 will be faster")
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    model = GlintRU(model_config).to(at)
    run = _Run(model, make_optimizer(model, config), np.random.default_rng(config.seed))
    settings = {"model": model_config.to_dict(), "training": _result_settings(config)}
    _require_same(group, [settings, config.epochs, config.patience, resume, dict(source.summary)])
    if resume:
        path = folder / RESUME
        _restore(
            run, group.copy_of_first(path.read_bytes() if group.rank == 0 else b""), path, settings
        )
    while not run.finished(config):
        started = time.perf_counter()
        for parameters in run.optimizer.param_groups:
            parameters["lr"] = config.learning_rate_at(len(run.history) + 1)
        # On the CPU, rank 0's dropout goes on where it stopped; the others' must differ from it.
        if group.rank or at.type != "cpu":
            torch.manual_seed(hash((config.seed, len(run.history), group.rank)))
        loss = train_epoch(
            run.model, run.optimizer, split, config, run.rng, _report(run, on_progress),
            group=group,
        )  # fmt: skip
        ndcg = evaluate(run.model, split.validation(), group=group).ndcg
        epoch = len(run.history) + 1
        if better := ndcg > run.best_ndcg:
            run.best = {n: t.detach().clone() for n, t in run.model.state_dict().items()}
        run.history.append(
            Epoch(epoch, loss, ndcg, time.perf_counter() - started,
                  epoch if better else run.best_epoch)
        )  # fmt: skip
        if group.rank == 0:
            _save_run(run, folder, settings)
    return _finish(run, split, config, folder, source, group)


def train_epoch(
    model: Encoder,
    optimizer: torch.optim.Optimizer,
    split: Split | ShardedLog,
    config: TrainConfig,
    rng: np.random.Generator,
    on_batch: Callable[[int, int, float], None] | None = None,
    objective: Objective | None = None,
    group: Alone | None = None,
) -> float:
    """One pass over every (prefix, next item) of the training sequences.

    Args:
        model: updated in place.
        optimizer: of its parameters.
        split: the training sequences.
        config: batch size, loss and regularisation.
        rng: of the window boundaries and the order.
        on_batch: called with (batch, batches, the mean loss so far).
        objective: what to lower; None is what `config` says.
        group: the processes that train together; each takes its part of every batch.

    Returns:
        The mean loss of a prediction.
    """
    model.train()
    loss_of = objective or prefix_objective(config, split.counts())
    group = group or Alone()
    device = next(model.parameters()).device
    steps, expected = _batches(split, model.config.max_length, config, rng, group)
    scale_rows(model, config)
    total = predictions = 0.0
    number = 0
    while True:
        batch = next(steps, None)
        mine = 0 if batch is None else int(batch[1].sum())
        count = group.total(mine)
        if count == 0:  # every process is through
            return total / predictions
        number += 1
        optimizer.zero_grad(set_to_none=True)
        share = 0.0  # of the batch's mean loss
        if batch is not None and mine:
            items, lengths, targets = (tensor.to(device) for tensor in batch)
            loss = loss_of(model, items, lengths, targets) * (mine / count)
            loss.backward()
            share = loss.item()
        group.add_gradients(model)
        optimizer.step()
        scale_rows(model, config)
        total, predictions = total + group.total(share) * count, predictions + count
        if on_batch:
            on_batch(number, max(number, expected), total / predictions)


def _batches(
    data: Split | ShardedLog,
    max_length: int,
    config: TrainConfig,
    rng: np.random.Generator,
    group: Alone,
) -> tuple[Iterator[tuple[Tensor, ...]], int]:
    """One epoch's batches, this process's part of each, and about how many there are."""
    if isinstance(data, ShardedLog):
        expected = data.summary["interactions"] // (config.batch_positions * group.size)
        found = data.batches(
            max_length, config.batch_positions // group.size, rng, crop=config.crop, group=group
        )
        return found, expected
    whole = list(
        batches(
            data.train_ids, data.train_offsets, max_length, config.batch_positions, rng,
            crop=config.crop,
        )
    )  # fmt: skip
    return (group.part(batch) for batch in whole), len(whole)


def make_optimizer(model: torch.nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Adam, with either kind of weight decay."""
    parameters = list(model.parameters())
    # One pass over memory in place of ten; smaller models keep the sums they always had.
    fused = sum(p.numel() for p in parameters) > FUSED_FROM
    if config.l2:
        return torch.optim.Adam(
            parameters, lr=config.learning_rate, weight_decay=config.l2, fused=fused
        )
    # Biases, norms and the mixing scalars are not decayed.
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=fused)


def _report(
    run: _Run, on_progress: Callable[[Progress], None] | None
) -> Callable[[int, int, float], None] | None:
    if on_progress is None:
        return None
    last = run.history[-1] if run.history else None
    epoch = len(run.history) + 1
    return lambda batch, batches, loss: on_progress(Progress(epoch, batch, batches, loss, last))


def _finish(
    run: _Run,
    split: Split | ShardedLog,
    config: TrainConfig,
    folder: Path,
    source: DataSource,
    group: Alone,
) -> Checkpoint:
    """Write the best epoch as a checkpoint, with its figures."""
    model = run.model
    model.load_state_dict(run.best)
    metrics = {
        "validation": evaluate(model, split.validation(), group=group).to_dict(),
        "test": evaluate(model, split.test(), group=group).to_dict(),
    }
    sequences = split if isinstance(split, ShardedLog) else split.sequences
    catalogue = Catalogue(sequences.keys, sequences.titles)
    checkpoint = Checkpoint(model.cpu().eval(), catalogue, source, config, metrics)
    if group.rank:
        return checkpoint
    save_checkpoint(checkpoint, folder)
    losses = [epoch.loss for epoch in run.history]
    draw_curves(folder / CURVES, losses, [epoch.validation_ndcg_at_10 for epoch in run.history])
    (folder / RESUME).unlink(missing_ok=True)
    return checkpoint


# ---- the run's folder ---------------------------------------------------------------------------


def _claim(folder: Path, resume: bool) -> None:
    """Refuse to overwrite a run, or to resume none, before any work is done."""
    if resume and not (folder / RESUME).is_file():
        raise ConfigError(f"{folder} holds no unfinished run; leave out --resume to start one")
    if not resume and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        unfinished = (folder / RESUME).is_file()
        way_out = "add --resume to go on with it" if unfinished else "choose another --out"
        raise ConfigError(f"{folder} exists and is not empty; {way_out}")
    folder.mkdir(parents=True, exist_ok=True)


def _require_same(group: Alone, told: list[Any]) -> None:
    """Refuse processes that would not take the same steps, as on machines with different logs."""
    mine = json.dumps(told, sort_keys=True).encode()
    if group.copy_of_first(mine) != mine:
        raise ConfigError(
            f"process {group.rank} has other data or other options than the first; give all of "
            "them the same command and the same log"
        )


def _result_settings(config: TrainConfig) -> dict[str, Any]:
    """The settings a resumed run must share: a longer run, more patience are welcome."""
    free = ("epochs", "patience", "threads")
    return {name: value for name, value in config.to_dict().items() if name not in free}


def _save_run(run: _Run, folder: Path, settings: dict[str, Any]) -> None:
    tensors = {f"model.{n}": t for n, t in run.model.state_dict().items()}
    tensors |= {f"best.{n}": t for n, t in run.best.items()}
    for index, state in run.optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{index}.{name}": value for name, value in state.items()}
    tensors["rng.torch"] = torch.get_rng_state()
    metadata = {
        "settings": json.dumps(settings),
        "history": json.dumps([vars(epoch) for epoch in run.history]),
        "rng.numpy": json.dumps(run.rng.bit_generator.state),
    }
    whole = save({n: t.detach().contiguous() for n, t in tensors.items()}, metadata)
    write_atomic(folder / RESUME, whole)
    # Written anew, so that a resumed run repeats no epoch in it.
    lines = "".join(json.dumps(vars(epoch)) + "\n" for epoch in run.history)
    write_atomic(folder / METRICS, lines.encode())


def _restore(run: _Run, whole: bytes, path: Path, settings: dict[str, Any]) -> None:
    """Put a run back to its last complete epoch, from the bytes of the file at `path`."""
    try:
        tensors = load(whole)
        # The format's header: its length in 8 bytes, then JSON; `load` leaves the metadata out.
        header = json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])
        metadata = header["__metadata__"]
        stored = json.loads(metadata["settings"])
        history = [Epoch(**values) for values in json.loads(metadata["history"])]
        numpy_state = json.loads(metadata["rng.numpy"])
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path} is damaged ({error}); start again without --resume"
        ) from error
    if stored != settings:
        raise CheckpointError(
            f"{path} was started with other settings: {_differences(stored, settings)}"
        )
    run.model.load_state_dict(_group(tensors, "model."))
    run.best = _group(tensors, "best.")
    adam = run.optimizer.state_dict()
    adam["state"] = {}
    for name, value in _group(tensors, "adam.").items():
        index, key = name.split(".", 1)
        adam["state"].setdefault(int(index), {})[key] = value
    run.optimizer.load_state_dict(adam)
    run.history = history
    run.rng.bit_generator.state = numpy_state
    torch.set_rng_state(tensors["rng.torch"])
    log.info("resumed %s after epoch %d", path.parent, len(history))


def _group(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}


def _differences(stored: dict[str, Any], settings: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {stored[part].get(name)!r} then, {value!r} now"
        for part in settings
        for name, value in settings[part].items()
        if stored[part].get(name) != value
    )
