"""The two configurations: what a model is, and how it was trained.

Both are frozen, validated once when made, and stored as JSON beside the weights. Each field is a
lever: what it means, what it may be and where it is searched is declared here and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

from glint_edge.errors import ConfigError
from glint_edge.levers import Between, Lever, OneOf, Setting, lever, levers_of, refuse_unknown
from glint_edge.suggestions import one_of

T = TypeVar("T", bound="_JsonConfig")

# Headings of the levers, in the order in which people meet them.
PANELS = ("Model", "Steps", "Loss", "Against overfitting", "Beside the model")
MODEL, STEPS, LOSS, OVERFITTING, NEIGHBOURS = PANELS

VARIANTS = ("edge", "paper")
PADDINGS = ("masked", "reference")
LOSSES = ("cross-entropy", "sampled-softmax")
STARTS = ("svd", "random")
SCHEDULES = ("constant", "cosine")
PRECISIONS = ("float32", "bfloat16")
AUTO = "auto"
JUDGED = (AUTO, "full", "unseen")  # by what an epoch is judged

# Levers that there were, with the value that did nothing.
GONE_LEVERS: Mapping[str, Setting] = {
    "warmup_epochs": 0, "calibration": 0.75, "label_smoothing": 0.0, "temperature": 0.0,
    "item_dropout": 0.0, "crop": 0.0, "weight_decay": 0.0,
}  # fmt: skip

# Of a history longer than N: its last N items, or all of it.
WINDOWS = ("sliding", "unbounded")


class _JsonConfig:
    """To and from a plain dict; unknown or missing keys are refused by name.

    Attributes:
        BEFORE: settings that were stored once there was a choice, and what was done before.
        GONE: settings that are stored no more.
    """

    BEFORE: ClassVar[Mapping[str, Setting]] = {}
    GONE: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        for name, about in levers_of(type(self)).items():  # type: ignore[arg-type]  # mypy takes a class for one of its objects
            about.check(getattr(self, name))

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]  # every subclass is a dataclass

    @classmethod
    def from_dict(cls: type[T], values: Mapping[str, Any]) -> T:
        """Build from stored values.

        Raises:
            ConfigError: a key is unknown, missing, or has an impossible value.
        """
        known = {field.name for field in fields(cls)}  # type: ignore[arg-type]  # a dataclass
        values = {n: v for n, v in {**cls.BEFORE, **values}.items() if n not in cls.GONE}
        if unknown := sorted(set(values) - known):
            raise ConfigError(
                f"unknown setting {unknown[0]!r} in a stored {cls.__name__}; "
                "it was written by a newer glint-edge: upgrade this one"
            )
        # Today's default may not be what the file was written with.
        if missing := sorted(known - set(values)):
            raise ConfigError(f"a stored {cls.__name__} is incomplete: it has no {missing[0]!r}")
        return cls(**values)


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise ConfigError(message)


@dataclass(frozen=True, kw_only=True)
class ModelConfig(_JsonConfig):
    """Shape of a GLINT-RU (arXiv 2406.10244, section 3); `levers_of` it says what each field is.

    The authors' code has no choice of `block_dropout` (0.3) and `norm_eps` (1e-12). A model that
    was trained with `padding` "reference" (glint_edge.checkpoints.recbole imports them) needs it.
    """

    # A model of the paper is stored as it was before there was another: the same digest.
    BEFORE: ClassVar[Mapping[str, Setting]] = {
        "variant": "paper", "input_norm": True, "low_pass": True,
    }  # fmt: skip

    items: int = lever(
        low=1, help="Catalogue size V; ids run from 1 to V, 0 is padding or unknown."
    )
    d: int = lever(
        64, low=1, panel=MODEL, search=OneOf((32, 64, 128)), also="width",
        help="Width of the embedding and of every hidden vector; even. After torchrun, which has "
        "an option of the same name, only --width will do.",
    )  # fmt: skip
    variant: str = lever(
        "edge", choices=VARIANTS, panel=MODEL,
        help="paper: the authors' model. edge: what its experts see of an item is normalised, and "
        "filtered by how much of it is its history's trend.",
    )  # fmt: skip
    input_norm: bool = lever(True, panel=MODEL, help="Of edge: a LayerNorm of the items' rows.")
    low_pass: bool = lever(True, panel=MODEL, help="Of edge: the filter.")
    heads: int = lever(
        4, low=1, panel=MODEL, help="Heads of the linear attention; divides the width."
    )
    kernel: int = lever(
        3, low=1, panel=MODEL, help="Taps of both convolutions along the sequence; odd."
    )
    max_length: int = lever(
        200, low=1, panel=MODEL,
        help="Training length N; a longer history is cut to its last N items.",
    )  # fmt: skip
    gated_mlp: bool = lever(True, panel=MODEL, help="A gated MLP; without: Light GLINT-RU.")
    embedding_dropout: float = lever(
        0.5, high=1.0, panel=OVERFITTING, search=Between(0.0, 0.6), usual=True,
        help="Dropout of the item embeddings, and of what the filter adds.",
    )  # fmt: skip
    attention_dropout: float = lever(
        0.3, high=1.0, panel=OVERFITTING, search=Between(0.0, 0.6), usual=True,
        help="Dropout of the attention's output.",
    )  # fmt: skip
    block_dropout: float = lever(
        0.4, high=1.0, panel=OVERFITTING, search=Between(0.0, 0.6), usual=True,
        help="Dropout of the selective gate, the mixing block and the gated MLP.",
    )  # fmt: skip
    norm_eps: float = lever(1e-12, high=1.0, panel=MODEL, help="Epsilon of every LayerNorm.")
    padding: str = lever(
        "masked", choices=PADDINGS,
        help="What stands right of a history shorter than N. masked: nothing, a prediction depends "
        "on the user's items alone. reference: the pad item, with an embedding of its own, takes "
        "part in everything, as in the authors' code.",
    )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values; of the paper's model those that it has."""
        values = super().to_dict()
        if self.variant == "paper":
            return {name: value for name, value in values.items() if name not in self.BEFORE}
        return values

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.d % self.heads == 0, f"heads ({self.heads}) must divide d ({self.d})")
        _check(self.d % 2 == 0, f"d must be even, not {self.d}: the selective gate is d/2 wide")
        _check(self.kernel % 2 == 1, f"kernel must be odd, not {self.kernel}: it is centred")
        _check(
            self.padding == "masked" or self.variant == "paper",
            "padding 'reference' is of variant 'paper', the authors' model",
        )
        _check(
            self.norm_eps > 0 or not (self.has_input_norm or self.has_low_pass),
            "norm_eps must be above 0 in variant 'edge', which divides an unknown item's row by it",
        )

    @property
    def has_input_norm(self) -> bool:
        """Whether the items' rows are normalised before anything sees them."""
        return self.variant == "edge" and self.input_norm

    @property
    def has_low_pass(self) -> bool:
        """Whether what the experts see is filtered (`glint_edge.model.low_pass`)."""
        return self.variant == "edge" and self.low_pass

    @property
    def lookahead(self) -> int:
        """Positions whose convolution still waits for a right neighbour: (kernel − 1) / 2."""
        return (self.kernel - 1) // 2

    def window_items(self, window: str) -> int | None:
        """How many of a session's last items count in a window of `WINDOWS`; None: all.

        Raises:
            ConfigError: there is no such window, or the model knows its last N items alone.
        """
        if window not in WINDOWS:
            raise ConfigError(f"window {window!r} is unknown; {one_of(window, WINDOWS)}")
        if window == "unbounded" and self.padding == "reference":
            raise ConfigError(
                f"an imported model knows its last {self.max_length} items: --window sliding"
            )
        return self.max_length if window == "sliding" else None

    @property
    def most_held(self) -> int:
        """Items that a sliding session's state holds at most: N and a quarter.

        Then it is encoded anew from the last N. An imported model promises its authors' scores of
        the last N, so that its state holds no more.
        """
        return self.max_length + (self.max_length // 4 if self.padding == "masked" else 0)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(_JsonConfig):
    """How a model is trained: Adam on a loss of every prefix's next item.

    `levers_of` it says what each field is. With one thread every sum is taken in the same order, so
    the same seed gives the same weights on machines with any number of cores.
    """

    BEFORE: ClassVar[Mapping[str, Setting]] = {
        "schedule": "constant", "loss": "cross-entropy", "negatives": 1024, "seen_margin": 0.0,
        "l2": 0.0, "precision": "float32", "protocol": AUTO, "table_start": "random",
        "output_start": 0.0, "average": 0.0, "item_features": False, "item_row_dropout": 0.0,
        "neighbours": 0,
    }  # fmt: skip
    # They won nothing on any log that was tried.
    GONE: ClassVar[frozenset[str]] = frozenset(GONE_LEVERS)

    epochs: int = lever(30, low=1, panel=STEPS, help="Passes over the training sequences, at most.")
    patience: int = lever(
        20, low=1, panel=STEPS,
        help="Stop after this many epochs without a better validation NDCG@10.",
    )  # fmt: skip
    protocol: str = lever(
        AUTO, choices=JUDGED, panel=STEPS,
        help="What an epoch's validation items, and in the end the test items, are ranked among. "
        "full: the whole catalogue; unseen: all but the user's own items; auto: unseen where "
        "nobody takes an item again, else full.",
    )  # fmt: skip
    batch_positions: int = lever(
        1600, low=1, panel=STEPS, help="Predictions a step, padding included."
    )
    learning_rate: float = lever(
        2e-3, high=10.0, ends="()", panel=STEPS, search=Between(3e-4, 5e-3, by_log=True),
        usual=True, help="Adam's step size, at its highest.",
    )  # fmt: skip
    schedule: str = lever(
        "cosine", choices=SCHEDULES, panel=STEPS, search=OneOf(SCHEDULES),
        help="The step size by epoch: constant, or cosine, down to nothing at --epochs.",
    )  # fmt: skip
    table_start: str = lever(
        "svd", choices=STARTS, panel=STEPS,
        help="The item table before training. svd: items that stand near one another in the log "
        "have rows that are alike, some seconds of work; random: drawn.",
    )  # fmt: skip
    output_start: float = lever(
        0.02, high=1.0, panel=STEPS,
        help="Standard deviation of the first weights of the matrices that write to the residuals; "
        "0: as large as the others (Xavier), as in the authors' code.",
    )  # fmt: skip
    average: float = lever(
        0.995, high=1.0, panel=OVERFITTING,
        help="Weights are averaged over steps, each older one counting this much of the next: "
        "the averages are validated and kept. 0: the last step's weights.",
    )  # fmt: skip
    l2: float = lever(
        1e-5, high=10.0, panel=OVERFITTING, search=Between(1e-6, 1e-3, by_log=True), usual=True,
        help="Penalty in the gradient, which Adam scales: what is seldom trained, a rare item's "
        "row, shrinks the fastest.",
    )  # fmt: skip
    loss: str = lever(
        "cross-entropy", choices=LOSSES, panel=LOSS, search=OneOf(LOSSES),
        help="cross-entropy over the catalogue; sampled-softmax over --negatives drawn items, its "
        "estimate of the whole sum unbiased (logQ), for some 100,000 items and more.",
    )  # fmt: skip
    negatives: int = lever(
        1024, low=1, panel=LOSS,
        help="Items drawn a step, shared by its predictions, of sampled-softmax.",
    )  # fmt: skip
    seen_margin: float = lever(
        0.0, high=100.0, panel=LOSS, search=Between(0.0, 5.0),
        help="How much further down the user's own earlier items are pushed: 1 is a start where "
        "nobody takes an item twice.",
    )  # fmt: skip
    item_features: bool = lever(
        True, panel=OVERFITTING,
        help="The fields that --item-field names are features of training, too: an item's vector "
        "is a row of its own plus the mean of its fields' rows. Without, they are shown alone.",
    )  # fmt: skip
    item_row_dropout: float = lever(
        0.1, high=1.0, panel=OVERFITTING,
        help="Share of the own rows that a step goes without where there are item features, so "
        "that the fields alone can carry an item.",
    )  # fmt: skip
    precision: str = lever(
        "float32", choices=PRECISIONS, panel=STEPS,
        help="bfloat16 for the products of matrices, where the CPU has AVX-512 BF16 or AMX: "
        "elsewhere it is slower, and train says so. Weights, sums and Adam's moments stay float32.",
    )  # fmt: skip
    neighbours: int = lever(
        0, high=1000, ends="[]", panel=NEIGHBOURS,
        help="So many neighbours of each item are counted, whose scores gain beside the model's "
        "where that helps on validation items; 32 is a start, 0 counts none.",
    )  # fmt: skip
    seed: int = lever(4, panel=STEPS, help="Of the first weights, the order and the dropout.")
    threads: int = lever(
        1, panel=STEPS,
        help="CPU threads. 1: the same weights on any machine; 0: torch's choice.",
    )  # fmt: skip

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """As of any configuration; of a model that was trained by gBCE, which is gone, the rest."""
        loss = {"loss": "cross-entropy"} if values.get("loss") == "gbce" else {}
        return super().from_dict({**values, **loss})

    def learning_rate_at(self, epoch: int) -> float:
        """Adam's step size in an epoch; the first is 1."""
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * (1 + math.cos(math.pi * (epoch - 1) / self.epochs)) / 2


# The settings of a training, by name, panel after panel.
LEVERS: Mapping[str, Lever] = {
    about.name: about
    for panel in PANELS
    for config in (ModelConfig, TrainConfig)
    for about in levers_of(config).values()
    if about.panel == panel
}


def configs(items: int, levers: Mapping[str, Setting]) -> tuple[ModelConfig, TrainConfig]:
    """Both configurations of a training.

    Args:
        items: the catalogue's size.
        levers: by name; the others have their defaults.

    Raises:
        ConfigError: a lever is unknown or has an impossible value.
    """
    refuse_unknown("lever", levers, LEVERS)
    of_model = {name: value for name, value in levers.items() if name in levers_of(ModelConfig)}
    of_training = {name: value for name, value in levers.items() if name not in of_model}
    return ModelConfig(items=items, **of_model), TrainConfig(**of_training)  # type: ignore[arg-type]  # checked when made
