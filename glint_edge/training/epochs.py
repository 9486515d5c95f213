"""The loop over epochs that a training and each trial of a search go through."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import parametrize

from glint_edge.config import TrainConfig
from glint_edge.data.batches import batches
from glint_edge.data.sequences import Split
from glint_edge.data.sharded.shards import ShardedLog
from glint_edge.errors import DivergedError
from glint_edge.evaluation.ranking import evaluate
from glint_edge.model.glint_ru import GlintRU
from glint_edge.model.protocols import Encoder
from glint_edge.processes.distributed import Alone
from glint_edge.training.average import Averaged, averaged
from glint_edge.training.objective import Objective, prefix_objective

TINY = 1e-300  # in place of no weight at all, which nothing is divided by


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
    """Where a run is, reported after each batch and each epoch."""

    epoch: int
    epochs: int
    batch: int
    batches: int
    loss: float
    last: Epoch | None


@dataclass
class Run:
    """All that changes during a run, and all that `resume.safetensors` holds."""

    model: GlintRU
    optimizer: torch.optim.Optimizer
    rng: np.random.Generator
    average: Averaged | None = None
    best: dict[str, Tensor] = field(default_factory=dict)
    history: list[Epoch] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """The number of the best epoch; 0 before the first."""
        return self.history[-1].best_epoch if self.history else 0

    @property
    def best_ndcg(self) -> float:
        """The best epoch's validation NDCG@10; below 0 before the first."""
        return max((e.validation_ndcg_at_10 for e in self.history), default=-1.0)

    def finished(self, config: TrainConfig) -> bool:
        """Whether no epoch is left, or patience has run out."""
        done = len(self.history)
        return done >= config.epochs or done - self.best_epoch >= config.patience


def epochs(
    run: Run,
    data: Split | ShardedLog,
    config: TrainConfig,
    *,
    group: Alone | None = None,
    protocol: str = "full",
    on_progress: Callable[[Progress], None] | None = None,
) -> Iterator[Epoch]:
    """Train until validation NDCG@10 stops growing; yields after each epoch.

    Args:
        run: changed in place: `run.best` are the weights of the best epoch.
        data: training sequences and held-out items, in memory or in shards.
        config: how to train.
        group: the processes that train together; None is this one alone.
        protocol: what is ranked, as `glint_edge.evaluation.ranking.ranked` takes it.
        on_progress: called after each batch, and after each epoch.

    Raises:
        DivergedError: the loss, a weight or a score is no number any more; `run.history` and
            `run.best` are those of the epochs before.
    """
    group = group or Alone()
    latest: list[Progress] = []

    def report(progress: Progress) -> None:
        latest[:] = [progress]
        if on_progress:
            on_progress(progress)

    on_cpu = next(run.model.parameters()).device.type == "cpu"
    while not run.finished(config):
        started = time.perf_counter()
        number = len(run.history) + 1
        for parameters in run.optimizer.param_groups:
            parameters["lr"] = config.learning_rate_at(number)
        # On the CPU, rank 0's dropout continues where it stopped; the others' must differ from it.
        if group.rank or not on_cpu:
            torch.manual_seed(hash((config.seed, len(run.history), group.rank)))
        try:
            loss = train_epoch(
                run.model, run.optimizer, data, config, run.rng, _report(run, config, report),
                group=group, average=run.average,
            )  # fmt: skip
            # After the epoch's last step, which no loss follows.
            if not all(weight.isfinite().all() for weight in run.model.parameters()):
                raise DivergedError("a weight became infinite or NaN", calmer(config))
            with averaged(run.model, run.average), parametrize.cached():  # one table an epoch
                ndcg = evaluate(run.model, data.validation(), group=group, protocol=protocol).ndcg
                better = ndcg > run.best_ndcg
                if better:
                    run.best = {n: t.detach().clone() for n, t in run.model.state_dict().items()}
        except DivergedError as error:
            raise DivergedError(f"{error.what} in epoch {number}", calmer(config)) from error
        seconds = time.perf_counter() - started
        run.history.append(Epoch(number, loss, ndcg, seconds, number if better else run.best_epoch))
        yield run.history[-1]
        if latest:
            report(replace(latest[0], last=run.history[-1]))


def train_epoch(
    model: Encoder,
    optimizer: torch.optim.Optimizer,
    split: Split | ShardedLog,
    config: TrainConfig,
    rng: np.random.Generator,
    on_batch: Callable[[int, int, float], None] | None = None,
    objective: Objective | None = None,
    group: Alone | None = None,
    average: Averaged | None = None,
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
        average: of the weights, taken further with every step.

    Returns:
        The mean loss of a prediction, by the targets' weights where they have some.

    Raises:
        DivergedError: a batch's loss is no number; no step was taken on it.
    """
    model.train()
    loss_of = objective or prefix_objective(config, split.counts())
    group = group or Alone()
    device = next(model.parameters()).device
    steps, expected = _batches(split, model.config.max_length, config, rng, group)
    total = predictions = 0.0
    number = 0
    while True:
        batch = next(steps, None)
        mine = 0.0 if batch is None else _weight(batch)
        count = group.total(mine)
        if count == 0 and group.total(float(batch is not None)) == 0:  # every process is through
            return total / max(predictions, TINY)
        number += 1
        optimizer.zero_grad(set_to_none=True)
        share = 0.0  # of the batch's mean loss
        if batch is not None and mine:
            with parametrize.cached():  # lookup and scoring read the same table
                loss = loss_of(model, *(tensor.to(device) for tensor in batch)) * (mine / count)
                loss.backward()
            share = loss.item()
        mean = group.total(share)
        if not math.isfinite(mean):
            raise DivergedError(f"the loss became {mean} at batch {number}", calmer(config))
        group.add_gradients(model)
        optimizer.step()
        if average:
            average.step(model)
        total, predictions = total + mean * count, predictions + count
        if on_batch:
            on_batch(number, max(number, expected), total / max(predictions, TINY))


def _weight(batch: tuple[Tensor, ...]) -> float:
    """How much the predictions of a batch count together: without weights, how many they are."""
    items, lengths, _, *weights = batch
    if not weights:
        return float(lengths.sum())
    inside = torch.arange(items.shape[1]) < lengths[:, None]
    return float(weights[0][inside].sum(dtype=torch.float64))


def calmer(config: TrainConfig) -> str:
    """What to change where training with these settings diverges."""
    ways = [f"a lower --learning-rate than {config.learning_rate:g}"]
    if config.precision != "float32":
        ways.append("--precision float32")
    return f"train again with {', or '.join(ways)}"


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
        own = data.batches(max_length, config.batch_positions // group.size, rng, group=group)
        return own, expected
    whole = list(
        batches(
            data.train_ids, data.train_offsets, max_length, config.batch_positions, rng,
            weights=data.train_weights(),
        )
    )  # fmt: skip
    return (group.part(batch) for batch in whole), len(whole)


def _report(
    run: Run, config: TrainConfig, on_progress: Callable[[Progress], None]
) -> Callable[[int, int, float], None]:
    last = run.history[-1] if run.history else None
    number = len(run.history) + 1
    return lambda batch, batches, loss: on_progress(
        Progress(number, config.epochs, batch, batches, loss, last)
    )
