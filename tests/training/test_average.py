"""Averages of the weights, beside a plain loop, and when a model has them."""

import pytest
import torch

from glint_edge.config import ModelConfig, TrainConfig
from glint_edge.data.log import load_log
from glint_edge.training.average import SOON, Averaged, averaged
from glint_edge.training.begin import begin
from glint_edge.training.epochs import epochs
from tests.logs import write_ring


def weights_of(model):
    return [weight.detach().clone() for weight in model.parameters()]


@torch.no_grad()
def drift(model):
    for weight in model.parameters():
        weight.add_(torch.randn_like(weight))


@pytest.mark.parametrize("decay", [0.5, 0.995])
def test_an_average_is_a_plain_loop_s(make_model, decay):
    model = make_model()
    average, expected = Averaged(model, decay), weights_of(model)
    for step in range(1, 16):
        drift(model)
        average.step(model)
        kept = min(decay, (1 + step) / (SOON + step))
        expected = [
            kept * mean + (1 - kept) * weight
            for mean, weight in zip(expected, weights_of(model), strict=True)
        ]
    assert average.steps == 15
    for mean, plain in zip(average.weights, expected, strict=True):
        torch.testing.assert_close(mean, plain, atol=1e-5, rtol=1e-5)


def test_a_model_has_its_averages_for_a_while_and_its_own_weights_again(make_model):
    model = make_model()
    average = Averaged(model, 0.9)
    drift(model)
    average.step(model)
    own = weights_of(model)
    with averaged(model, average):
        assert all(map(torch.equal, weights_of(model), average.weights))
    assert all(map(torch.equal, weights_of(model), own))
    with pytest.raises(KeyboardInterrupt), averaged(model, average):
        raise KeyboardInterrupt
    assert all(map(torch.equal, weights_of(model), own))
    assert not all(map(torch.equal, own, average.weights))
    with averaged(model, None):
        assert all(map(torch.equal, weights_of(model), own))


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_what_is_validated_and_kept_is_the_average(tmp_path, average):
    parts = load_log(write_ring(tmp_path / "ring.txt", users=20)).split()
    config = TrainConfig(epochs=1, batch_positions=64, average=average)
    run = begin(ModelConfig(items=parts.item_count, d=8, heads=2, max_length=12), config, parts)
    (_,) = epochs(run, parts, config)
    names = [name for name, _ in run.model.named_parameters()]
    kept = [run.best[name] for name in names]
    assert (run.average is None) == (average == 0)
    assert all(map(torch.equal, kept, run.average.weights if average else weights_of(run.model)))
    assert all(map(torch.equal, kept, weights_of(run.model))) == (average == 0)
