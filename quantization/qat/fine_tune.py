"""Quantization-aware training: a few epochs with int8's rounding inside, where int8 loses too much.

    model, report = fine_tune(checkpoint.model, split, checkpoint.training)
    quantize(stream_program(model))

The weights stay float32: training moves them to where rounding hurts less, and `quantize` rounds
them as always. What is lowered is the distance to the float model's own predictions. The training
loss would not do: the checkpoint is the epoch that validates best, and whatever goes on fitting the
training items from there validates worse (measured).
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from glint_edge.config import TrainConfig
from glint_edge.data.sequences import Split, require_trainable
from glint_edge.errors import ConfigError, DivergedError, MissingExtraError
from glint_edge.evaluation.ranking import evaluate
from glint_edge.extras import missing
from glint_edge.model.glint_ru import GlintRU
from glint_edge.model.protocols import Encoder
from glint_edge.processes.native_output import held_back
from glint_edge.training.epochs import train_epoch
from glint_edge.training.objective import Objective
from quantization.qat.distil import catalogue_divergence

if TYPE_CHECKING:
    from quantization.qat.fake_quantized import FakeQuantizedGlintRU

log = logging.getLogger("glint_edge.qat")  # the package's, which the command line shows

EXTRA = "glint-edge[qat]"
EPOCHS = 3
SLOWER = 0.02  # the learning rate, as a share of the training's: the model is nearly there


@dataclass(frozen=True)
class QatProgress:
    """Where the fine-tuning is, told after each batch."""

    epoch: int
    epochs: int
    batch: int
    batches: int
    loss: float


@dataclass(frozen=True)
class QatReport:
    """What fine-tuning won; NDCG@10 on the validation items.

    Attributes:
        ndcg_float: of the given model.
        ndcg_before: of the given model in int8.
        ndcg_after: of the returned model in int8; never below `ndcg_before`.
        epochs: trained.
        best_epoch: the returned model's; 0 is the given model, if no epoch was better.
        seconds: the whole took.
    """

    ndcg_float: float
    ndcg_before: float
    ndcg_after: float
    epochs: int
    best_epoch: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """As the manifest has it."""
        return asdict(self)


def fine_tune(
    model: GlintRU,
    split: Split,
    config: TrainConfig,
    *,
    epochs: int = EPOCHS,
    on_progress: Callable[[QatProgress], None] | None = None,
) -> tuple[GlintRU, QatReport]:
    """Train on with int8's rounding inside; keep the epoch whose int8 form validates best.

    Args:
        model: a trained model in evaluation mode; left as it is.
        split: what it was trained on.
        config: how it was trained; its epochs and patience do not matter here.
        epochs: passes over the training sequences.
        on_progress: called after each batch.

    Returns:
        A model in evaluation mode, to be quantized as any other, and what it won.

    Raises:
        ConfigError: `epochs` is below 1, the data has another catalogue, or the model is in
            training mode or imported.
        DataError: no history has two items to train on.
        MissingExtraError: torchao is not installed.
    """
    _check(model, split, epochs)
    require_trainable(split.sequences.name, split.predictions, split.item_count)
    started = time.perf_counter()
    if config.threads:
        torch.set_num_threads(config.threads)
    trained = _rounded(model)
    optimizer = torch.optim.Adam(trained.parameters(), lr=SLOWER * config.learning_rate)
    rng = np.random.default_rng(config.seed)
    scores = [_validate(trained, split)]
    best, best_epoch = trained.to_float(), 0
    for epoch in range(1, epochs + 1):
        progress = _progress_of(on_progress, epoch, epochs)
        try:
            train_epoch(trained, optimizer, split, config, rng, progress, _distance_to(model))
            scores.append(_validate(trained, split))
        except DivergedError as error:
            log.warning("%s in epoch %d of the fine-tuning, which ends here", error.what, epoch)
            break
        log.info("int8 validation NDCG@10 %.5f after epoch %d", scores[-1], epoch)
        if scores[-1] > scores[best_epoch]:
            best, best_epoch = trained.to_float(), epoch
    ndcg_float = evaluate(model, split.validation()).ndcg
    seconds = time.perf_counter() - started
    trained_epochs = len(scores) - 1
    return best, QatReport(
        ndcg_float, scores[0], scores[best_epoch], trained_epochs, best_epoch, seconds
    )


def _check(model: GlintRU, split: Split, epochs: int) -> None:
    """Refuse what cannot work, before anything slow is done."""
    if epochs < 1:
        raise ConfigError(f"quantization-aware training takes at least 1 epoch, not {epochs}")
    if model.training:
        raise ConfigError("the model is in training mode; call model.eval() first")
    if model.config.padding != "masked":
        raise ConfigError(
            "an imported model (reference padding) cannot be trained here; quantize it to int8"
        )
    if split.sequences.item_count != model.config.items:
        raise ConfigError(
            f"the model knows {model.config.items} items, the data has "
            f"{split.sequences.item_count}; give the data that it was trained on"
        )
    if missing(["torchao"]):
        raise MissingExtraError(EXTRA, "quantization-aware training")


def _rounded(model: GlintRU) -> FakeQuantizedGlintRU:
    """The model with int8's rounding inside, on torchao: imported here, since it takes seconds."""
    # At import it prints and warns of its own deprecations and of GPU libraries it has no use for.
    with held_back(streams=False), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from quantization.qat.fake_quantized import FakeQuantizedGlintRU
    return FakeQuantizedGlintRU(model)


def _distance_to(model: GlintRU) -> Objective:
    """How far the predictions after every prefix are from this model's."""
    wanted_rows = model.embedding.weight.detach()[1:]

    def distance(
        trained: Encoder, items: Tensor, lengths: Tensor, _: Tensor, __: Tensor | None = None, /
    ) -> Tensor:
        inside = torch.arange(items.shape[1]) < lengths[:, None]
        with torch.no_grad():
            wanted = model.prefixes(items, lengths)[inside]  # [P, d]
        hidden = trained.prefixes(items, lengths)[inside]
        rows = trained.embedding.weight[1:]
        return catalogue_divergence(hidden, rows, (wanted, wanted_rows))

    return distance


def _validate(model: FakeQuantizedGlintRU, split: Split) -> float:
    return evaluate(model, split.validation()).ndcg


def _progress_of(
    on_progress: Callable[[QatProgress], None] | None, epoch: int, epochs: int
) -> Callable[[int, int, float], None] | None:
    if on_progress is None:
        return None
    return lambda batch, batches, loss: on_progress(
        QatProgress(epoch, epochs, batch, batches, loss)
    )
