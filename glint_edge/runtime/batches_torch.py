"""A checkpoint's lists of many users at once, which are those of `Session.top`, by torch."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from glint_edge.checkpoints.checkpoint import Checkpoint
from glint_edge.data.histories import padded
from glint_edge.data.list_file import Lists
from glint_edge.data.record import DataSource
from glint_edge.errors import DivergedError
from glint_edge.model.state import LEFT_OUT, NOTHING_LEFT
from glint_edge.model.stream_layers import offers_of, table_of
from glint_edge.runtime.every_user import Ids
from glint_edge.runtime.filters import (
    Bias,
    Filter,
    Numbers,
    Rows,
    best,
    bias_of,
    seen_left_out,
    wants_neighbours,
)

USERS = 1024  # at once, at most
POSITIONS = 1 << 16  # items of their histories at once: of very long ones, fewer users'
SCORES = 1 << 25  # scores held at once: of a large catalogue, fewer users'
WIDER = 4  # times k: so many are ranked at once where not all that are ranked may be listed


class CheckpointLists:
    """What a checkpoint's model gives many users at once.

    Attributes:
        catalogue: the checkpoint's.
        data: what it was trained on.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        words: Mapping[str, Any],
        exclude_seen: bool | None,
        window: str | None,
        neighbours: bool | None = None,
    ) -> None:
        """Fill the bias that all lists share.

        Args:
            checkpoint: loaded.
            words: the filter's, as for `Filter`.
            exclude_seen: as for `Session.top`.
            window: "sliding" or "unbounded"; None: the first.
            neighbours: as for `Session.top`.

        Raises:
            ConfigError: no item has a field of the filter, there is no such window, or neighbours
                are to count and there are none.
        """
        self.catalogue = checkpoint.catalogue
        self.data: DataSource | None = checkpoint.data
        self._model, self._chosen = checkpoint.model, Filter(**words)
        self._table, self._offers = table_of(self._model, 0), offers_of(self._model, 0)
        self._rows = Rows(checkpoint.catalogue, len(self._offers))
        self._window = self._model.config.window_items(window or "sliding")
        self._bias = bias_of(self._rows, self._chosen, ())
        for name in self._chosen.most_per:
            self._rows.codes(name)  # or it is refused, before a log is read
        use = wants_neighbours(neighbours, checkpoint.neighbours, "torch")
        self._neighbours = checkpoint.neighbours if use else None
        self._exclude_seen, self._repeats = exclude_seen, checkpoint.data.repeats

    def lists(self, users: Sequence[str], ids: Ids, offsets: Ids, k: int) -> Iterator[Lists]:
        """See `Maker`.

        Raises:
            DivergedError: a score is no number.
        """
        lengths = np.diff(offsets)
        if self._window is not None:
            lengths = np.minimum(lengths, self._window)
        most = max(1, min(USERS, SCORES // len(self._offers)))
        first = 0
        while first < len(users):
            longest = max(1, int(lengths[first : first + most].max()))
            end = min(len(users), first + max(1, min(most, POSITIONS // longest)))
            scores = self._scores(ids, offsets[first + 1 : end + 1], lengths[first:end])
            histories = ids, offsets[first + 1 : end + 1], np.diff(offsets[first : end + 1])
            self._add_gains(scores, *histories)
            self._leave_out_seen(scores, ids, offsets[first : end + 1])
            items, values = self._best(scores, k)
            expert = self._neighbours
            because = None if expert is None else expert.reasons(*histories, items)
            yield Lists(users[first:end], items, values, because)
            first = end

    @torch.no_grad()
    def _scores(self, ids: Ids, ends: Ids, lengths: Ids) -> Tensor:
        """Scores of all rows and the filter's bias after each history: float32 [B, rows]."""
        items = torch.from_numpy(padded(ids, ends, np.maximum(lengths, 1)))
        hidden = self._model.encode(items, torch.from_numpy(np.maximum(lengths, 1)))
        hidden[torch.from_numpy(lengths == 0)] = 0.0  # no history, whatever stood there
        scores = F.linear(hidden, self._table, self._offers)
        if not scores.amax(dim=1).isfinite().all():
            raise DivergedError(
                "the model scores in no numbers (its weights are not finite, or too large)",
                "train it again",
            )
        return scores if self._bias is None else scores + torch.from_numpy(self._bias)

    def _add_gains(self, scores: Tensor, ids: Ids, ends: Ids, lengths: Ids) -> None:
        """Add what the neighbours of each whole history gain; in place."""
        if self._neighbours is None:
            return
        user, item, expert = self._neighbours.experts(ids, ends, lengths)
        gains = torch.from_numpy(self._neighbours.gain(expert)).to(scores)
        at = torch.from_numpy(user), torch.from_numpy(item)
        scores.index_put_(at, gains, accumulate=True)

    def _leave_out_seen(self, scores: Tensor, ids: Ids, offsets: Ids) -> None:
        """Leave out of each list what its history does not let in again; in place."""
        seen = [
            seen_left_out(ids[start:end], self._exclude_seen, self._repeats)
            for start, end in pairwise(offsets)
        ]
        users = np.repeat(np.arange(len(seen)), [len(one) for one in seen])
        scores[torch.from_numpy(users), torch.from_numpy(np.concatenate(seen))] = LEFT_OUT

    def _best(self, scores: Tensor, k: int) -> tuple[Ids, Bias]:
        k = min(k, self._model.config.items)
        if not self._chosen.most_per:
            items, top = _top(scores, k)
            return np.where(top > NOTHING_LEFT, items, 0), top
        lists = np.zeros((len(scores), k), dtype=np.int64)
        values = np.zeros(lists.shape, dtype=np.float32)
        quotas = Filter(most_per=self._chosen.most_per)
        for row, own in enumerate(scores):
            ask = functools.partial(self._ranked, own[None], k)
            for place, (item, score) in enumerate(best(ask, self._rows, k, quotas, ())):
                lists[row, place], values[row, place] = item, score
        return lists, values

    def _ranked(self, scores: Tensor, k: int, bias: Bias | None) -> tuple[Numbers, Bias]:
        biased = scores if bias is None else scores + torch.from_numpy(bias)
        return _top(biased, min(WIDER * k, self._model.config.items))


def _top(scores: Tensor, k: int) -> tuple[Numbers, Bias]:
    """Ids int64 [B, k], best first, and scores [B, k] of scores [B, rows]."""
    top, index = torch.topk(scores[:, 1:-1], k)  # padding and the unknown item are never ranked
    return (index + 1).numpy(), top.numpy()
