"""The two configurations: what a model is, and how it was trained.

Both are frozen, validated once when made, and stored as JSON beside the weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from glint_edge.errors import ConfigError

T = TypeVar("T", bound="_JsonConfig")

PADDINGS = ("masked", "reference")


class _JsonConfig:
    """To and from a plain dict; unknown or missing keys are refused by name."""

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


def _check_whole(name: str, value: object, low: int) -> None:
    # bool is an int to Python; `"d": true` in a JSON file is a mistake, not a 1
    whole = isinstance(value, int) and not isinstance(value, bool)
    _check(whole and value >= low, f"{name} must be a whole number ≥ {low}, not {value!r}")  # type: ignore[operator]  # checked in the same expression


def _check_number(name: str, value: object, low: float, high: float) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    _check(
        number and low <= value < high,  # type: ignore[operator]  # checked in the same expression
        f"{name} must be a number in [{low}, {high}), not {value!r}",
    )


@dataclass(frozen=True, kw_only=True)
class ModelConfig(_JsonConfig):
    """Shape of a GLINT-RU (arXiv 2406.10244, section 3).

    Attributes:
        items: catalogue size V; ids run from 1 to V, 0 is padding/unknown.
        d: width of the embedding and of every hidden vector.
        heads: heads of the linear attention; divides `d`.
        kernel: taps of both temporal convolutions; odd.
        max_length: training length N; a longer history is cut to its last N items.
        gated_mlp: False is the paper's "Light GLINT-RU".
        embedding_dropout: on the item embeddings, in training.
        attention_dropout: on the attention expert's output, in training.
        block_dropout: on the selective gate, the mixing block and the gated MLP, in training
            (0.3 and not configurable in the authors' code).
        norm_eps: epsilon of every LayerNorm (1e-12 in the authors' run.py).
        padding: what stands right of a history shorter than `max_length`. "masked": nothing, a
            prediction depends on the user's items alone. "reference": the pad item, with an
            embedding of its own, takes part in everything, as in the authors' code; a model
            trained so (glint_edge.checkpoints.recbole imports them) needs it.
    """

    items: int
    d: int = 64
    heads: int = 4
    kernel: int = 3
    max_length: int = 200
    gated_mlp: bool = True
    embedding_dropout: float = 0.2
    attention_dropout: float = 0.2
    block_dropout: float = 0.3
    norm_eps: float = 1e-12
    padding: str = "masked"

    def __post_init__(self) -> None:
        _check_whole("items", self.items, 1)
        for name in ("d", "heads", "kernel", "max_length"):
            _check_whole(name, getattr(self, name), 1)
        _check(self.d % self.heads == 0, f"heads ({self.heads}) must divide d ({self.d})")
        _check(self.d % 2 == 0, f"d must be even, not {self.d}: the selective gate is d/2 wide")
        _check(self.kernel % 2 == 1, f"kernel must be odd, not {self.kernel}: it is centred")
        _check(isinstance(self.gated_mlp, bool), "gated_mlp must be true or false")
        for name in ("embedding_dropout", "attention_dropout", "block_dropout"):
            _check_number(name, getattr(self, name), 0.0, 1.0)
        _check_number("norm_eps", self.norm_eps, 0.0, 1.0)
        _check(
            self.padding in PADDINGS,
            f"padding {self.padding!r} is unknown; choose one of {', '.join(PADDINGS)}",
        )

    @property
    def lookahead(self) -> int:
        """Positions whose convolution still waits for a right neighbour: (kernel − 1) / 2."""
        return (self.kernel - 1) // 2


# Of a history longer than N: its last N items, or all of it.
WINDOWS = ("sliding", "unbounded")

LOSSES = ("cross-entropy", "sampled-softmax", "gbce")
SCHEDULES = ("constant", "cosine")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class TrainConfig(_JsonConfig):
    """How a model is trained: Adam on a loss of every prefix's next item.

    Attributes:
        epochs: most passes over the training sequences.
        patience: stop after this many epochs without a better validation NDCG@10.
        batch_positions: predictions a step, padding included.
        learning_rate: Adam's step size, at its highest.
        schedule: "constant", or "cosine": down to nothing at `epochs`.
        warmup_epochs: over which the step size grows to its full height.
        weight_decay: decoupled weight decay (AdamW) of matrices; 0 is plain Adam.
        l2: penalty that is added to the gradient before Adam scales it, so that what is seldom
            trained, a rare item's row, shrinks the fastest.
        loss: "cross-entropy" over the whole catalogue; "sampled-softmax" over drawn items, with
            logQ correction; "gbce", generalised binary cross-entropy (gSASRec).
        negatives: items drawn a step, shared by its predictions; of the last two losses.
        calibration: t of "gbce".
        label_smoothing: share of the target's probability that is spread over the catalogue.
        temperature: above 0, scores are cosines divided by it; 0 leaves them plain products.
        seen_margin: how much further below the target the user's own earlier items have to be
            scored, of a softmax; for logs in which nobody takes an item twice.
        item_dropout: share of the input items replaced by "unknown".
        crop: share of the sequences of which an epoch sees a random part alone.
        precision: "float32", or "bfloat16" for the products of matrices; weights, sums and Adam's
            moments stay float32.
        seed: of the initialisation, the shuffling and the dropout.
        threads: CPU threads. One takes every sum in the same order, so the same seed gives the same
            weights on machines with any number of cores; 0 leaves torch's choice.
    """

    epochs: int = 200
    patience: int = 20
    batch_positions: int = 3200
    learning_rate: float = 1e-3
    schedule: str = "constant"
    warmup_epochs: int = 0
    weight_decay: float = 0.0
    l2: float = 0.0
    loss: str = "cross-entropy"
    negatives: int = 1024
    calibration: float = 0.75
    label_smoothing: float = 0.0
    temperature: float = 0.0
    seen_margin: float = 0.0
    item_dropout: float = 0.0
    crop: float = 0.0
    precision: str = "float32"
    seed: int = 4
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "batch_positions", "negatives"):
            _check_whole(name, getattr(self, name), 1)
        for name in ("warmup_epochs", "seed", "threads"):
            _check_whole(name, getattr(self, name), 0)
        for name in ("learning_rate", "weight_decay", "l2", "temperature"):
            _check_number(name, getattr(self, name), 0.0, 10.0)
        _check(self.learning_rate > 0, "learning_rate must be above 0")
        for name in ("label_smoothing", "item_dropout"):
            _check_number(name, getattr(self, name), 0.0, 1.0)
        for name in ("calibration", "crop"):
            _check_number(name, getattr(self, name), 0.0, 1.0 + 1e-9)
        _check_number("seen_margin", self.seen_margin, 0.0, 100.0)
        for name, known in (
            ("loss", LOSSES), ("schedule", SCHEDULES), ("precision", PRECISIONS),
        ):  # fmt: skip
            value = getattr(self, name)
            _check(value in known, f"{name} must be one of {', '.join(known)}, not {value!r}")
        _check(not (self.weight_decay and self.l2), "weight_decay and l2 are two kinds: choose one")
        for name in ("label_smoothing", "seen_margin"):
            _check(
                self.loss != "gbce" or not getattr(self, name),
                f"{name} is of a softmax: leave it out with gbce",
            )

    def learning_rate_at(self, epoch: int) -> float:
        """Adam's step size in an epoch; the first is 1."""
        if epoch <= self.warmup_epochs:
            return self.learning_rate * epoch / (self.warmup_epochs + 1)
        if self.schedule == "constant":
            return self.learning_rate
        done = (epoch - 1 - self.warmup_epochs) / max(1, self.epochs - self.warmup_epochs)
        return self.learning_rate * (1 + math.cos(math.pi * done)) / 2
