"""How much a target counts, in the loss and in the figures, beside plain forms of both."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from glint_edge.config import ModelConfig, TrainConfig, configs
from glint_edge.data.batches import batches
from glint_edge.data.log import load_log
from glint_edge.data.options import load_options
from glint_edge.data.sharded.sharding import make_shards
from glint_edge.evaluation.metrics import metrics_of_ranks
from glint_edge.evaluation.slices import half_width
from glint_edge.model.glint_ru import GlintRU
from glint_edge.training.begin import make_optimizer
from glint_edge.training.epochs import train_epoch
from glint_edge.training.loss import catalogue_cross_entropy, sampled_softmax
from glint_edge.training.objective import prefix_objective

P, D, V = 30, 6, 17
SETTINGS = (
    {}, {"loss": "sampled-softmax", "negatives": 8}, {"seen_margin": 1.0},
    {"precision": "bfloat16"},
    {"loss": "sampled-softmax", "negatives": 8, "seen_margin": 1.0},
)  # fmt: skip
BATCH = (
    torch.tensor([[3, 7, 3, 9], [5, 6, 40, 40]]),
    torch.tensor([4, 2]),
    torch.tensor([[7, 3, 9, 1], [6, 8, 40, 40]]),
)


@pytest.fixture
def parts():
    generator = torch.Generator().manual_seed(3)
    hidden = torch.randn(P, D, generator=generator)
    table = torch.randn(V, D, generator=generator)
    targets = torch.randint(V, (P,), generator=generator)
    return hidden, table, targets, torch.rand(P, generator=generator) * 4


def loss_of(name, hidden, table, targets, weights):
    """A loss that draws nothing, of some positions."""
    negatives, expected = torch.tensor([1, 5, 5, 9]), torch.tensor([0.3, -1.0, -1.0, 0.2])
    if name == "catalogue":
        return catalogue_cross_entropy(hidden, table, targets, weights=weights)
    return sampled_softmax(hidden, table, targets, negatives, expected, weights=weights)


@pytest.mark.parametrize("name", ["catalogue", "sampled"])
def test_the_weighted_loss_is_the_weighted_mean_of_each_positions_own(parts, name):
    hidden, table, targets, weights = parts
    each = [loss_of(name, hidden[p : p + 1], table, targets[p : p + 1], None) for p in range(P)]
    plain = (torch.stack(each) * weights).sum() / weights.sum()
    torch.testing.assert_close(loss_of(name, hidden, table, targets, weights), plain)


@pytest.mark.parametrize("name", ["catalogue", "sampled"])
def test_so_is_its_gradient(parts, name):
    hidden, table, targets, weights = parts

    def plain(h, e):
        each = [loss_of(name, h[p : p + 1], e, targets[p : p + 1], None) for p in range(P)]
        return (torch.stack(each) * weights).sum() / weights.sum()

    gradients = []
    for compute in (plain, lambda h, e: loss_of(name, h, e, targets, weights)):
        h, e = hidden.clone().requires_grad_(), table.clone().requires_grad_()
        compute(h, e).backward()
        gradients.append((h.grad, e.grad))
    torch.testing.assert_close(gradients[1], gradients[0])


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_with_weights_of_one_all_is_as_without(make_model, settings):
    found = []
    for weights in ((), (torch.ones(2, 4),)):
        torch.manual_seed(0)
        model = make_model()
        torch.manual_seed(1)
        loss = prefix_objective(TrainConfig(**settings), np.arange(41))(model, *BATCH, *weights)
        loss.backward()
        found.append([loss, *(p.grad for p in model.parameters() if p.grad is not None)])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_a_batch_without_weight_is_no_loss_and_no_step(make_model):
    model = make_model()
    loss = prefix_objective(TrainConfig(), np.arange(41))(model, *BATCH, torch.zeros(2, 4))
    loss.backward()
    assert loss.item() == 0
    assert all(not p.grad.any() for p in model.parameters() if p.grad is not None)


def test_padding_has_no_weight(make_model):
    model = make_model()
    objective = prefix_objective(TrainConfig(), np.arange(41))
    weights = torch.tensor([[1.0, 0, 0, 2], [3, 0, 50, 50]])
    hidden = model.prefixes(BATCH[0], BATCH[1])
    logits = hidden @ model.embedding.weight[1:].T
    each = {
        at: F.cross_entropy(logits[at], BATCH[2][at] - 1).item() for at in [(0, 0), (0, 3), (1, 0)]
    }
    plain = (each[0, 0] + 2 * each[0, 3] + 3 * each[1, 0]) / 6
    assert objective(model, *BATCH, weights).item() == pytest.approx(plain, abs=1e-5)


# ---- from the log on ----------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path):
    """12 users; the weight of each event is told by its item: 1 and 4, or 0."""
    path = tmp_path / "log.csv"
    kinds = ("view", "buy", "seen")
    rows = [
        f"u{user},i{(user + step) % 9},{step},{kinds[(user + step) % 3]}"
        for user in range(12) for step in range(3 + user % 7)
    ]  # fmt: skip
    path.write_text("\n".join(["user,item,time,event", *rows]) + "\n")
    return path


WEIGHTS = {"view": 1, "buy": 4, "seen": 0}
OF_ITEM = {f"i{n}": (1, 4, 0)[n % 3] for n in range(9)}


def test_each_target_has_the_weight_of_its_event_in_memory_and_in_shards(log, tmp_path):
    whole = load_log(log, weights=WEIGHTS)
    options = load_options(weights=WEIGHTS)
    shards = make_shards(log, tmp_path / "s", options=options, parts=2, held_out=99)
    of_id = np.array([0, *(OF_ITEM[key] for key in whole.whole.keys[1:])])
    assert shards.keys == whole.whole.keys
    assert (whole.whole.weights == of_id[whole.whole.ids]).all()
    for data in (whole.split(), shards):
        for held in (data.validation(), data.test()):
            assert held.weights.dtype == np.float32
            assert (held.weights == of_id[held.targets]).all()
    split = whole.split()
    own = batches(
        split.train_ids, split.train_offsets, 4, 16, np.random.default_rng(0),
        weights=split.train_weights(),
    )  # fmt: skip
    for stream in (own, shards.batches(4, 16, np.random.default_rng(0))):
        for _, lengths, targets, weights in stream:
            inside = torch.arange(targets.shape[1]) < lengths[:, None]
            assert (weights[inside].numpy() == of_id[targets[inside].numpy()]).all()


def test_weights_change_what_is_learned_and_those_of_one_change_nothing(log, tmp_path):
    def trained(data):
        torch.manual_seed(0)
        model = GlintRU(ModelConfig(items=9, d=8, heads=2, max_length=4))
        config = configs(9, {"d": 8, "heads": 2, "batch_positions": 16})[1]
        rng = np.random.default_rng(0)
        loss = train_epoch(model, make_optimizer(model, config), data, config, rng)
        return [loss, *(p.detach().clone() for p in model.parameters())]

    plain, ones, other = (
        trained(load_log(log, weights=weights).split())
        for weights in (None, dict.fromkeys(WEIGHTS, 1), WEIGHTS)
    )
    assert plain[0] == ones[0] != other[0]
    assert all(torch.equal(a, b) for a, b in zip(plain[1:], ones[1:], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(plain[1:], other[1:], strict=True))


@given(st.lists(st.tuples(st.integers(1, 15), st.sampled_from([0, 1, 2.5, 4])), min_size=1))
def test_figures_are_weighted_means_of_each_targets_own(pairs):
    ranks, weights = (np.array(each) for each in zip(*pairs, strict=True))
    found = metrics_of_ranks(ranks, 10, weights.astype(np.float32))
    counted = weights if weights.any() else np.ones(len(weights))
    each = [metrics_of_ranks(ranks[n : n + 1], 10) for n in range(len(ranks))]
    for name in ("recall", "mrr", "ndcg"):
        plain = sum(w * getattr(one, name) for w, one in zip(counted, each, strict=True))
        assert getattr(found, name) == pytest.approx(plain / counted.sum())
    assert found.users == len(ranks)
    assert metrics_of_ranks(ranks, 10, np.ones(len(ranks), np.float32)) == metrics_of_ranks(ranks)


def test_an_interval_of_equal_weights_is_as_without_and_of_few_that_count_is_wide():
    values = np.random.default_rng(0).random(200)
    assert half_width(values, np.full(200, 3, np.float32)) == pytest.approx(half_width(values))
    few = np.zeros(200, np.float32)
    few[:5] = 1
    assert half_width(values, few) == pytest.approx(half_width(values[:5]))
