"""The losses and the settings against overfitting, each beside a plain form of itself."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from glint_edge.config import TrainConfig
from glint_edge.errors import ConfigError
from glint_edge.training import loss
from glint_edge.training.loss import catalogue_cross_entropy, sampled_softmax
from glint_edge.training.objective import prefix_objective

P, D, V = 30, 6, 17


@pytest.fixture
def parts():
    generator = torch.Generator().manual_seed(3)
    hidden = torch.randn(P, D, generator=generator)
    table = torch.randn(V, D, generator=generator)
    return hidden, table, torch.randint(V, (P,), generator=generator)


def test_the_seen_margin_raises_each_seen_item_once_and_never_the_target(parts):
    hidden, table, targets = parts
    seen = torch.randint(V, (P, 5))
    seen[:, 4] = seen[:, 0]  # taken twice
    seen[0] = targets[0]
    logits = hidden @ table.T
    for row in range(P):
        for item in set(seen[row].tolist()) - {int(targets[row])}:
            logits[row, item] += 2.5
    found = catalogue_cross_entropy(hidden, table, targets, seen=seen, seen_margin=2.5)
    torch.testing.assert_close(found, F.cross_entropy(logits, targets))


def test_the_gradient_with_a_margin_is_autograds(parts):
    hidden, table, targets = parts
    seen = (targets[:, None] + torch.tensor([[1, 2, 5]])) % V

    def plain(h, e):
        raised = torch.zeros(P, V).scatter(1, seen, 3.0)
        return F.cross_entropy(h @ e.T + raised, targets)

    def ours(h, e):
        return catalogue_cross_entropy(h, e, targets, seen=seen, seen_margin=3.0)

    gradients = []
    for compute in (plain, ours):
        h, e = hidden.clone().requires_grad_(), table.clone().requires_grad_()
        compute(h, e).backward()
        gradients.append((h.grad, e.grad))
    torch.testing.assert_close(gradients[1], gradients[0])


@pytest.mark.parametrize("weighted", [False, True])
def test_several_targets_of_a_position_share_what_it_counts(parts, weighted):
    hidden, table, targets = parts
    targets = (targets[:, None] + torch.tensor([0, 4, 0])) % V  # the first one twice
    seen = (targets[:, :1] + torch.tensor([1, 4])) % V  # the second one is a target
    shares = torch.rand(P, 3, generator=torch.Generator().manual_seed(6))
    shares /= shares.sum(dim=1, keepdim=True)
    weights = torch.linspace(0, 2, P) if weighted else None

    def plain(h, e):
        raised = torch.zeros(P, V).scatter(1, seen[:, :1], 3.0)
        losses = -(h @ e.T + raised).log_softmax(dim=1).gather(1, targets).mul(shares).sum(dim=1)
        return losses.mean() if weights is None else (losses * weights).sum() / weights.sum()

    def ours(h, e):
        return catalogue_cross_entropy(
            h, e, targets, shares=shares, weights=weights, seen=seen, seen_margin=3.0
        )

    found = []
    for compute in (plain, ours):
        h, e = hidden.clone().requires_grad_(), table.clone().requires_grad_()
        value = compute(h, e)
        value.backward()
        found.append((value.detach(), h.grad, e.grad))
    torch.testing.assert_close(found[1], found[0])


def test_bfloat16_products_stay_near(parts):
    hidden, table, targets = (t.requires_grad_() if t.is_floating_point() else t for t in parts)
    exact = catalogue_cross_entropy(hidden, table, targets)
    low = catalogue_cross_entropy(hidden, table, targets, precision=torch.bfloat16)
    assert low.item() != exact.item()
    assert low.item() == pytest.approx(exact.item(), rel=0.01)
    (a,) = torch.autograd.grad(exact, hidden)
    (b,) = torch.autograd.grad(low, hidden)
    assert (a - b).norm() < 0.02 * a.norm()


def test_a_sample_of_each_item_once_is_the_whole_catalogue(parts):
    hidden, table, targets = parts
    sampled = sampled_softmax(hidden, table, targets, torch.arange(V), torch.zeros(V))
    torch.testing.assert_close(sampled, F.cross_entropy(hidden @ table.T, targets))


def test_the_sampled_denominator_is_unbiased_whatever_it_is_drawn_from(parts):
    hidden, table, targets = parts
    share = torch.rand(V) + 0.05
    share /= share.sum()
    drawn = torch.multinomial(share, 200_000, replacement=True)
    log_expected = (share[drawn] * len(drawn)).log()
    sampled = sampled_softmax(hidden, table, targets, drawn, log_expected)
    whole = F.cross_entropy(hidden @ table.T, targets)
    assert sampled.item() == pytest.approx(whole.item(), rel=0.01)
    uncorrected = sampled_softmax(hidden, table, targets, drawn, torch.zeros(len(drawn)))
    assert uncorrected.item() != pytest.approx(whole.item(), rel=0.1)


@pytest.mark.parametrize("logits", [1, 64, 1 << 18])
@pytest.mark.parametrize("seen", [False, True])
def test_the_samples_gradient_is_autograds(parts, monkeypatch, logits, seen):
    monkeypatch.setattr(loss, "LOGITS", logits)  # blocks of a row, of some, of all
    monkeypatch.setattr(loss, "LEAST_ROWS", 1)
    hidden, table, targets = parts
    drawn = torch.tensor([0, 3, 3, 9, 11, 16, int(targets[0])])
    log_expected = torch.linspace(-1, 1, len(drawn))
    more = torch.randn(P, 3, generator=torch.Generator().manual_seed(5))
    more[0] = more[:, 2] = -torch.inf

    def plain(h, e, m):
        others = h @ e[drawn].T - log_expected
        others = others.masked_fill(drawn == targets[:, None], -torch.inf)
        target = (h * e[targets]).sum(dim=1, keepdim=True)
        return F.cross_entropy(torch.cat([target, others, m], dim=1), torch.zeros_like(targets))

    def ours(h, e, m):
        return sampled_softmax(h, e, targets, drawn, log_expected, seen_logits=m if seen else None)

    found = []
    for compute in (plain, ours):
        inputs = [t.clone().requires_grad_() for t in (hidden, table)]
        given = (more if seen else torch.full_like(more, -torch.inf)).clone().requires_grad_()
        value = compute(*inputs, given)
        (3 * value).backward()
        found.append([value.detach(), *(t.grad for t in inputs), given.grad])
    torch.testing.assert_close(found[1][:3], found[0][:3])
    if seen:
        torch.testing.assert_close(found[1][3], found[0][3])


# ---- the objective ------------------------------------------------------------------------------


BATCH = (
    torch.tensor([[3, 7, 3, 9], [5, 6, 40, 40]]),
    torch.tensor([4, 2]),
    torch.tensor([[7, 3, 9, 1], [6, 8, 40, 40]]),
)
COUNTS = np.arange(41)


def lowered(model, **settings):
    return prefix_objective(TrainConfig(**settings), COUNTS)(model, *BATCH).item()


def test_what_a_user_took_later_or_beyond_the_length_is_not_seen(make_model):
    model = make_model()
    seen_by_position = {
        (0, 0): {3}, (0, 1): {3, 7}, (0, 2): {3, 7}, (0, 3): {3, 7, 9}, (1, 0): {5}, (1, 1): {5, 6},
    }  # fmt: skip
    items, _, targets = BATCH
    losses = []
    for (row, n), seen in seen_by_position.items():
        logits = model.score(items[row : row + 1, : n + 1], torch.tensor([n + 1]))[0]
        logits[sorted(seen - {int(targets[row, n])})] += 4.0
        losses.append(-logits.log_softmax(-1)[targets[row, n]].item())
    assert lowered(model, seen_margin=4.0) == pytest.approx(np.mean(losses), abs=1e-4)


# By position of BATCH: the items that follow in its window, and how much each counts there.
LATER = {
    (0, 0): {7: 1, 3: 0.5, 9: 0.25, 1: 0.125}, (0, 1): {3: 1, 9: 0.5, 1: 0.25},
    (0, 2): {9: 1, 1: 0.5}, (0, 3): {1: 1}, (1, 0): {6: 1, 8: 0.5}, (1, 1): {8: 1},
}  # fmt: skip


def test_later_items_are_targets_as_far_as_the_window_goes(make_model):
    model = make_model()
    losses = []
    for (row, n), following in LATER.items():
        history = BATCH[0][row : row + 1, : n + 1]
        logits = model.score(history, torch.tensor([n + 1]))[0]
        logits[sorted(set(history[0].tolist()) - set(following))] += 4.0
        likely = logits.log_softmax(-1)
        total = sum(likely[item].item() * counts for item, counts in following.items())
        losses.append(-total / sum(following.values()))
    found = lowered(model, later_items=0.5, seen_margin=4.0)
    assert found == pytest.approx(np.mean(losses), abs=1e-4)


@pytest.mark.parametrize("seen_margin", [0.0, 4.0])
def test_a_sample_has_each_later_item_as_a_target(make_model, seen_margin):
    model = make_model()
    sampled = {"loss": "sampled-softmax", "negatives": 8, "seen_margin": seen_margin}
    # A row for each target, of which the last position alone counts.
    each = [
        (row, n, item, counts / sum(following.values()))
        for (row, n), following in LATER.items()
        for item, counts in following.items()
    ]
    items, lengths, targets = (t[[row for row, *_ in each]] for t in BATCH)
    weights = torch.zeros(targets.shape)
    for at, (_, n, item, counts) in enumerate(each):
        lengths[at], targets[at, n], weights[at, n] = n + 1, item, counts
    torch.manual_seed(3)
    one = prefix_objective(TrainConfig(**sampled), COUNTS)(model, items, lengths, targets, weights)
    torch.manual_seed(3)  # the same sample
    assert lowered(model, later_items=0.5, **sampled) == pytest.approx(one.item(), abs=1e-5)


def test_a_sample_knows_the_margin_too(make_model):
    model = make_model()
    unlikely = {"loss": "sampled-softmax", "negatives": 4}
    # So far up that they are all that counts: the sample is drawn again, the loss hardly moves.
    high = [lowered(model, seen_margin=50.0, **unlikely) for _ in range(2)]
    assert high == pytest.approx([lowered(model, seen_margin=50.0)] * 2, abs=0.1)


def test_every_setting_changes_what_is_lowered(make_model):
    model = make_model()
    plain = lowered(model)
    changed = (
        {"loss": "sampled-softmax", "negatives": 8}, {"seen_margin": 1.0},
        {"precision": "bfloat16"}, {"later_items": 0.3},
    )  # fmt: skip
    assert lowered(model) == plain
    for settings in changed:
        assert lowered(model, **settings) != plain, settings


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"loss": "hinge"}, "loss must be one of cross-entropy"),
        ({"schedule": "step"}, "schedule must be one of"),
        ({"precision": "float16"}, "precision must be one of"),
        ({"table_start": "zeros"}, "table_start must be one of svd, random"),
        ({"average": 1.0}, "average must be a number in"),
        ({"negatives": 0}, "negatives"),
        ({"later_items": 1.5}, "later_items must be"),
    ],
)
def test_impossible_settings_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        TrainConfig(**settings)


def test_the_step_size_falls_by_a_cosine_or_not_at_all():
    config = TrainConfig(epochs=10, schedule="cosine", learning_rate=0.3)
    rates = [config.learning_rate_at(epoch) for epoch in range(1, 11)]
    assert (rates[0], rates[5]) == (0.3, pytest.approx(0.15))
    assert all(a > b for a, b in itertools.pairwise(rates))
    assert 0 < rates[-1] < 0.02
    constant = TrainConfig(learning_rate=0.3, schedule="constant")
    assert {constant.learning_rate_at(epoch) for epoch in (1, 5, 500)} == {0.3}
