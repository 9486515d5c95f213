"""GLINT-RU and its peers as a comparison trains them: shape, settings, and where they are searched.

All are searched in the same way: dropout of the embedded items and of all else, step size, L2, and
of layers, heads and what their authors tuned those that a model has. The width is the same for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from glint_edge.config import LEVERS, ModelConfig, TrainConfig
from glint_edge.data.sequences import Split
from glint_edge.errors import ConfigError
from glint_edge.levers import Between, OneOf, Setting
from glint_edge.model.glint_ru import GlintRU
from glint_edge.training.objective import has_bfloat16
from models.peers import PEERS, Peer, PeerConfig

Settings: TypeAlias = Mapping[str, Setting]
Space: TypeAlias = Mapping[str, Between | OneOf]

GLINT = "glint"
LONG = 50  # items of a mean history, above which N and a step's positions are those of MovieLens
SCHEDULE: str = LEVERS["schedule"].default
LATER_ITEMS: float = LEVERS["later_items"].default
NEIGHBOUR_ROWS: int = LEVERS["neighbour_rows"].default
BLOCK_DROPOUT = 0.1  # GLINT-RU's gates and MLP drop so much more than its attention

# Each with the value of the first trial.
SPACE: Mapping[str, tuple[Between | OneOf, Setting]] = {
    "embedding_dropout": (Between(0.1, 0.6), 0.5),
    "dropout": (Between(0.1, 0.6), 0.3),
    "learning_rate": (Between(5e-4, 4e-3, by_log=True), 2e-3),
    "l2": (Between(1e-6, 1e-4, by_log=True), 1e-5),
}
LAYERS, HEADS = OneOf((1, 2)), OneOf((1, 2, 4))


@dataclass(frozen=True)
class Contender:
    """A model of the comparison.

    Attributes:
        title: in tables.
        kind: its class.
        own: what it has beside `SPACE`, each with the value of the first trial.
        like: another's name, whose settings it takes in place of a search.
        most_positions: a step's predictions at most; 0: as many as the others'.
    """

    title: str
    kind: str
    own: Mapping[str, tuple[Between | OneOf, Setting]]
    like: str = ""
    most_positions: int = 0

    @property
    def space(self) -> Space:
        """What is searched."""
        return {name: space for name, (space, _) in {**SPACE, **self.own}.items()}

    @property
    def first(self) -> Settings:
        """The first trial's settings, and what it is trained with where nothing was searched."""
        if self.like:
            return CONTENDERS[self.like].first
        return {name: value for name, (_, value) in {**SPACE, **self.own}.items()}


CONTENDERS: Mapping[str, Contender] = {
    GLINT: Contender("GLINT-RU", "hybrid", {"heads": (HEADS, LEVERS["heads"].default)}),
    "gru4rec": Contender("GRU4Rec", "RNN", {"layers": (LAYERS, 1)}),
    "sasrec": Contender("SASRec", "Transformer", {"layers": (LAYERS, 2), "heads": (HEADS, 1)}),
    "bsarec": Contender(
        "BSARec", "Transformer",
        {"layers": (LAYERS, 2), "heads": (HEADS, 1), "cutoff": (OneOf((3, 5, 7, 9)), 5),
         "alpha": (OneOf((0.1, 0.3, 0.5, 0.7, 0.9)), 0.7)},
    ),
    "fmlp_rec": Contender("FMLP-Rec", "MLP", {"layers": (LAYERS, 2)}),
    "mamba4rec": Contender("Mamba4Rec", "SSM", {"layers": (LAYERS, 1)}),
    "lrurec": Contender("LRURec", "linear RNN", {"layers": (LAYERS, 2)}),
    # As their authors train them, each prefix a window of its own: some twenty times as long.
    "bsarec_whole": Contender(
        "BSARec, whole windows", "Transformer", {}, like="bsarec", most_positions=400
    ),
    "fmlp_rec_whole": Contender(
        "FMLP-Rec, whole windows", "MLP", {}, like="fmlp_rec", most_positions=400
    ),
}  # fmt: skip
USUAL = tuple(name for name, one in CONTENDERS.items() if not one.like)


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What is the same for all models of a log.

    Attributes:
        epochs: at most.
        patience: epochs without a better one after which a training stops.
        d: width.
        max_length: N.
        batch_positions: predictions a step.
        protocol: by which an epoch is judged.
        precision: of products of matrices.
        schedule: the step size by epoch.
        later_items: what an item after the next one counts as a target, of the one before it.
        neighbour_rows: nearest items whose rows an item's vector takes in.
    """

    epochs: int
    patience: int
    d: int
    max_length: int
    batch_positions: int
    protocol: str
    precision: str
    schedule: str
    later_items: float
    neighbour_rows: int


def conditions(
    parts: Split,
    protocol: str,
    *,
    epochs: int,
    patience: int,
    d: int = 64,
    schedule: str = SCHEDULE,
    later_items: float = LATER_ITEMS,
    neighbour_rows: int = NEIGHBOUR_ROWS,
) -> Conditions:
    """Those of a log: long histories have a longer N and larger steps."""
    long = parts.sequences.mean_length > LONG
    return Conditions(
        epochs=epochs, patience=patience, d=d, protocol=protocol, schedule=schedule,
        later_items=later_items, neighbour_rows=neighbour_rows,
        max_length=200 if long else 50, batch_positions=3200 if long else 1600,
        precision="bfloat16" if has_bfloat16("cpu") else "float32",
    )  # fmt: skip


def make_model(
    name: str, items: int, d: int, max_length: int, settings: Settings
) -> GlintRU | Peer:
    """A fresh model of the catalogue's size.

    Args:
        name: of `CONTENDERS`.
        items: catalogue size V.
        d: width.
        max_length: N.
        settings: of its space; those of the training are left alone.

    Raises:
        ConfigError: there is no such model, or its shape is impossible.
    """
    if name not in CONTENDERS:
        raise ConfigError(f"model {name!r} is unknown; choose one of {', '.join(CONTENDERS)}")
    shape: dict[str, Any] = {
        key: value for key, value in settings.items() if key not in ("learning_rate", "l2")
    }
    shape |= {"items": items, "d": d, "max_length": max_length}
    if name != GLINT:
        like = CONTENDERS[name].like
        return PEERS[like or name](PeerConfig(**shape, whole=bool(like)))
    dropout = shape.pop("dropout")
    return GlintRU(
        ModelConfig(
            **shape, attention_dropout=dropout, block_dropout=min(0.9, dropout + BLOCK_DROPOUT)
        )
    )


def train_config(same: Conditions, settings: Settings, seed: int, **levers: Setting) -> TrainConfig:
    """How a model is trained; the margin helps only where seen items are never ranked.

    Raises:
        ConfigError: a setting is impossible.
    """
    chosen: dict[str, Any] = {
        "seen_margin": 1.0 if same.protocol == "unseen" else 0.0,
        "learning_rate": settings["learning_rate"], "l2": settings["l2"],
        "epochs": same.epochs, "patience": same.patience, "precision": same.precision,
        "batch_positions": same.batch_positions, "schedule": same.schedule, "seed": seed,
        "later_items": same.later_items, "neighbour_rows": same.neighbour_rows, "threads": 1,
        **levers,
    }  # fmt: skip
    return TrainConfig(**chosen)
