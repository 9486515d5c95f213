"""What is kept of a run: the best epoch, the neighbours that help it, and what these come to.

Which epoch is the best is judged by the model alone: to choose how much neighbours count takes 17
rankings of the validation items (`glint_edge.evaluation.neighbours`), an epoch's own figure one. So
that is chosen once, of the best epoch, whose figures are then with neighbours and without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn
from torch.nn.utils import parametrize

from glint_edge.checkpoints.vectors import FieldVectors
from glint_edge.config import TrainConfig
from glint_edge.data.features import Features
from glint_edge.data.neighbours import Neighbours
from glint_edge.data.sequences import HeldOut, Split
from glint_edge.data.sharded.shards import ShardedLog
from glint_edge.evaluation.neighbours import fitting_neighbours
from glint_edge.evaluation.ranking import evaluate
from glint_edge.model.glint_ru import GlintRU
from glint_edge.processes.distributed import Alone
from glint_edge.training.epochs import Run
from glint_edge.training.field_rows import field_vectors

VALIDATION, TEST = "validation", "test"
WITHOUT_NEIGHBOURS = "_without_neighbours"  # after the name of a part, where there are some


@dataclass(frozen=True)
class Kept:
    """The best epoch of a run.

    Attributes:
        model: its item table is plain.
        neighbours: None: there are none, or they do not help.
        vectors: of the fields' values; None: they were no features.
    """

    model: GlintRU
    neighbours: Neighbours | None
    vectors: FieldVectors | None

    def figures(
        self, parts: Mapping[str, HeldOut], protocol: str, group: Alone | None = None
    ) -> dict[str, dict[str, float]]:
        """What it comes to on held-out items, by part; with neighbours, and beside that without.

        Args:
            parts: by name.
            protocol: as for `evaluate`.
            group: the processes that share the users.
        """
        figures = {}
        for part, held_out in parts.items():
            ways = {part: self.neighbours}
            if self.neighbours is not None:
                ways[part + WITHOUT_NEIGHBOURS] = None
            for name, neighbours in ways.items():
                figures[name] = evaluate(
                    self.model, held_out, group=group, protocol=protocol, neighbours=neighbours
                ).to_dict()
        return figures


def keep_best(
    run: Run,
    data: Split | ShardedLog,
    config: TrainConfig,
    *,
    features: Features | None,
    repeats: float | None,
    protocol: str,
    group: Alone | None = None,
) -> Kept:
    """Put a run's model to its best epoch, make its item table plain, and fit neighbours.

    Args:
        run: at least one epoch of it; its model is no more to be trained.
        data: training sequences and validation items.
        config: how it was trained.
        features: with which it was begun.
        repeats: share of the log's targets that repeat an item of their user's.
        protocol: "full" or "unseen".
        group: the processes that train together; None is this one alone.
    """
    model = run.model
    model.load_state_dict(run.best)
    vectors = field_vectors(model, features)
    make_plain(model.embedding)
    neighbours = None
    if config.neighbours:
        neighbours = fitting_neighbours(
            model, data, config.neighbours, repeats=repeats, protocol=protocol, group=group
        )
    return Kept(model, neighbours, vectors)


def make_plain(table: nn.Embedding) -> None:
    """Let an item table's rows be the vectors that they came to, in place: [V + 1, d]."""
    if parametrize.is_parametrized(table):
        parametrize.remove_parametrizations(table.eval(), "weight")
