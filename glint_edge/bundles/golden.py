"""Golden vectors: histories with what they must give, so that an app can test its integration.

Each case holds a history, the checksum of the state after it, and the top-k; lists with filters and
of what is like an item stand beside them (`golden_lists.py`). They come from the
stream program in plain torch, at the bundle's precision; another machine's kernels round
differently, so each figure is compared within the tolerance that the file states.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from glint_edge.bundles.golden_lists import GoldenList, golden_lists, golden_similar
from glint_edge.bundles.precisions import PRECISIONS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from glint_edge.data.catalogue import Catalogue
    from glint_edge.data.neighbours import Neighbours
    from glint_edge.model.stream import StreamProgram


@dataclass(frozen=True)
class Exact:
    """What the engine gives, to the last bit, on every machine.

    Attributes:
        state: `fnv1a` of the state after the history.
        items: ids of the top-k, best first.
        scores: their scores, float32.
    """

    state: str
    items: list[int]
    scores: list[float]


@dataclass(frozen=True)
class GoldenCase:
    """One history and what it must give.

    Attributes:
        history: item ids, oldest first; 0 is an unknown item.
        state_sum: sum of the state's floats after the history.
        state_norm: their L2 norm.
        items: ids of the top-k, best first.
        scores: their scores.
        exact: what the engine gives; None: the bundle has no file of its.
    """

    history: list[int]
    state_sum: float
    state_norm: float
    items: list[int]
    scores: list[float]
    exact: Exact | None = None

    def to_dict(self) -> dict[str, Any]:
        """As golden.json has it."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> GoldenCase:
        """Inverse of `to_dict`."""
        exact = values.get("exact")
        return cls(**{**values, "exact": Exact(**exact) if exact else None})


@dataclass(frozen=True)
class Golden:
    """All cases of a bundle, and how near a runtime must come.

    Attributes:
        relative_state_error: of `state_sum` and `state_norm`, relative to the norm.
        score_error: of each score, absolute; items whose scores differ by less may swap.
        cosine_error: the same of the scores of what is like an item.
        cases: the histories.
        lists: with filters.
        similar: what is like an item.
    """

    relative_state_error: float
    score_error: float
    cosine_error: float
    cases: tuple[GoldenCase, ...]
    lists: tuple[GoldenList, ...] = ()
    similar: tuple[GoldenList, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As golden.json has it."""
        return {
            "tolerance": {
                "relative_state_error": self.relative_state_error,
                "score_error": self.score_error,
                "cosine_error": self.cosine_error,
            },
            "cases": [case.to_dict() for case in self.cases],
            "lists": [one.to_dict() for one in self.lists],
            "similar": [one.to_dict() for one in self.similar],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Golden:
        """Inverse of `to_dict`, of what conforms to golden.schema.json."""
        return cls(
            **values["tolerance"],
            cases=tuple(GoldenCase.from_dict(case) for case in values["cases"]),
            lists=tuple(GoldenList(**one) for one in values["lists"]),
            similar=tuple(GoldenList(**one) for one in values["similar"]),
        )


def golden_of(
    program: StreamProgram,
    histories: Sequence[Sequence[int]],
    catalogue: Catalogue,
    neighbours: Neighbours | None = None,
) -> Golden:
    """Run histories through the stream program.

    Args:
        program: at the precision of the artifacts.
        histories: item ids; the empty history is always added, first.
        catalogue: the items' keys and fields.
        neighbours: the expert; None: there is none.
    """
    precision = PRECISIONS[program.precision]
    cases = tuple(_case(program, history) for history in ([], *histories))
    largest = max(abs(score) for case in cases for score in case.scores)
    score_error, cosine_error = precision.golden_score * largest, precision.golden_score
    return Golden(
        relative_state_error=precision.golden_state,
        score_error=score_error,
        cosine_error=cosine_error,
        cases=cases,
        lists=golden_lists(program, catalogue, histories, score_error, neighbours),
        similar=golden_similar(program, catalogue, cosine_error),
    )


def _case(program: StreamProgram, history: Sequence[int]) -> GoldenCase:
    # Here alone: an application reads golden vectors without torch.
    import torch

    from glint_edge.model.stream import empty_state

    with torch.inference_mode():
        state = empty_state(program.config)
        for item in history:
            state = program.append(state, torch.tensor([item]))
        items, scores = program.recommend(state)
    sums = checksum(state.numpy())
    return GoldenCase(
        history=[int(item) for item in history],
        state_sum=sums["state_sum"],
        state_norm=sums["state_norm"],
        items=items[0].tolist(),
        scores=scores[0].tolist(),
    )


def checksum(state: npt.NDArray[np.float32]) -> dict[str, float]:
    """`state_sum` and `state_norm` of a state, in float64."""
    wide = state.astype("float64")
    return {"state_sum": float(wide.sum()), "state_norm": math.sqrt((wide**2).sum())}


def fnv1a(state: npt.NDArray[np.float32]) -> str:
    """32-bit FNV-1a of a state's bytes, little endian, in hexadecimal: short in any language."""
    hashed = 0x811C9DC5
    for byte in state.astype("<f4").tobytes():
        hashed = (hashed ^ byte) * 0x01000193 & 0xFFFFFFFF
    return f"{hashed:08x}"
