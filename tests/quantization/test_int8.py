"""The int8 scheme against plain integer arithmetic, and what `quantize` replaces."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from glint_edge.errors import ConfigError
from glint_edge.model.stream import empty_state, stream_program
from quantization import quantize
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


# --- programs

GRU = ["gru.conv_in", "gru.step_in", "gru.step_state", "gru.gate_up", "gru.gru_out"]
APPEND = {"item.table", "item.item_in", *GRU}
RECOMMEND = {
    "item_out",
    "attention_out",
    *GRU,
    "conv_out",
    "mix_out",
    "mlp_in",
    "mlp_out",
    "scores",
}


CONSTANTS = (
    "unit.",
    "item.unit.",
    "item.norm.",
    "item.low_pass.",
    "norm.",
    "attention_norm.",
    "gru.closed",
    "places.",
    "offsets",
)


@pytest.fixture(scope="module")
def programs(model):
    fp32 = stream_program(model)
    return fp32, quantize(fp32)


@pytest.mark.parametrize(
    ("shape", "append", "recommend"),
    [
        ({}, APPEND, RECOMMEND),
        ({"kernel": 5}, APPEND, RECOMMEND),
        ({"variant": "paper"}, APPEND, RECOMMEND),
        ({"gated_mlp": False}, APPEND, RECOMMEND - {"mlp_in", "mlp_out"}),
    ],
    ids=["default", "kernel=5", "paper", "light"],
)
def test_every_matrix_becomes_int8(make_model, shape, append, recommend):
    program = quantize(stream_program(make_model(**shape)))
    for part, expected in (
        (program.append, append),
        (program.append_many, append),
        (program.recommend, recommend),
    ):
        kinds = {name: type(module) for name, module in part.named_modules()}
        int8 = {name for name, kind in kinds.items() if kind in (Int8Linear, Int8Embedding)}
        assert int8 == expected
        # What is left in float: scales, biases, and the constants of norms and head norms.
        left = {name for name, x in part.state_dict().items() if x.is_floating_point()}
        constants = {name for name in left if name.startswith(CONSTANTS)}
        of_int8 = {f"{name}.{what}" for name in int8 for what in ("scale", "bias")}
        assert left - constants <= of_int8
        assert not list(part.parameters())
    assert isinstance(program.append.item.table, Int8Embedding)


def test_the_integers_and_biases_are_those_of_the_float_program(programs):
    fp32, int8 = programs
    for part in ("append", "append_many", "recommend"):
        float_part, int8_part = getattr(fp32, part), getattr(int8, part)
        for name, module in int8_part.named_modules():
            if not isinstance(module, (Int8Linear, Int8Embedding)):
                continue
            original = float_part.get_submodule(name)
            q, scale = quantize_rows(original.weight)
            assert torch.equal(module.q, q), name
            assert torch.equal(module.scale, scale), name
            bias = getattr(original, "bias", None)
            assert (bias is None) == (getattr(module, "bias", None) is None), name
            assert bias is None or torch.equal(module.bias, bias), name


def test_lookup_and_scoring_hold_the_same_rows(programs):
    """An item's score and its embedding come from the same integers; unknown rows are zero."""
    table, scores = programs[1].append.item.table, programs[1].recommend.scores
    assert torch.equal(table.q, scores.q)
    assert torch.equal(table.scale, scores.scale)
    assert not table.q[[0, -1]].any()


def test_all_methods_step_the_gru_with_the_same_integers(programs):
    int8 = programs[1]
    append, *others = (
        part.gru.state_dict() for part in (int8.append, int8.append_many, int8.recommend)
    )
    for other in others:
        assert append.keys() == other.keys()
        for name in append:
            assert torch.equal(append[name], other[name]), name


def test_quantizing_leaves_the_float_program_as_it_was(model):
    program = stream_program(model)
    parts = (program.append, program.append_many, program.recommend)
    before = [{name: x.clone() for name, x in part.state_dict().items()} for part in parts]
    assert quantize(program).precision == "int8"
    assert program.precision == "fp32"
    for part, weights in zip(parts, before, strict=True):
        assert part.state_dict().keys() == weights.keys()
        for name, weight in part.state_dict().items():
            assert torch.equal(weight, weights[name]), name


def test_a_quantized_program_says_what_it_is(model):
    program = quantize(stream_program(model, top_k=7))
    assert (program.config, program.top_k, program.precision) == (model.config, 7, "int8")
    for module, _ in program.methods().values():
        assert not module.training


def test_quantizing_twice_is_refused(programs):
    with pytest.raises(ConfigError, match="int8"):
        quantize(programs[1])


@torch.no_grad()
def states(program, items):
    """The state after each item of a history."""
    found = [empty_state(program.config)]
    for item in items:
        found.append(program.append(found[-1], torch.tensor([item])))
    return found[1:]


@pytest.mark.parametrize("shape", [{}, {"kernel": 5}, {"gated_mlp": False}], ids=str)
def test_the_int8_stream_stays_near_the_float_stream(make_model, shape):
    fp32 = stream_program(make_model(d=64, **shape))
    int8 = quantize(fp32)
    history = torch.randint(0, 41, (60,)).tolist()
    with torch.no_grad():
        for a, b in zip(states(fp32, history), states(int8, history), strict=True):
            assert a[0, 0] == b[0, 0]
            expected, actual = fp32.recommend.hidden(a), int8.recommend.hidden(b)
            assert (actual - expected).norm() <= 0.04 * expected.norm()


@pytest.mark.parametrize("shape", [{}, {"kernel": 1}, {"kernel": 5}], ids=str)
@pytest.mark.parametrize("before", [0, 1, 9])
@torch.no_grad()
def test_a_chunk_in_int8_is_as_many_appends(make_model, shape, before):
    """Rows are rounded one by one, so a chunk rounds what single items round."""
    int8 = quantize(stream_program(make_model(**shape), chunk=6))
    history = torch.randint(0, 42, (before,)).tolist()
    start = [empty_state(int8.config), *states(int8, history)][-1]
    items = torch.randint(0, 42, (6,))
    expected = start
    for count in range(7):
        found = int8.append_many(start, items[None], torch.tensor([count]))
        # Sums taken in another order may fall to the other side of a level's edge: not here.
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        if count < 6:
            expected = int8.append(expected, items[count : count + 1])


def test_the_int8_stream_without_history_recommends_the_most_popular(programs):
    items, scores = programs[1].recommend(empty_state(programs[1].config))
    assert items.tolist() == [list(range(1, 41))]
    torch.testing.assert_close(scores, torch.zeros(1, 40), atol=1e-20, rtol=0)


@pytest.mark.parametrize("unknown", [-1, 41, 42, torch.iinfo(torch.int64).max])
def test_an_unknown_item_is_a_row_of_zeros_in_int8_too(programs, unknown):
    actual, expected = (states(programs[1], [5, item, 11])[-1] for item in (unknown, 0))
    assert torch.equal(actual, expected)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_of_a_diverged_training_are_refused(make_model, value):
    model = make_model()
    with torch.no_grad():
        model.mix_out.weight[0, 0] = value
    with pytest.raises(ConfigError, match="diverged"):
        quantize(stream_program(model))
