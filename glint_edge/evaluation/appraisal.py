"""All that `glint-edge evaluate` tells: the model, its baselines, both windows, the slices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from glint_edge.checkpoints.checkpoint import Checkpoint
from glint_edge.data.options import LoadOptions
from glint_edge.data.sequences import HeldOut
from glint_edge.data.source import part_of, read_beside, split_for
from glint_edge.evaluation.baselines import LastItemNeighbours, Popularity
from glint_edge.evaluation.ranking import RankingMetrics, metrics_of_ranks, target_ranks
from glint_edge.evaluation.slices import Slice, popularity_ranks, slices
from glint_edge.model.glint_ru import GlintRU
from glint_edge.model.protocols import Scorer
from glint_edge.tables import Table, columns, figure

Ids = npt.NDArray[np.int64]
Training = tuple[npt.NDArray[np.integer], Ids]

UNBOUNDED, POPULARITY, NEIGHBOURS = "unbounded", "popularity", "neighbours"


@dataclass(frozen=True, repr=False)
class Appraisal:
    """Figures of a model on held-out items.

    Attributes:
        figures: the model's, of the last N items of each history.
        unbounded: the model's over whole histories; None where none is longer than N.
        baselines: of those that need no model.
        slices: the figures of some of the users, with all of these.
        on: what was measured on what, in words.
        max_length: the model's N.
    """

    figures: RankingMetrics
    unbounded: RankingMetrics | None
    baselines: Mapping[str, RankingMetrics]
    slices: list[Slice]
    on: str = ""
    max_length: int = 0

    def table(self, title: str) -> Table:
        """The model beside its baselines, and over whole histories where some are longer than N."""
        rows = {
            f"the last {self.max_length} items" if self.unbounded else "the model": self.figures
        }
        if self.unbounded:
            rows["unbounded: all of a history"] = self.unbounded
        by_name = {name: one.to_dict() for name, one in {**rows, **self.baselines}.items()}
        header = ("", *self.figures.to_dict())
        return columns(
            title, header,
            [(name, *map(figure, figures.values())) for name, figures in by_name.items()],
        )  # fmt: skip

    def __repr__(self) -> str:
        mine, k = self.figures, self.figures.k
        return f"Appraisal({self.on or 'a model'}: NDCG@{k} {mine.ndcg:.4f}, {mine.users:,} users)"

    def _repr_html_(self) -> str:
        return self.table(self.on)._repr_html_()

    def to_dict(self) -> dict[str, Any]:
        """As `--json` prints it: the model's own figures first."""
        return {
            **self.figures.to_dict(),
            "unbounded": self.unbounded.to_dict() if self.unbounded else None,
            "baselines": {name: metrics.to_dict() for name, metrics in self.baselines.items()},
            "slices": [part.to_dict() for part in self.slices],
        }


def appraise(
    model: GlintRU,
    held_out: HeldOut,
    training: Training,
    *,
    popularity: Ids | None = None,
    protocol: str = "full",
    k: int = 10,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> Appraisal:
    """Measure a model and its baselines on the same users under the same protocol.

    Args:
        model: the float model.
        held_out: histories and targets.
        training: integers [T], the training sequences, one after another, and int64 [U + 1], where
            each starts. All that the baselines know.
        popularity: int64 [V + 1], by which negatives are sampled; None: training interactions.
        protocol: as `glint_edge.evaluation.ranking.target_ranks` takes it.
        seed: of sampled negatives.
        k: the cut.
        on_step: called with each step's name before it begins.

    Raises:
        ConfigError: the protocol is unknown.
    """
    counts = np.bincount(training[0], minlength=model.config.items + 1)
    drawn_by = counts if popularity is None else popularity

    lengths = np.diff(held_out.offsets)
    longer = bool((lengths > model.config.max_length).any())
    # With reference padding a history of N items leaves no pad: there is no longer one.
    whole = longer and model.config.padding == "masked"

    def ranks_of(name: str, scorer: Scorer, window: str = "sliding") -> Ids:
        on_step(f"ranking for {len(lengths):,} users: {name}")
        return target_ranks(
            scorer, held_out, protocol=protocol, popularity=drawn_by, seed=seed, window=window
        )

    ranks = ranks_of("the model", model)
    beside = {UNBOUNDED: ranks_of(UNBOUNDED, model, "unbounded")} if whole else {}
    beside[POPULARITY] = ranks_of(POPULARITY, Popularity(counts))
    beside[NEIGHBOURS] = ranks_of(NEIGHBOURS, LastItemNeighbours(*training, counts))
    figures = {name: metrics_of_ranks(own, k) for name, own in beside.items()}
    return Appraisal(
        figures=metrics_of_ranks(ranks, k),
        unbounded=figures.pop(UNBOUNDED, None),
        baselines=figures,
        slices=slices(
            ranks, lengths, popularity_ranks(counts)[held_out.targets], len(counts) - 1,
            k=k, beside=beside,
        ),
        max_length=model.config.max_length,
    )  # fmt: skip


def appraise_checkpoint(
    checkpoint: Checkpoint,
    *,
    data: object = None,
    options: LoadOptions | None = None,
    part: str = "test",
    protocol: str = "full",
    k: int = 10,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> Appraisal:
    """`appraise` on the "validation" or "test" items of a log, or of what it was trained on.

    Args:
        checkpoint: whose model is measured.
        data: what `load_log` takes, or what it returned; None: the checkpoint's own.
        options: what is to be read otherwise than the checkpoint stores.
        part: "validation" or "test".
        protocol: as for `appraise`, and so are the others.
        k: see there.
        seed: see there.
        on_step: see there.

    Raises:
        ConfigError: the protocol or the part is unknown.
        DataError: the log cannot be read, or shares no item with the model.
    """
    measured = _measured_on(checkpoint, data, options, part)
    appraisal = appraise(
        checkpoint.model, measured.held_out, measured.training, popularity=measured.popularity,
        protocol=protocol, k=k, seed=seed, on_step=on_step,
    )  # fmt: skip
    return replace(appraisal, on=f"{measured.name}, {part}, protocol {protocol}")


class _Measured(NamedTuple):
    """What a model is measured on; the fields are those of `appraise`."""

    name: str
    held_out: HeldOut
    training: Training
    popularity: Ids


def _measured_on(
    checkpoint: Checkpoint, data: object, options: LoadOptions | None, part: str
) -> _Measured:
    measured_log = read_beside(checkpoint.data, data, options)
    measured_log.tell_split()
    parts = split_for(measured_log, checkpoint.catalogue)
    return _Measured(measured_log.name, part_of(parts, part), parts.training(), parts.popularity())
