"""All that `glint-edge evaluate` tells: the model, its baselines, both windows, the slices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from glint_edge.baselines import LastItemNeighbours, Popularity
from glint_edge.data import HeldOut
from glint_edge.encoder import Scorer
from glint_edge.evaluate import RankingMetrics, metrics_of_ranks, target_ranks
from glint_edge.model import GlintRU
from glint_edge.slices import Slice, popularity_ranks, slices

Ids = npt.NDArray[np.int64]

POPULARITY, NEIGHBOURS = "popularity", "neighbours"


@dataclass(frozen=True)
class Appraisal:
    """Figures of a model on held-out items.

    Attributes:
        figures: the model's, of the last N items of each history.
        unbounded: the model's over whole histories; None where none is longer than N.
        baselines: of those that need no model.
        slices: the figures of some of the users, the baselines' NDCG beside each.
    """

    figures: RankingMetrics
    unbounded: RankingMetrics | None
    baselines: Mapping[str, RankingMetrics]
    slices: list[Slice]

    def to_dict(self) -> dict[str, Any]:
        """As `--json` prints it: the model's own figures first."""
        return {
            **self.figures.to_dict(),
            "unbounded": self.unbounded.to_dict() if self.unbounded else None,
            "baselines": {name: found.to_dict() for name, found in self.baselines.items()},
            "slices": [part.to_dict() for part in self.slices],
        }


def appraise(
    model: GlintRU,
    held_out: HeldOut,
    counts: Ids,
    *,
    training: tuple[Ids, Ids] | None,
    popularity: Ids | None = None,
    protocol: str = "full",
    k: int = 10,
    seed: int = 0,
) -> Appraisal:
    """Measure a model and its baselines on the same users under the same protocol.

    Args:
        model: the float model.
        held_out: histories and targets.
        counts: int64 [V + 1], training interactions by id.
        training: the training sequences, int64 [T] and where each starts [U + 1]; None: they do not
            fit into memory, and the neighbours are left out.
        popularity: int64 [V + 1], by which negatives are sampled; None: `counts`.
        protocol: as `glint_edge.evaluate.target_ranks` takes it.
        seed: of sampled negatives.
        k: the cut.

    Raises:
        ConfigError: the protocol is unknown.
    """
    drawn_by = counts if popularity is None else popularity

    def ranks_of(scorer: Scorer, window: str = "sliding") -> Ids:
        return target_ranks(
            scorer, held_out, protocol=protocol, popularity=drawn_by, seed=seed, window=window
        )

    ranks = ranks_of(model)
    baselines = {POPULARITY: ranks_of(Popularity(counts))}
    if training is not None:
        baselines[NEIGHBOURS] = ranks_of(LastItemNeighbours(*training, counts))
    lengths = np.diff(held_out.offsets)
    longer = bool((lengths > model.config.max_length).any())
    # With reference padding a history of N items leaves no pad: there is no longer one.
    whole = longer and model.config.padding == "masked"
    return Appraisal(
        figures=metrics_of_ranks(ranks, k),
        unbounded=metrics_of_ranks(ranks_of(model, "unbounded"), k) if whole else None,
        baselines={name: metrics_of_ranks(found, k) for name, found in baselines.items()},
        slices=slices(
            ranks, lengths, popularity_ranks(counts)[held_out.targets], len(counts) - 1,
            k=k, baselines=baselines,
        ),
    )  # fmt: skip
