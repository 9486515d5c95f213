"""The precisions: what each is called, means, is held by, and how near it must come; one table.

A precision has one name in files and figures ("fp32"), and what `--quantize` takes for it, which
may be more than one word: "none" and "fp32" both leave the floats as they are, and "int8-qat" is
int8 after fine-tuning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glint_edge.errors import ConfigError
from glint_edge.suggestions import one_of

FINE_TUNED = "int8-qat"  # the flag that trains before it rounds

# Float scores nearer than this are a tie: two float32 orders of the same sums differ by up to
# 1e-5 on scores of about 10, each way.
TIE = 2e-5


@dataclass(frozen=True)
class Tolerance:
    """How far an artifact may be from the float model over held-out histories.

    Attributes:
        score_error: most absolute error of any score; None: not bounded.
        same_top10: least share of users with the float model's top 10, up to ties.
        top10_overlap: least share of the float model's top 10, averaged over users.
        rank_weighted_overlap: least overlap in which the first places count most.
        agreement: least top-10 overlap with each other artifact of the bundle, up to ties.
        ndcg_loss: most that NDCG@10 may be below the float model's, relative to it; it fails where
            that is known with 95 % confidence, over prefixes of training and validation items.
        reason: why these.
    """

    score_error: float | None
    same_top10: float
    top10_overlap: float
    rank_weighted_overlap: float
    agreement: float
    ndcg_loss: float
    reason: str


@dataclass(frozen=True)
class Precision:
    """How the numbers of a program are stored and computed with.

    Attributes:
        name: in manifests, figures and programs.
        flags: what `--quantize` takes for it, the usual one first, each with its help.
        targets: this package's that can hold it.
        golden_state: relative error of a state allowed to a golden vector, to the state's norm.
        golden_score: the same of a score, to the largest score.
        tolerance: over held-out histories; a target may have its own reason for it.
    """

    name: str
    flags: Mapping[str, str]
    targets: tuple[str, ...]
    golden_state: float
    golden_score: float
    tolerance: Tolerance


# Golden vectors. float32 differs in the order of sums. In int8 a difference in the last digit can
# move an activation to the next of its 256 levels: measured 0.3 % of the largest state, 0.8 % of a
# state's norm in its sum, and 0.9 % of the largest score; three times as much is allowed. float16
# weights are computed with in float32; an int8 table alone leaves the state's arithmetic in float32
# and rounds the activations of the scoring.
_TABLE = (
    Precision(
        "fp32",
        {"none": "float32, unchanged", "fp32": "the same"},
        targets=("c", "executorch", "onnx", "tflite"),
        golden_state=1e-5,
        golden_score=1e-5,
        tolerance=Tolerance(
            score_error=1e-4,
            same_top10=1.0,
            top10_overlap=0.0,
            rank_weighted_overlap=0.0,
            agreement=1.0,
            ndcg_loss=1e-3,
            reason=(
                "The same arithmetic in another order: scores around 10 differ by some 1e-5. The "
                f"top 10 is the same but for ties, float scores within {TIE:g}, which is what the "
                "overlaps with the float model do not know: they are left to `same_top10`, while "
                "the agreement of artifacts knows ties. A swapped tie moves NDCG by less than "
                "0.1 %."
            ),
        ),
    ),
    Precision(
        "fp16",
        {"fp16": "weights and items stored as float16, computed with in float32"},
        targets=("onnx", "tflite"),
        golden_state=1e-5,
        golden_score=1e-5,
        tolerance=Tolerance(
            score_error=0.05,
            same_top10=0.0,
            top10_overlap=0.99,
            rank_weighted_overlap=0.985,
            agreement=0.99,
            ndcg_loss=5e-3,
            reason=(
                "Weights keep 11 bits, 8 times finer than int8's rows, and nothing else is "
                "rounded: only items whose scores are nearly equal change places."
            ),
        ),
    ),
    Precision(
        "int8-table",
        {"int8-table": "the item table and the scoring in int8, all else in float32"},
        targets=("executorch", "onnx", "tflite"),
        golden_state=1e-5,
        golden_score=1e-2,
        tolerance=Tolerance(
            score_error=None,
            same_top10=0.0,
            top10_overlap=0.96,
            rank_weighted_overlap=0.95,
            agreement=0.98,
            ndcg_loss=0.01,
            reason=(
                "The rows of the table and the input of the scoring are rounded, which is the "
                "larger part of what int8 adds; the state's own arithmetic is float32."
            ),
        ),
    ),
    Precision(
        "int8",
        {
            "int8": "all weights, the item table and the inputs of every matrix product in int8",
            FINE_TUNED: "int8 after a few epochs of quantization-aware training",
        },
        targets=("c", "executorch", "onnx", "tflite"),
        golden_state=3e-2,
        golden_score=3e-2,
        tolerance=Tolerance(
            score_error=None,
            same_top10=0.0,
            top10_overlap=0.95,
            rank_weighted_overlap=0.94,
            agreement=0.98,
            ndcg_loss=0.01,
            reason=(
                "256 levels move scores by half a percent of their spread: near the end of the top "
                "10 items change places, and what counts is that recommendations stay as good. All "
                "artifacts carry the same integers, so they are nearer to one another than to the "
                "float model."
            ),
        ),
    ),
)

PRECISIONS: Mapping[str, Precision] = {row.name: row for row in _TABLE}


def flags(*, fine_tuning: bool = True) -> list[str]:
    """What `--quantize` takes; without fine-tuning, what needs no data."""
    every = [flag for row in _TABLE for flag in row.flags]
    return [flag for flag in every if fine_tuning or flag != FINE_TUNED]


def precision_of(flag: str, *, fine_tuning: bool = True) -> str:
    """The name of the precision that a value of `--quantize` stands for, in any case.

    Raises:
        ConfigError: it is none of `flags`.
    """
    for row in _TABLE:
        if flag.lower() in row.flags and (fine_tuning or flag.lower() != FINE_TUNED):
            return row.name
    known = flags(fine_tuning=fine_tuning)
    raise ConfigError(f"--quantize {flag!r} is unknown; {one_of(flag, known)}")


def flag_of(name: str) -> str:
    """The usual value of `--quantize` for a precision's name."""
    return next(iter(PRECISIONS[name].flags))


def held_by(target: str) -> tuple[str, ...]:
    """Names of the precisions that a target of this package can hold."""
    return tuple(row.name for row in _TABLE if target in row.targets)


def quantize_help(*, fine_tuning: bool = True) -> str:
    """The help text of `--quantize`."""
    helps: Sequence[str] = [
        f"{flag}: {text}"
        for row in _TABLE
        for flag, text in row.flags.items()
        if fine_tuning or flag != FINE_TUNED
    ]
    return "; ".join(helps) + "."
