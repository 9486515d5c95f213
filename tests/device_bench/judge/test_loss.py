"""What NDCG@10 an artifact loses, and whether that is known."""

from dataclasses import replace

import numpy as np
import pytest

from device_bench.judge.loss import Loss, loss_failures, loss_warnings, ndcg_loss

MOST = 0.01
KNOWN = Loss(share=0.005, low=0.002, high=0.008, positions=20_000, users=943)
PLACES = np.concatenate([1 / np.log2(np.arange(2, 12)), [0.0]])  # NDCG@10 by rank; 0: not in it


def pairs(random, *, users, each=20):
    """NDCG@10 of an artifact and of its float model, by user; and what the artifact loses."""
    likes = random.uniform(0, 10, (users, 1))  # of some users most targets are found
    ranks = np.minimum(random.exponential(2 + likes, (users, each)).astype(int), 10)
    moved = np.clip(ranks + random.choice([-1, 0, 0, 0, 0, 0, 1], (users, each)), 0, 10)
    floats, mine = PLACES[ranks], PLACES[moved]
    lost = 1 - mine.sum() / floats.sum()
    return mine, floats, lost


def verdict(mine, floats):
    users = np.repeat(np.arange(len(mine)), mine.shape[1])
    loss = ndcg_loss(mine.ravel(), floats.ravel(), users)
    return (
        "fails" if loss_failures(loss, MOST) else
        "cannot tell" if loss_warnings(loss, MOST) else "good"
    )  # fmt: skip


@pytest.fixture(scope="module")
def verdicts():
    """How often each, by what is truly lost: users drawn from many, of whom that is known."""
    random = np.random.default_rng(0)
    mine, floats, lost = pairs(random, users=20_000)
    counts = {}
    for loss in (0.0, 0.005, 0.01, 0.02):
        losing = mine * (1 - loss) / (1 - lost)
        draws = [random.integers(len(mine), size=943) for _ in range(300)]
        found = [verdict(losing[users], floats[users]) for users in draws]
        counts[loss] = {name: found.count(name) / len(found) for name in set(found)}
    return counts


def test_what_loses_no_more_than_it_may_seldom_fails(verdicts):
    for loss in (0.0, 0.005, 0.01):
        assert verdicts[loss].get("fails", 0) <= 0.08  # 5 % and chance, at the border
    assert verdicts[0.0].get("fails", 0) == verdicts[0.005].get("fails", 0) == 0


def test_what_loses_twice_as_much_fails_and_never_passes(verdicts):
    assert verdicts[0.02].get("fails", 0) > 0.95
    assert verdicts[0.02].get("good", 0) == 0


def test_what_loses_nothing_passes(verdicts):
    assert verdicts[0.0].get("good", 0) > 0.95


def test_few_histories_cannot_tell():
    random = np.random.default_rng(1)
    mine, floats, _ = pairs(random, users=8, each=3)
    assert verdict(mine, floats) == "cannot tell"


@pytest.mark.parametrize(
    ("change", "fails", "open_"),
    [
        ({}, None, None),
        ({"share": -0.01, "low": -0.02, "high": -0.005}, None, None),
        ({"high": 0.01}, None, None),
        ({"high": 0.0101}, None, "it is 0.50% below, and may be 1.01% below"),
        ({"share": -0.01, "high": 0.02}, None, "it is 1.00% above, and may be 2.00% below"),
        ({"share": 0.02, "low": 0.0101, "high": 0.03}, "at least 1.01% below", None),
        ({"share": 0.02, "low": 0.01, "high": 0.03}, None, "cannot tell with these few histories"),
    ],
)
def test_the_three_verdicts(change, fails, open_):
    loss = replace(KNOWN, **change)
    failures, warnings = loss_failures(loss, MOST), loss_warnings(loss, MOST)
    assert bool(failures) == bool(fails)
    assert bool(warnings) == bool(open_)
    for said, words in ((failures, fails), (warnings, open_)):
        if words:
            assert words in said[0]
            assert "20,000 positions of 943 users" in said[0]


def test_one_user_or_a_model_that_is_never_right_says_nothing():
    some, none, users = np.array([0.5, 1.0]), np.zeros(2), np.arange(2)
    assert ndcg_loss(some, some, np.zeros(2, int)) is None
    assert ndcg_loss(none, none, users) is None
    assert "cannot tell" in loss_warnings(None, MOST)[0]
    loss = ndcg_loss(some, some, users)
    assert (loss.share, loss.positions, loss.users) == (0.0, 2, 2)
    assert loss.high > 1, "two that are alike are no proof"


def test_all_lost_fails_however_few_there_are():
    loss = ndcg_loss(np.zeros(4), np.array([0.5, 1.0, 0.4, 1.0]), np.arange(4))
    assert loss_failures(loss, MOST)


def test_a_users_positions_are_one_draw():
    """Twenty times the same position of each user is no more than one."""
    random = np.random.default_rng(2)
    mine, floats, _ = pairs(random, users=500, each=1)
    once = ndcg_loss(mine[:, 0], floats[:, 0], np.arange(500))
    again = ndcg_loss(np.tile(mine[:, 0], 20), np.tile(floats[:, 0], 20), np.tile(range(500), 20))
    assert again.share == pytest.approx(once.share)
    assert again.high - again.share > 0.7 * (once.high - once.share)
    assert (once.positions, again.positions, again.users) == (500, 10_000, 500)
