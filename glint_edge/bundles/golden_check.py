"""Golden vectors: does the artifact give what golden.json says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from glint_edge.bundles.golden import Golden, GoldenCase, checksum, fnv1a
from glint_edge.tables import counted

EXACT = "c"  # the target that gives the same bits everywhere


class Lists(Protocol):
    """Lists that `recommend` gave: items int64 [G, k], best first, and scores float32 [G, k]."""

    @property
    def items(self) -> npt.NDArray[np.int64]:
        """Ids."""

    @property
    def scores(self) -> npt.NDArray[np.float32]:
        """Of each."""


def golden_failures(
    golden: Golden, states: npt.NDArray[np.float32], lists: Lists, *, exact: bool = False
) -> tuple[str, ...]:
    """What differs beyond the file's own tolerance, one sentence a case.

    Args:
        golden: the expected.
        states: float32 [G, S], the artifact's after each case's history.
        lists: the artifact's, a row a case.
        exact: they are the engine's, and so must be equal to what the file has of it.
    """
    failures = []
    for number, case in enumerate(golden.cases):
        wrong = [
            *_state(golden, case, states[number]),
            *_list(golden, case, lists.items[number], lists.scores[number]),
            *(_bits(case, states[number], lists, number) if exact else ()),
        ]
        if wrong:
            items = counted(len(case.history), "items")
            failures.append(f"golden case {number} ({items}): {', and '.join(wrong)}")
    return tuple(failures)


def _state(golden: Golden, case: GoldenCase, state: npt.NDArray[np.float32]) -> Iterator[str]:
    allowed = golden.relative_state_error * case.state_norm
    for name, value in checksum(state).items():
        expected = getattr(case, name)
        if not abs(value - expected) <= allowed:  # so that NaN is wrong
            yield f"{name} is {value:.6g}, not {expected:.6g} (± {allowed:.2g})"


def _bits(
    case: GoldenCase, state: npt.NDArray[np.float32], lists: Lists, number: int
) -> Iterator[str]:
    if case.exact is None:
        return  # exported before there was an engine
    if (got := fnv1a(state)) != case.exact.state:
        yield f"its state's hash is {got}, not {case.exact.state}"
    if lists.items[number].tolist() != case.exact.items:
        yield "its items are not, one for one, the engine's"
    if lists.scores[number].astype(np.float32).tolist() != case.exact.scores:
        yield "its scores are not, bit for bit, the engine's"


def _list(
    golden: Golden,
    case: GoldenCase,
    items: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float32],
) -> Iterator[str]:
    if len(items) != len(case.items):
        yield f"it recommends {len(items)} items, not {len(case.items)}"
        return
    error = np.abs(scores.astype(np.float64) - case.scores)
    if not (error <= golden.score_error).all():
        place = int(np.argmax(~(error <= golden.score_error)))
        yield (
            f"the score in place {place + 1} is {scores[place]:.6g}, "
            f"not {case.scores[place]:.6g} (± {golden.score_error:g})"
        )
    wrong = _misplaced(golden, case, items.tolist())
    if wrong is not None:
        yield f"item {items[wrong]} in place {wrong + 1} should be {case.items[wrong]}"


def _misplaced(golden: Golden, case: GoldenCase, items: list[int]) -> int | None:
    """The first place whose item is wrong.

    Items may swap places if their scores differ by at most `score_error`; an item from beyond the
    list may come in where the score is that near to the last. Without history nothing is
    computed, all scores are 0, and the order is exact.
    """
    place_of = {item: place for place, item in enumerate(case.items)}
    for place, item in enumerate(items):
        if items.index(item) != place:
            return place  # twice
        if item == case.items[place]:
            continue
        # What is not in the list scores at most as much as its last.
        other = case.scores[place_of.get(item, -1)]
        near = abs(case.scores[place] - other) <= golden.score_error
        if not case.history or not near:
            return place
    return None
