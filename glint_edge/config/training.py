"""How a model is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from glint_edge.config.panels import LOSS, NEIGHBOURS, OVERFITTING, STEPS
from glint_edge.levers import Between, Levers, OneOf, Setting, lever

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


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Levers):
    """How a model is trained: Adam on a loss of every prefix's next item.

    `levers_of` it says what each field is. With one thread every sum is taken in the same order, so
    the same seed gives the same weights on machines with any number of cores.
    """

    BEFORE: ClassVar[Mapping[str, Setting]] = {
        "schedule": "constant", "loss": "cross-entropy", "negatives": 1024, "seen_margin": 0.0,
        "l2": 0.0, "precision": "float32", "protocol": AUTO, "table_start": "random",
        "output_start": 0.0, "average": 0.0, "item_features": False, "item_row_dropout": 0.0,
        "neighbours": 0, "later_items": 0.0, "neighbour_rows": 0,
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
    later_items: float = lever(
        0.0, high=1.0, ends="[]", panel=LOSS, search=Between(0.0, 0.6),
        help="The four items after the next one are targets, too, each of which counts this much "
        "of the one before it: 0.3 is a start where taps come in a loose order. 0: the next one "
        "alone.",
    )  # fmt: skip
    neighbour_rows: int = lever(
        8, high=1000, ends="[]", panel=OVERFITTING, search=OneOf((0, 8)),
        help="An item's vector is a row of its own plus half the mean of so many nearest items' "
        "rows, so that items with few taps learn from others'; in catalogues of up to 200,000 "
        "items. 0: a row of its own alone.",
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
