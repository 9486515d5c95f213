import pytest
import torch

from glint_edge.model.dropout import Dropout


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.3, 0.5, 0.9])
def test_the_rate_and_the_expected_value(rate):
    x = torch.ones(1000, 1003)  # not a multiple of eight
    y = Dropout(rate)(x)
    assert (y == 0).float().mean().item() == pytest.approx(rate, abs=0.004)
    assert y.mean().item() == pytest.approx(1.0, abs=0.01)
    assert len(y.unique()) == 2


def test_elements_are_dropped_independently():
    y = Dropout(0.5)(torch.ones(400, 512)) != 0
    for shift in range(1, 65):  # bytes of one 64-bit word, and neighbouring words
        agree = (y[:, shift:] == y[:, :-shift]).float().mean().item()
        assert agree == pytest.approx(0.5, abs=0.01), shift


def test_evaluation_and_rate_0_pass_everything():
    x = torch.randn(5, 7)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x
    assert torch.isfinite(Dropout(0.999)(x)).all()


def test_the_gradient_is_that_of_what_was_kept():
    x = torch.randn(50, 50, requires_grad=True)
    y = Dropout(0.25)(x)
    y.sum().backward()
    assert torch.equal(x.grad == 0, y == 0)


def test_the_seed_decides():
    x = torch.ones(10, 10)
    torch.manual_seed(1)
    first = Dropout(0.5)(x)
    second = Dropout(0.5)(x)
    torch.manual_seed(1)
    assert torch.equal(Dropout(0.5)(x), first)
    assert not torch.equal(first, second)
