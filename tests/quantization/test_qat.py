"""Quantization-aware training rounds what the int8 stream rounds."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from glint_edge.model.glint_ru import GlintRU
from glint_edge.model.stream import empty_state, stream_program
from quantization import quantize
from quantization.int8 import fake_quantize_activation, quantize_rows
from quantization.qat.distil import catalogue_divergence
from tests.skips import needs

pytestmark = needs("torchao", "qat")


# --- the rounding


@torch.no_grad()
def of_stream(program, history):
    """The int8 stream's hidden, rounded as the scoring rounds it, and all scores."""
    state = empty_state(program.config)
    for item in history:
        state = program.append(state, torch.tensor([item]))
    hidden = program.recommend.hidden(state)
    return fake_quantize_activation(hidden), program.recommend.scores(hidden)[:, :-1]


@pytest.mark.parametrize(
    "shape",
    [
        {}, {"variant": "paper"}, {"input_norm": False}, {"low_pass": False}, {"kernel": 1},
        {"kernel": 5}, {"gated_mlp": False}, {"d": 32},
    ],
    ids=str,
)  # fmt: skip
@torch.no_grad()
def test_it_is_the_int8_stream(make_model, rounded, shape):
    """In both forms. Now and then a sum in another order falls to the other side of a level's edge,
    and from there on the two round differently: so most short histories, and none far.
    """
    model = make_model(**shape)
    batch, program = rounded(model), quantize(stream_program(model))
    apart = []
    for length in (1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8):
        items, lengths = torch.randint(1, 41, (1, length)), torch.tensor([length])
        hidden, scores = of_stream(program, items[0].tolist())
        for found in (batch.encode(items, lengths), batch.prefixes(items, lengths)[:, -1]):
            apart.append(((found - hidden).norm() / hidden.norm()).item())
        found = batch.score(items, lengths)[:, 1:]
        apart.append(((found - scores[:, 1:]).norm() / scores.norm()).item())
    assert np.median(apart) <= 1e-6
    assert max(apart) <= 0.05


@torch.no_grad()
def test_its_rows_are_the_integers(model, rounded):
    q, scale = quantize_rows(model.embedding.weight)
    assert torch.equal(rounded(model).embedding.weight, q * scale[:, None])


@torch.no_grad()
def test_lengths_in_a_batch_do_not_disturb_each_other(make_model, rounded):
    batch = rounded(make_model(kernel=5))
    items, lengths = torch.randint(0, 41, (4, 6)), torch.tensor([6, 1, 3, 5])
    together = batch.encode(items, lengths)
    for row, (ids, n) in enumerate(zip(items, lengths, strict=True)):
        alone = batch.encode(ids[None, :n], n[None])
        torch.testing.assert_close(together[row], alone[0], atol=2e-2, rtol=2e-2)


def test_every_weight_gets_a_gradient(make_model, rounded):
    """Through all that is rounded. What is never read, and padding, gets none."""
    batch = rounded(make_model()).train()
    items, lengths = torch.randint(1, 41, (3, 6)), torch.tensor([6, 6, 4])
    hidden = batch.prefixes(items, lengths)
    (hidden @ batch.embedding.weight[1:].T).square().mean().backward()
    for name, parameter in batch.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name
    assert not batch.conv_out.weight.grad[..., 2:].any(), "taps to the right are never read"


def test_the_gradient_is_nearly_that_of_the_float_model(make_model, rounded):
    model = make_model(d=64, embedding_dropout=0.0, attention_dropout=0.0, block_dropout=0.0)
    batch = rounded(model)
    items, lengths = torch.randint(1, 41, (8, 12)), torch.full((8,), 12)
    towards = torch.randn(8, 12, 64)
    gradients = []
    for form in (model, batch):
        (form.prefixes(items, lengths) * towards).sum().backward()
        gradients.append({n: p.grad.clone() for n, p in form.named_parameters()})
        form.zero_grad()
    wanted, actual = gradients
    actual["embedding.weight"] = actual.pop("embedding.parametrizations.weight.original")
    for name, gradient in wanted.items():
        near = F.cosine_similarity(gradient.flatten(), actual[name].flatten(), dim=0)
        assert near > 0.95, (name, near)


def test_a_model_comes_back_as_it_went_in(model, rounded):
    back = rounded(model).to_float()
    assert type(back) is GlintRU
    assert back.config == model.config
    assert not back.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, back.state_dict()[name]), name


def test_it_shares_nothing_with_the_model(make_model, rounded):
    model = make_model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        for parameter in rounded(model).parameters():
            parameter.add_(1.0)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


# --- the distance


@pytest.mark.parametrize("block", [1, 100, 1 << 18])  # logits: a row, some rows, all
def test_the_distance_and_its_gradient_are_the_plain_ones(monkeypatch, block):
    monkeypatch.setattr("quantization.qat.distil.LOGITS", block)
    hidden, table = torch.randn(7, 6, requires_grad=True), torch.randn(30, 6, requires_grad=True)
    wanted = torch.randn(7, 6), torch.randn(30, 6)

    def plain():
        actual, right = (F.log_softmax(h @ t.T, dim=1) for h, t in ((hidden, table), wanted))
        return F.kl_div(actual, right, log_target=True, reduction="batchmean")

    results = []
    for loss in (plain(), catalogue_divergence(hidden, table, wanted)):
        gradients = torch.autograd.grad(2 * loss, (hidden, table))
        results.append((loss, *gradients))
    for actual, expected in zip(results[1], results[0], strict=True):
        torch.testing.assert_close(actual, expected, atol=1e-6, rtol=1e-5)


def test_a_model_is_at_no_distance_from_itself():
    hidden, table = torch.randn(3, 4), torch.randn(9, 4)
    assert catalogue_divergence(hidden, table, (hidden, table)).item() == pytest.approx(0, abs=1e-6)
