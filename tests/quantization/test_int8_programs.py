"""What `quantize` replaces in a program, and how near the int8 stream stays."""

import pytest
import torch

from glint_edge.errors import ConfigError
from glint_edge.model.stream import empty_state, stream_program
from quantization import quantize
from quantization.int8 import Int8Embedding, Int8Linear, quantize_rows

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
