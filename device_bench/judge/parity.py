"""What the artifact answered beside what the float model answers, over the same histories."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from device_bench.judge.loss import Loss, ndcg_loss, users_of
from device_bench.measure.job import TopK
from glint_edge.bundles.precisions import TIE
from glint_edge.data.histories import padded

if TYPE_CHECKING:
    from torch import Tensor

    from glint_edge.data.sequences import HeldOut
    from glint_edge.model.glint_ru import GlintRU

CUT = 10  # of NDCG and of the overlap
CHUNK = 256  # users scored at once
USERS = 64  # whose prefixes are encoded at once
PERSISTENCE = 0.9  # p of the rank-biased overlap: the chance that a person looks one place further


@dataclass(frozen=True)
class Parity:
    """An artifact's lists against the float model's.

    The top 10 is the whole list where `recommend` returns fewer.

    Attributes:
        users: whose histories were compared.
        histories: compared; several of a user may be.
        unusable: entries of the lists that are no item of the catalogue or have a score that is
            no number; they count as wrong everywhere below.
        max_score_error: largest |artifact's score − float score of the same item|, over all
            usable entries; None if there is none.
        top10_overlap: share of the float model's top 10 that is in the artifact's, averaged.
        rank_weighted_overlap: of the two top 10, see `rank_weighted_overlap`, averaged.
        same_top10: share of users whose top 10 is the float model's, in its order, where items
            whose float scores are within `TIE` count as one and the same.
        ndcg_at_10: of the artifact's lists; None if they are shorter than 10.
        ndcg_at_10_float: of the float model's lists of the same length, ties ranked alike.
        loss: what the first of the two has less, and how well that is known; None if it is not.
    """

    users: int
    histories: int
    unusable: int
    max_score_error: float | None
    top10_overlap: float
    rank_weighted_overlap: float
    same_top10: float
    ndcg_at_10: float | None
    ndcg_at_10_float: float | None
    loss: Loss | None


def compare(model: GlintRU, held_out: HeldOut, lists: TopK, window: int | None) -> Parity:
    """Score the histories with the float model, in batches, and compare; see `Reference`."""
    return Reference(model, held_out, window).compare(lists)


class Reference:
    """The float model over some histories, encoded once for all artifacts that are compared."""

    def __init__(self, model: GlintRU, held_out: HeldOut, window: int | None) -> None:
        """Of a model in evaluation mode.

        Args:
            model: the float model.
            held_out: histories, and the items that the lists answer to.
            window: how many of a history's last items were seen; None: all.
        """
        self.model, self.held_out, self.window = model, held_out, window

    def __len__(self) -> int:
        return len(self.held_out.targets)

    def compare(self, lists: TopK) -> Parity:
        """Hold an artifact's lists, one row a history, against the float model's."""
        items = self.model.config.items
        usable = (lists.items >= 1) & (lists.items <= items) & np.isfinite(lists.scores)
        floats, scores = self.answers(np.where(usable, lists.items, 0))
        # −1 is nobody's target and in nobody's list; with score ∞ it stands before everyone's.
        mine = TopK(np.where(usable, lists.items, -1), np.where(usable, lists.scores, np.inf))
        return compare_lists(mine, floats, scores, self.held_out.targets, self.held_out.users)

    def answers(self, ids: npt.NDArray[np.int64]) -> tuple[TopK, npt.NDArray[np.float32]]:
        """The float model's own lists, and its scores of these items, int64 [U, k]."""
        import torch  # here alone: a diff of two documents needs none

        best, best_scores, chosen_scores = [], [], []
        with torch.inference_mode():
            for start in range(0, len(self), CHUNK):
                part = slice(start, start + CHUNK)
                scores = self.model.scores_of(self._hidden[part])
                top = torch.topk(scores, ids.shape[1])
                best.append(top.indices.numpy())
                best_scores.append(top.values.numpy())
                chosen_scores.append(scores.gather(1, torch.from_numpy(ids[part])).numpy())
        return TopK(np.concatenate(best), np.concatenate(best_scores)), np.concatenate(
            chosen_scores
        )

    @cached_property
    def _hidden(self) -> Tensor:
        """float32 [U, d], after each history; those of like length at once."""
        import torch

        offsets = self.held_out.offsets
        longest = int(np.diff(offsets).max(initial=1))
        kept = np.minimum(np.diff(offsets), min(self.window or longest, longest))
        whole = kept.max(initial=0) == longest
        if whole and self.held_out.users is not None and self.model.config.padding == "masked":
            return self._after_prefixes(kept)
        hidden = torch.empty(len(self), self.model.config.d)
        order = np.argsort(kept, kind="stable")
        with torch.inference_mode():
            for start in range(0, len(order), CHUNK):
                some = order[start : start + CHUNK]
                items = padded(self.held_out.ids, offsets[some + 1], kept[some])
                lengths = torch.from_numpy(kept[some])
                hidden[some] = self.model.encode(torch.from_numpy(items), lengths)
        return hidden

    def _after_prefixes(self, lengths: npt.NDArray[np.int64]) -> Tensor:
        """As `_hidden`, for prefixes that follow one another: those of a user in one pass."""
        import torch

        ids, offsets = self.held_out.ids, self.held_out.offsets
        rows = [ids[start:end] for start, end in pairwise(offsets)]
        grows = [np.array_equal(row, after[: len(row)]) for row, after in pairwise(rows)]
        last = np.flatnonzero([*(not more for more in grows), True])  # the whole history of each
        of = np.searchsorted(last, np.arange(len(rows)))
        hidden = torch.empty(len(rows), self.model.config.d)
        with torch.inference_mode():
            for start in range(0, len(last), USERS):
                some = last[start : start + USERS]
                items = torch.from_numpy(padded(ids, offsets[some + 1], lengths[some]))
                after = self.model.prefixes(items, torch.from_numpy(lengths[some]))
                mine = np.flatnonzero((of >= start) & (of < start + USERS))
                hidden[mine] = after[of[mine] - start, lengths[mine] - 1]
        return hidden


def compare_lists(
    lists: TopK,
    floats: TopK,
    float_scores: npt.NDArray[np.float32],
    targets: npt.NDArray[np.int64],
    users: npt.NDArray[np.int64] | None = None,
) -> Parity:
    """The arithmetic of `compare`.

    Args:
        lists: the artifact's; item −1 with score ∞ marks an entry that is unusable.
        floats: the float model's, as long.
        float_scores: float32 [U, k], the float model's scores of the artifact's items.
        targets: int64 [U].
        users: int64 [U], whose each history is; None: no two are of one user.
    """
    whose = users_of(users, len(targets))
    usable = lists.items != -1
    error = np.abs(lists.scores[usable].astype(np.float64) - float_scores[usable])
    cut = min(CUT, lists.items.shape[1])
    mine, theirs = lists.items[:, :cut], floats.items[:, :cut]
    mine_ndcg, float_ndcg = _ndcg(lists, targets), _ndcg(floats, targets)
    whole = cut == CUT
    return Parity(
        users=len(np.unique(whose)),
        histories=len(targets),
        unusable=int((~usable).sum()),
        max_score_error=float(error.max()) if error.size else None,
        top10_overlap=overlap(mine, theirs),
        rank_weighted_overlap=rank_weighted_overlap(mine, theirs),
        same_top10=float(_same(mine, float_scores[:, :cut], floats.scores[:, :cut]).mean()),
        ndcg_at_10=float(mine_ndcg.mean()) if whole else None,
        ndcg_at_10_float=float(float_ndcg.mean()) if whole else None,
        loss=ndcg_loss(mine_ndcg, float_ndcg, whose) if whole else None,
    )


def overlap(mine: npt.NDArray[np.int64], theirs: npt.NDArray[np.int64]) -> float:
    """Share of their items that is in mine, averaged over users: both [U, c]."""
    return float(_in(theirs, mine).mean())


def agreement(mine: TopK, theirs: TopK) -> float:
    """Share of their top 10 that is in mine, averaged over users, for lists of two artifacts.

    An item of theirs whose score is within `TIE` of my last is missing by a tie alone, and counts
    as shared.
    """
    return float(_shared(mine, theirs).mean())


@dataclass(frozen=True)
class Difference:
    """What two artifacts' top 10 differ by.

    Attributes:
        lists: how many hold another item.
        score: the furthest that such an item's score lies from that of the last place.
    """

    lists: int
    score: float


def difference(mine: TopK, theirs: TopK) -> Difference:
    """Of lists that may all be the same."""
    other = ~_shared(mine, theirs)
    last = np.broadcast_to(_last(mine, other.shape[1]), other.shape)[other]
    scores = theirs.scores[:, : other.shape[1]][other]
    numbers = np.isfinite(scores) & np.isfinite(last)
    distances = np.abs(scores[numbers] - last[numbers])
    return Difference(int(other.any(axis=1).sum()), float(distances.max(initial=0.0)))


def _shared(mine: TopK, theirs: TopK) -> npt.NDArray[np.bool_]:
    """Which places of their top 10 I share: bool [U, c]."""
    cut = min(CUT, mine.items.shape[1], theirs.items.shape[1])
    tied = np.isclose(theirs.scores[:, :cut], _last(mine, cut), rtol=0.0, atol=TIE)
    return _in(theirs.items[:, :cut], mine.items[:, :cut]) | tied


def _last(lists: TopK, cut: int) -> npt.NDArray[np.float32]:
    """Scores of the last place: [U, 1]."""
    return lists.scores[:, cut - 1 : cut]


def rank_weighted_overlap(mine: npt.NDArray[np.int64], theirs: npt.NDArray[np.int64]) -> float:
    """Overlap in which the first places count most: both [U, c], theirs all different → 0 … 1.

    Rank-biased overlap (Webber, Moffat and Zobel, A Similarity Measure for Indefinite Rankings,
    ACM TOIS 2010, eq. 4) cut at c and divided by its largest value there: the overlap of the first
    n places of both, averaged over n = 1 … c with weights pⁿ⁻¹. An item that stands in mine twice
    counts once, at its first place.
    """
    places = np.arange(1, mine.shape[1] + 1)
    same = mine[:, :, None] == theirs[:, None, :]  # [U, c, c]
    # Theirs in place n is shared by the first places of both from the later of its two on.
    later = np.maximum(same.argmax(axis=1) + 1, places)
    since = np.where(same.any(axis=1), later, len(places) + 1)  # [U, c]
    shared = (since[:, :, None] <= places).sum(axis=1)  # [U, c]
    weights = PERSISTENCE ** (places - 1.0)
    return float((shared / places @ (weights / weights.sum())).mean())


def _in(items: npt.NDArray[np.int64], others: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which of the items are among the others, user by user: both [U, c] → bool [U, c]."""
    shared: npt.NDArray[np.bool_] = (items[:, :, None] == others[:, None, :]).any(axis=2)
    return shared


def _same(
    mine: npt.NDArray[np.int64],
    my_float_scores: npt.NDArray[np.float32],
    best_float_scores: npt.NDArray[np.float32],
) -> npt.NDArray[np.bool_]:
    """Whether a list is the float model's up to ties: all [U, c] → bool [U].

    It is if its items are different ones and, place by place, the float score of the item there
    is within `TIE` of the float score that belongs there.
    """
    ordered = np.sort(mine, axis=1)
    distinct = (ordered[:, 1:] != ordered[:, :-1]).all(axis=1) & (ordered[:, 0] != -1)
    near = np.abs(my_float_scores.astype(np.float64) - best_float_scores) <= TIE
    same: npt.NDArray[np.bool_] = distinct & near.all(axis=1)
    return same


def _ndcg(lists: TopK, targets: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """By user: float64 [U]."""
    from glint_edge.evaluation.metrics import ndcg_by_user
    from glint_edge.evaluation.ranking import rank_in_top_k

    return ndcg_by_user(rank_in_top_k(lists.items, lists.scores, targets), CUT)
