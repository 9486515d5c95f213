from dataclasses import replace

import numpy as np
import pytest
import torch

from glint_edge.data.neighbours import Neighbours
from glint_edge.data.sequences import HeldOut
from glint_edge.evaluation import neighbours as choosing
from glint_edge.evaluation.neighbours import choose
from glint_edge.evaluation.ranking import evaluate, ranked
from glint_edge.processes.distributed import Alone
from tests.small import tiny_neighbours


@pytest.fixture(scope="module")
def held_out():
    draw = np.random.default_rng(1)
    lengths = draw.integers(1, 15, 60)
    return HeldOut(
        draw.integers(1, 41, lengths.sum()), np.cumsum([0, *lengths]), draw.integers(1, 41, 60)
    )


def test_scores_gain_what_the_expert_says(model, held_out):
    expert = tiny_neighbours(c=1.0)
    with torch.inference_mode():
        found = ranked(model, held_out, neighbours=expert, top=40)
        for user, target in enumerate(held_out.targets):
            history = held_out.ids[held_out.offsets[user] : held_out.offsets[user + 1]]
            items = torch.from_numpy(history)[None]
            scores = model.score(items, torch.tensor([len(history)]))[0, 1:].numpy()
            scores = scores + expert.bias(history, 41)[0, 1:]
            assert found.ranks[user] == (scores >= scores[target - 1]).sum()
            assert found.lists[user, 0] == 1 + scores.argmax()


def ways_of(expert):
    """Each way to count it, the fewest items of a history first."""
    for last in choosing.LASTS:
        for c in choosing.C:
            for gamma in choosing.GAMMA:
                # 0.7 with 8 items, so that the last of them counts as much with any number.
                decay = float(np.float32(0.7 ** (8 / last)))
                yield replace(expert, c=c, gamma=gamma, last=last, decay=decay)


@pytest.mark.parametrize("protocol", ["full", "unseen"])
def test_the_choice_is_the_best_of_all_ways_with_few_items(model, held_out, protocol):
    """Sixty users are too few to tell one number of items from another: the fewest are taken."""
    expert = tiny_neighbours()
    by_way = {
        (way.c, way.gamma): ndcg_of(model, held_out, way, protocol)
        for way in ways_of(expert) if way.last == 8
    }  # fmt: skip
    alone = evaluate(model, held_out, protocol=protocol).ndcg
    choice = choose(model, held_out, expert, protocol=protocol)
    assert choice.alone == pytest.approx(alone)
    best = max(by_way, key=by_way.get)
    if choice.neighbours is None:
        assert choice.ndcg == choice.alone
        assert by_way[best] <= alone
    else:
        assert choice.ndcg == pytest.approx(by_way[best])
        own = choice.neighbours
        assert (own.c, own.gamma, own.last) == (*best, 8)


def ndcg_of(model, held_out, expert, protocol="full"):
    return evaluate(model, held_out, protocol=protocol, neighbours=expert).ndcg


def test_more_items_count_where_that_is_better_beyond_noise(model, monkeypatch):
    """What is near the history's first item is the target, whatever came since."""
    monkeypatch.setattr(choosing, "C", (10.0,))
    monkeypatch.setattr(choosing, "GAMMA", (1000.0,))
    users, length = 400, 18
    draw = np.random.default_rng(2)
    ids = draw.integers(21, 41, (users, length))
    ids[:, 0] = draw.integers(1, 11, users)
    near = HeldOut(ids.reshape(-1), np.arange(0, users * length + 1, length), ids[:, 0] + 10)
    starts = np.minimum(np.arange(-1, 41), 10).clip(0)
    expert = Neighbours(
        starts, np.float32([0, *[1 / 255] * 10, *[0] * 30]), np.full(10, 255, np.uint8),
        np.arange(11, 21), 1.0, 1.0,
    )  # fmt: skip
    by_last = {way.last: ndcg_of(model, near, way) for way in ways_of(expert)}
    alone = evaluate(model, near).ndcg
    assert by_last[8] == by_last[16] == alone < by_last[32] <= by_last[64]
    choice = choose(model, near, expert)
    assert choice.neighbours.last == 32
    assert choice.ndcg == pytest.approx(by_last[32])
    assert Neighbours.from_bytes(choice.neighbours.to_bytes()).decay == choice.neighbours.decay


def test_an_expert_that_harms_is_not_chosen(model, held_out, monkeypatch):
    """What is near in it is never the target."""
    monkeypatch.setattr(choosing, "C", (10.0,))
    never = replace(held_out, targets=np.full(60, 7))
    expert = tiny_neighbours(each=9)
    keep = expert.ids != 7
    starts = np.concatenate([[0], keep.cumsum()])[expert.starts]
    expert = replace(expert, ids=expert.ids[keep], weights=expert.weights[keep], starts=starts)
    choice = choose(model, never, expert)
    assert choice.neighbours is None
    assert choice.ndcg == choice.alone


class Part(Alone):
    """One of two processes; what the first one has is at hand when the second gathers."""

    size = 2

    def __init__(self, rank, before):
        self.rank, self._before = rank, before

    def gather(self, values):
        self._before.append(values)
        return torch.cat(self._before[:2]) if self.rank else torch.cat([values, values])


def test_processes_choose_together_what_one_does(model, held_out):
    expert, gathered = tiny_neighbours(each=9), []
    for rank in range(2):
        choice = choose(model, held_out, expert, group=Part(rank, gathered))
    alone = choose(model, held_out, expert)
    assert (choice.ndcg, choice.alone) == (alone.ndcg, alone.alone)
    assert choice.neighbours.to_bytes() == alone.neighbours.to_bytes()
