"""Replaying golden.json: does this machine compute what was exported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from glint_edge.bundles.contents import read_golden
from glint_edge.bundles.golden import Golden
from glint_edge.bundles.golden_check import EXACT, golden_failures
from glint_edge.bundles.manifest import GOLDEN
from glint_edge.errors import BundleError
from glint_edge.runtime.app_bundle import check_listed, read_app_manifest

if TYPE_CHECKING:
    from glint_edge.runtime.recommender import Recommender


@dataclass(frozen=True, eq=False)
class _Lists:
    items: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]


def replay_golden(recommender: Recommender) -> tuple[str, ...]:
    """Run every golden case, item by item by `append` and at once by `append_many`; and each list.

    Returns:
        One sentence for each case that differs beyond the file's own tolerance.

    Raises:
        BundleError: golden.json is missing or damaged.
    """
    golden = _golden_of(recommender)
    one_by_one, at_once = [], []
    for case in golden.cases:
        state = recommender.empty()
        for item in case.history:
            state = recommender.step(state, item)
        one_by_one.append(state)
        at_once.append(recommender.encode(case.history))
    plain = tuple(
        f"by {method}, {failure}"
        for method, states in (("append", one_by_one), ("append_many", at_once))
        for failure in golden_failures(
            golden,
            np.concatenate(states),
            _lists(recommender, states),
            exact=recommender.bundle.target == EXACT,
        )
    )
    return plain + tuple(filtered_failures(recommender, golden))


def filtered_failures(recommender: Recommender, golden: Golden) -> Iterator[str]:
    """What is wrong with the lists that have filters, and with what is like an item."""
    keys, expert = recommender.bundle.keys, recommender.bundle.neighbours
    number_of = {key: number for number, key in enumerate(keys)}
    for kind, expected, error in (
        ("list", golden.lists, golden.score_error),
        ("similar", golden.similar, golden.cosine_error),
    ):
        for number, one in enumerate(expected):
            if one.neighbours and expert is None:
                continue  # of a part of a bundle, without them
            words = {"exclude_seen": False, "neighbours": bool(one.neighbours), **one.filter}
            allowed = error + (expert.error if one.neighbours and expert else 0.0)
            if one.history is not None:
                session = recommender.start([keys[item] for item in one.history])
                got = session.top(one.k, **words)
            else:
                del words["exclude_seen"], words["neighbours"]
                got = recommender.similar(keys[one.item or 0], one.k, **words)
            ids, scores = [number_of[item.key] for item in got], [item.score for item in got]
            for failure in one.failures(ids, scores, allowed):
                yield f"golden {kind} {number} ({', '.join(one.filter) or 'no filter'}): {failure}"


def require_golden(recommender: Recommender) -> None:
    """Run the longest golden case once, by each of the three methods: what a load can afford.

    Raises:
        BundleError: it gives anything else, or golden.json is missing or damaged.
    """
    golden = _golden_of(recommender)
    window = recommender.bundle.window or recommender.bundle.config.max_length
    number, case = max(
        enumerate(golden.cases),
        key=lambda one: (len(one[1].history) <= window, len(one[1].history)),
    )
    state = recommender.encode(case.history[:-1])
    for item in case.history[-1:]:
        state = recommender.step(state, item)
    one = replace(golden, cases=(case,))
    exact = recommender.bundle.target == EXACT
    if wrong := golden_failures(one, state, _lists(recommender, [state]), exact=exact):
        reason = wrong[0].replace("golden case 0", f"golden case {number}")
        raise BundleError(
            f"{recommender.bundle.artifact} is not what was exported: {reason}; export it again"
        )


def _golden_of(recommender: Recommender) -> Golden:
    folder = recommender.bundle.artifact.parent
    check_listed(folder, read_app_manifest(folder), GOLDEN)
    return read_golden(folder / GOLDEN, recommender.bundle.config, recommender.bundle.top_k)


def _lists(recommender: Recommender, states: list[npt.NDArray[np.float32]]) -> _Lists:
    lists = [recommender.ranked(state) for state in states]
    return _Lists(
        np.concatenate([items for items, _ in lists]),
        np.concatenate([scores for _, scores in lists]),
    )
