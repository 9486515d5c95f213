from dataclasses import replace

import numpy as np
import pytest
import torch

from glint_edge.data.sequences import HeldOut
from glint_edge.evaluation import neighbours as choosing
from glint_edge.evaluation.neighbours import GAMMA, C, choose
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


@pytest.mark.parametrize("protocol", ["full", "unseen"])
def test_the_choice_is_the_best_of_all_pairs(model, held_out, protocol):
    expert = tiny_neighbours()
    by_pair = {
        (c, gamma): evaluate(
            model, held_out, protocol=protocol, neighbours=replace(expert, c=c, gamma=gamma)
        ).ndcg
        for c in C for gamma in GAMMA
    }  # fmt: skip
    alone = evaluate(model, held_out, protocol=protocol).ndcg
    choice = choose(model, held_out, expert, protocol=protocol)
    assert choice.alone == pytest.approx(alone)
    assert choice.ndcg == pytest.approx(max(alone, *by_pair.values()))
    best = max(by_pair, key=by_pair.get)
    assert (choice.c, choice.gamma) == (best if by_pair[best] > alone else (0.0, 1.0))


def test_an_expert_that_harms_is_not_chosen(model, held_out, monkeypatch):
    """What is near in it is never the target."""
    monkeypatch.setattr(choosing, "C", (10.0,))
    never = replace(held_out, targets=np.full(60, 7))
    expert = tiny_neighbours(each=9)
    keep = expert.ids != 7
    starts = np.concatenate([[0], keep.cumsum()])[expert.starts]
    expert = replace(expert, ids=expert.ids[keep], weights=expert.weights[keep], starts=starts)
    choice = choose(model, never, expert)
    assert choice.c == 0 and choice.ndcg == choice.alone


class Part(Alone):
    """One of two processes; what the first one has is at hand when the second gathers."""

    size = 2

    def __init__(self, rank, before):
        self.rank, self._before = rank, before

    def gather(self, values):
        self._before.append(values)
        return torch.cat(self._before[:2]) if self.rank else torch.cat([values, values])


def test_processes_choose_together_what_one_does(model, held_out):
    expert, gathered = tiny_neighbours(), []
    for rank in range(2):
        choice = choose(model, held_out, expert, group=Part(rank, gathered))
    assert choice == choose(model, held_out, expert)
