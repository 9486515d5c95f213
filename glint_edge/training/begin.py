"""A run before its first epoch: the first weights, what the item table reads, and the optimizer."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.utils import parametrize

from glint_edge.config import ModelConfig, TrainConfig
from glint_edge.data.features import Features
from glint_edge.data.sequences import Split
from glint_edge.data.sharded.shards import ShardedLog
from glint_edge.model.glint_ru import GlintRU
from glint_edge.processes.threads import check_threads
from glint_edge.training.average import Averaged
from glint_edge.training.epochs import Run
from glint_edge.training.field_rows import add_field_rows
from glint_edge.training.neighbour_rows import neighbour_rows
from glint_edge.training.start import start

FUSED_FROM = 10_000_000  # parameters


def begin(
    model_config: ModelConfig,
    config: TrainConfig,
    data: Split | ShardedLog | None,
    device: torch.device | None = None,
    features: Features | None = None,
    *,
    resumed: bool = False,
) -> Run:
    """A run of a new model before its first epoch; sets torch's threads and seed.

    Args:
        model_config: of the model.
        config: how to train.
        data: the training sequences; None: the model knows nothing of them.
        device: where to compute; None is the CPU.
        features: of the items; None: a row of their own is all that these have.
        resumed: whether the run is put back to where it was, so that no weight need be set.
    """
    if config.threads:
        torch.set_num_threads(check_threads(config.threads))
    torch.manual_seed(config.seed)
    model = GlintRU(model_config)
    return begin_with(model, config, data, device, features, resumed=resumed)


def begin_with(
    model: GlintRU,
    config: TrainConfig,
    data: Split | ShardedLog | None,
    device: torch.device | None = None,
    features: Features | None = None,
    *,
    resumed: bool = False,
) -> Run:
    """The same of a model that there is, whose weights are those that were drawn."""
    table = model.embedding
    near = neighbour_rows(config, data, table.num_embeddings - 1)
    if data is not None and not resumed:
        start(model, config, data)
        if near is not None:
            near.shorten(table)
    if features is not None:
        add_field_rows(table, features, config.item_row_dropout)
    if near is not None:
        parametrize.register_parametrization(table, "weight", near)
    model.to(device or torch.device("cpu"))
    average = Averaged(model, config.average) if config.average else None
    return Run(model, make_optimizer(model, config), np.random.default_rng(config.seed), average)


def make_optimizer(model: torch.nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Adam, its L2 penalty as the training has it."""
    parameters = list(model.parameters())
    # One pass over memory in place of ten; smaller models keep the sums they always had.
    fused = sum(p.numel() for p in parameters) > FUSED_FROM
    return torch.optim.Adam(
        parameters, lr=config.learning_rate, weight_decay=config.l2, fused=fused
    )
