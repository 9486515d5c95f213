"""What all trials of a study share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glint_edge.config import ModelConfig, TrainConfig, configs
from glint_edge.data.features import Features
from glint_edge.data.items import ItemFile, describing
from glint_edge.data.record import DataSource
from glint_edge.data.sequences import Split, require_trainable
from glint_edge.data.sharded.shards import ShardedLog
from glint_edge.evaluation.protocols import chosen_protocol
from glint_edge.levers import Setting
from glint_edge.training.run_file import run_settings
from glint_edge.training.search_space import OF_A_TRIAL, SPACE, searched

LOG, FEATURES = "log", "features"  # whose digests the trials share
THREADS = "threads"


@dataclass(frozen=True)
class Plan:
    """What is searched, in which data, and what is fixed.

    Attributes:
        data: to train and to validate on.
        source: of the data.
        folder: the study's.
        levers: those that are fixed.
        search: those that are drawn.
        protocol: what is ranked.
        items: what is shown of them, for the command that trains the best.
        features: of the items.
    """

    data: Split | ShardedLog
    source: DataSource
    folder: Path
    levers: Mapping[str, Setting]
    search: tuple[str, ...]
    protocol: str
    items: ItemFile | None
    features: Features | None

    def configs(self, drawn: Mapping[str, Setting]) -> tuple[ModelConfig, TrainConfig]:
        """A trial's configurations."""
        return configs(self.data.item_count, {**self.levers, **drawn})

    def settings(self, drawn: Mapping[str, Setting]) -> dict[str, Setting]:
        """A trial as a run of its own, by flag."""
        folder = self.folder / "best"
        return run_settings(*self.configs(drawn), self.source, folder, "cpu", self.items)

    def shared(self) -> dict[str, Any]:
        """What must not change within a study."""
        model, config = configs(self.data.item_count, self.levers)
        settings = {**vars(model), **vars(config), "protocol": self.protocol}
        apart = {*self.search, THREADS}
        fixed = {name: value for name, value in settings.items() if name not in apart}
        digests = {LOG: self.source.digest, FEATURES: self.features.digest if self.features else ""}
        return {"search": ", ".join(sorted(self.search)), **fixed, **digests}


def planned(
    data: Split | ShardedLog,
    source: DataSource,
    folder: Path,
    search: Sequence[str] | None,
    levers: Mapping[str, Setting],
    items: ItemFile | None,
) -> Plan:
    """The plan of a study, before any work is done.

    Args and errors: those of `glint_edge.training.tune.tune`.
    """
    require_trainable(source.name, data.predictions, data.item_count, cut=bool(data.splitting))
    every = {**OF_A_TRIAL, **levers}
    _, config = configs(data.item_count, every)
    protocol = chosen_protocol(config.protocol, source, data)
    chosen = searched(search, levers)
    for name in chosen:  # each of a few values is possible
        for value in getattr(SPACE[name], "values", ()):
            configs(data.item_count, {**every, name: value})
    features = describing(data.catalogue, items).features(items) if config.item_features else None
    return Plan(data, source, folder, every, chosen, protocol, items, features)
