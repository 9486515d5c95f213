"""One training, the same for every model: the loop, loss and recipe of `glint-edge train`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from glint_edge.config import TrainConfig
from glint_edge.data.sequences import Split
from glint_edge.model.glint_ru import GlintRU
from glint_edge.training.begin import begin_with
from glint_edge.training.epochs import Epoch, epochs
from glint_edge.training.kept import make_plain
from models.peers import Peer


@dataclass(frozen=True)
class Fit:
    """How a training went; the model holds the best epoch's weights."""

    minutes: float
    epochs: int
    best_epoch: int
    validation_ndcg: float


def fit(
    model: GlintRU | Peer,
    parts: Split,
    config: TrainConfig,
    protocol: str,
    *,
    minutes: float = float("inf"),
    after: Callable[[Epoch], None] | None = None,
) -> Fit:
    """Train to the best validation NDCG@10.

    Args:
        model: fresh; torch's seed is set already.
        parts: of the log.
        config: how to train.
        protocol: what is ranked.
        minutes: of training and validation. No epoch is begun that would end too late if it took
            as long as the slowest one so far. The first always runs: without it there is nothing to
            measure.
        after: called after each epoch; may raise to stop.

    Raises:
        DivergedError: the loss or a weight is no number any more.
    """
    run = begin_with(model, config, parts)
    for epoch in epochs(run, parts, config, protocol=protocol):
        seconds = [each.seconds for each in run.history]
        print(f"epoch {epoch.epoch}: loss {epoch.loss:.3f}, validation NDCG@10 "
              f"{epoch.validation_ndcg_at_10:.4f}, {sum(seconds) / 60:.1f} min",
              file=sys.stderr, flush=True)  # fmt: skip
        if after:
            after(epoch)
        if sum(seconds) + max(seconds) > 60 * minutes:
            break
    model.load_state_dict(run.best)
    make_plain(model.embedding)
    spent = sum(each.seconds for each in run.history) / 60
    return Fit(spent, len(run.history), run.best_epoch, run.best_ndcg)
