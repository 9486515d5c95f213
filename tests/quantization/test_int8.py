"""The int8 scheme against plain integer arithmetic."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from quantization.int8 import Int8Embedding, Int8Linear, fake_quantize_activation, quantize_rows

# Zeros among them, and nothing so small or large that a scale underflows or overflows.
SIZES = st.floats(2.0**-100, 2.0**100, width=32)
MATRICES = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2),
    elements=st.just(0.0) | SIZES | SIZES.map(lambda size: -size),
).map(torch.from_numpy)


# --- weights


@settings(deadline=None)
@given(MATRICES)
def test_weights_are_rounded_to_the_nearest_of_their_rows_levels(weight):
    q, scale = quantize_rows(weight)
    assert q.dtype == torch.int8
    assert (q.shape, scale.shape) == (weight.shape, weight.shape[:1])
    error = (weight.double() - q.double() * scale.double()[:, None]).abs()
    assert (error <= scale.double()[:, None] * (0.5 + 1e-4)).all()


@settings(deadline=None)
@given(MATRICES)
def test_a_rows_largest_weight_takes_the_last_level_and_none_takes_minus_128(weight):
    q, scale = quantize_rows(weight)
    zeros = (weight == 0).all(dim=1)
    assert (q.int().abs().amax(dim=1) == torch.where(zeros, 0, 127)).all()
    assert (scale[zeros] == 1).all()
    assert (scale > 0).all()


@settings(deadline=None)
@given(MATRICES)
def test_weights_and_their_negatives_quantize_alike(weight):
    q, scale = quantize_rows(weight)
    negative, same = quantize_rows(-weight)
    assert torch.equal(negative, -q)
    assert torch.equal(same, scale)


def test_every_row_has_a_scale_of_its_own():
    q, scale = quantize_rows(torch.tensor([[127.0, -64.0], [0.0127, 0.0], [0.0, 0.0]]))
    assert q.tolist() == [[127, -64], [127, 0], [0, 0]]
    torch.testing.assert_close(scale, torch.tensor([1.0, 0.0001, 1.0]))


# --- activations


@settings(deadline=None)
@given(MATRICES)
def test_activations_are_rounded_to_the_nearest_of_256_levels_that_hold_zero(x):
    rounded = fake_quantize_activation(x).double()
    low, high = x.amin(1, keepdim=True).clamp(max=0), x.amax(1, keepdim=True).clamp(min=0)
    step = ((high.double() - low.double()) / 255).clamp(min=torch.finfo(torch.float32).eps)
    assert ((rounded - x.double()).abs() <= step * (0.5 + 1e-3)).all()
    assert (rounded[x == 0] == 0).all()
    assert ((rounded / step).round().abs() <= 255).all()
    assert torch.isfinite(rounded).all()


@settings(deadline=None)
@given(st.integers(0, 255), st.integers(-20, 20), st.data())
def test_activations_on_their_own_grid_stay_as_they_are(zero, exponent, data):
    """Levels −zero … 255 − zero of a power of two, both ends among them: nothing to round."""
    inner = data.draw(st.lists(st.integers(-zero, 255 - zero), max_size=8))
    x = torch.tensor([[-zero, *inner, 255 - zero]], dtype=torch.float32) * 2.0**exponent
    if x.abs().max() > 1e-3:  # far from the smallest step
        assert torch.equal(fake_quantize_activation(x), x)


def test_activations_never_need_a_257th_level():
    """Both ends round outwards here, to −2 and 254: the last level is 255 above the first."""
    x = torch.tensor([[-1.5, 253.5]])
    assert fake_quantize_activation(x).tolist() == [[-2.0, 253.0]]


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 1e-20, -1e-20, 1e30, -1e30])
def test_constant_activations_lose_nothing(value):
    x = torch.full((1, 5), value)
    lost = (fake_quantize_activation(x) - x).abs().max()
    assert lost <= max(abs(value) * 1e-6, 1e-19)


def test_every_row_of_activations_has_a_range_of_its_own():
    x = torch.randn(4, 16) * torch.tensor([[1e-3], [1.0], [1e3], [0.0]])
    alone = torch.cat([fake_quantize_activation(row[None]) for row in x])
    assert torch.equal(fake_quantize_activation(x), alone)


# --- modules


def integer_linear(x, q, scale, bias):
    """What a kernel does: int8 · int8 summed in int32, zero points explicit, then one scaling."""
    rows = []
    for row in x.numpy():
        low, high = min(row.min(), np.float32(0)), max(row.max(), np.float32(0))
        step = (high - low) / np.float32(255)
        zero = np.int32(-128 - np.rint(low / step))
        levels = np.clip(np.rint(row / step) + zero, -128, 127).astype(np.int8)
        weights = q.numpy().astype(np.int32)
        total = weights @ levels.astype(np.int32) - zero * weights.sum(axis=1, dtype=np.int32)
        rows.append(
            total * np.float64(step) * scale.numpy() + (0 if bias is None else bias.numpy())
        )
    return torch.from_numpy(np.array(rows, dtype=np.float32))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shift", [0.0, 5.0, -5.0], ids="shift={}".format)  # moves the zero point
@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (3, 7), (64, 192)])
def test_a_linear_computes_what_integer_arithmetic_does(bias, shift, columns, rows):
    linear = nn.Linear(columns, rows, bias=bias)
    int8 = Int8Linear(linear)
    x = torch.randn(5, columns) * torch.tensor([[0.01], [1.0], [3.0], [1.0], [100.0]]) + shift
    with torch.no_grad():
        expected = integer_linear(x, int8.q, int8.scale, int8.bias)
        torch.testing.assert_close(int8(x), expected, atol=1e-5, rtol=1e-5)
        # and that is the float linear, within what rounding inputs and weights can cost
        loss = columns * (x.abs().amax(1, keepdim=True) / 127) * linear.weight.abs().max()
        assert ((int8(x) - linear(x)).abs() <= loss + 1e-5).all()


def test_an_embedding_gives_scaled_rows():
    table = nn.Embedding(6, 8)
    int8 = Int8Embedding(table)
    ids = torch.tensor([5, 0, 5, 2])
    rows = torch.stack([int8.q[i].float() * int8.scale[i] for i in ids])
    assert torch.equal(int8(ids), rows)
    assert ((rows - table.weight[ids]).abs() <= int8.scale[ids, None] * 0.5001).all()
