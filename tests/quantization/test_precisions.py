"""Each precision: what it stores, what it computes, what it refuses, and how it is reported."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from glint_edge.bundles.precisions import PRECISIONS
from glint_edge.errors import ConfigError
from glint_edge.model.stream import empty_state, stream_program
from quantization import (
    Fp16Embedding,
    Fp16Linear,
    Int8Embedding,
    Int8Linear,
    layer_report,
    quantize,
)
from quantization.fp16 import LARGEST, to_half

REPLACED = (Int8Linear, Int8Embedding, Fp16Linear, Fp16Embedding)
SHAPES = [{}, {"kernel": 5}, {"gated_mlp": False}]
HISTORY = [5, 0, 7, 39, 7, 12, 1]


def kinds(module):
    """The replaced and the replaceable modules by name."""
    found = {name: type(child) for name, child in module.named_modules()}
    return {n: kind for n, kind in found.items() if kind in (*REPLACED, nn.Linear, nn.Embedding)}


@torch.no_grad()
def run(program, history):
    state = empty_state(program.config)
    for item in history:
        state = program.append(state, torch.tensor([item]))
    return state, *program.recommend(state)


# --- float16


@settings(deadline=None)
@given(
    hnp.arrays(
        "float32",
        hnp.array_shapes(max_dims=2),
        elements=st.floats(-LARGEST, LARGEST, width=32),
    ).map(torch.from_numpy)
)
def test_a_weight_becomes_the_nearest_float16(weight):
    half = to_half(weight)
    assert half.dtype == torch.float16
    assert torch.isfinite(half).all()
    error = (half.double() - weight.double()).abs()
    assert (error <= (weight.double().abs() / 2048).clamp(min=2.0**-25)).all()


@pytest.mark.parametrize("value", [LARGEST + 1, -65520.0, 1e30])
def test_a_weight_beyond_float16_is_refused(make_model, value):
    model = make_model()
    with torch.no_grad():
        model.mix_out.weight[0, 0] = value
    with pytest.raises(ConfigError, match="does not fit into float16") as error:
        quantize(stream_program(model), "fp16")
    assert "\n" not in str(error.value)
    quantize(stream_program(model), "int8")  # which has a scale a row


@pytest.mark.parametrize("value", [LARGEST, -LARGEST])
def test_the_largest_float16_is_not(value):
    assert to_half(torch.tensor([value])).item() == value


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_computes_in_float32_with_rounded_weights(bias):
    linear = nn.Linear(48, 16, bias=bias)
    half = Fp16Linear(linear)
    x = torch.randn(5, 48) * 1e6  # inputs and sums far beyond float16
    expected = x @ linear.weight.half().float().T + (linear.bias if bias else 0.0)
    assert half(x).dtype == torch.float32
    torch.testing.assert_close(half(x), expected.detach())
    assert half.bias is None or half.bias.dtype == torch.float32


def test_an_embedding_gives_float32_rows():
    table = nn.Embedding(6, 8)
    rows = Fp16Embedding(table)(torch.tensor([5, 0, 5]))
    assert torch.equal(rows, table.weight[[5, 0, 5]].half().float())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_fp16_replaces_every_matrix(make_model, shape):
    program = quantize(stream_program(make_model(**shape)), "fp16")
    for module, _ in program.methods().values():
        kinds_of_parts = kinds(module)
        assert set(kinds_of_parts.values()) <= {Fp16Linear, Fp16Embedding}
        for name, tensor in module.state_dict().items():
            is_weight = name.removesuffix(".weight") in kinds_of_parts
            floats = torch.float16 if is_weight else torch.float32
            assert tensor.dtype in (floats, torch.int64), name


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_fp16_stream_is_the_float_stream_of_rounded_weights(make_model, shape):
    """Not of the model's rounded weights: what is folded is rounded after folding."""
    fp32 = stream_program(make_model(**shape))
    half = quantize(fp32, "fp16")
    for module, _ in fp32.methods().values():
        for child in module.modules():
            if isinstance(child, (nn.Linear, nn.Embedding)):
                child.weight.data = child.weight.half().float()
    for actual, expected in zip(run(half, HISTORY), run(fp32, HISTORY), strict=True):
        assert torch.equal(actual, expected)


# --- the item table alone in int8


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_int8_table_replaces_lookup_and_scoring_alone(make_model, shape):
    program = quantize(stream_program(make_model(**shape)), "int8-table")
    table, scores = program.append.item.table, program.recommend.scores
    assert torch.equal(table.q, scores.q)
    assert torch.equal(table.scale, scores.scale)
    expected = {
        "append": {"item.table"}, "append_many": {"item.table"}, "recommend": {"scores"},
        "similar": {"table", "scores"},
    }  # fmt: skip
    for method, (module, _) in program.methods().items():
        kinds_of_parts = kinds(module)
        assert {n for n, kind in kinds_of_parts.items() if kind in REPLACED} == expected[method]
    assert len(kinds(program.append)) > 1, "the others are left"


def test_an_int8_tables_states_are_the_float_streams_on_rounded_rows(make_model):
    fp32 = stream_program(make_model())
    table = quantize(fp32, "int8-table")
    rows = table.append.item.table
    fp32.append.item.table.weight.data = rows.q * rows.scale[:, None]
    assert torch.equal(run(table, HISTORY)[0], run(fp32, HISTORY)[0])


def test_less_rounding_is_nearer_to_float(make_model):
    """Of the scores after a history: fp16, then the table in int8, then all in int8."""
    fp32 = stream_program(make_model(d=64), top_k=40)

    def error(precision):
        program = quantize(fp32, precision)
        state, expected = run(program, HISTORY)[0], run(fp32, HISTORY)[0]
        with torch.no_grad():
            actual, right = (
                p.recommend.every(s)[:, 1:-1] for p, s in ((program, state), (fp32, expected))
            )
        return ((actual - right).norm() / right.norm()).item()

    assert error("fp32") == 0
    assert 0 < error("fp16") < 1e-3 < error("int8-table") < error("int8") < 0.03


# --- all of them


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_program_says_its_precision_and_leaves_the_other_as_it_was(model, precision):
    fp32 = stream_program(model, top_k=7, chunk=3)
    before = {m: kinds(module) for m, (module, _) in fp32.methods().items()}
    program = quantize(fp32, precision)
    assert (program.precision, program.top_k, program.config) == (precision, 7, model.config)
    assert program.append_many.chunk == 3
    assert {m: kinds(module) for m, (module, _) in fp32.methods().items()} == before
    assert not any(module.training for module, _ in program.methods().values())


@pytest.mark.slow
@pytest.mark.parametrize(
    "precision",
    [pytest.param(each, marks=[] if each == "int8" else pytest.mark.full) for each in PRECISIONS],
)
def test_every_precision_exports(model, precision):
    """In one graph a method, as every converter starts."""
    program = quantize(stream_program(model, chunk=2), precision)
    for module, inputs in program.methods().values():
        exported = torch.export.export(module, tuple(inputs.values()), strict=True)
        for actual, expected in zip(
            torch.utils._pytree.tree_leaves(exported.module()(*inputs.values())),
            torch.utils._pytree.tree_leaves(module(*inputs.values())),
            strict=True,
        ):
            assert torch.equal(actual, expected)


@pytest.mark.parametrize("precision", PRECISIONS)
@torch.no_grad()
def test_a_chunk_is_as_many_appends(make_model, precision):
    program = quantize(stream_program(make_model(), chunk=5), precision)
    expected = run(program, [3])[0]
    actual = program.append_many(expected, torch.tensor([[4, 0, 41, 9, 9]]), torch.tensor([4]))
    for item in (4, 0, 41, 9):
        expected = program.append(expected, torch.tensor([item]))
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


def test_an_unknown_precision_is_refused_with_the_known_ones(model):
    with pytest.raises(
        ConfigError, match=r"did you mean int8 or int8-table\? Or choose one of fp32, fp16"
    ):
        quantize(stream_program(model), "int4")


@pytest.mark.parametrize("precision", [p for p in PRECISIONS if p != "fp32"])
def test_quantizing_twice_is_refused(model, precision):
    program = quantize(stream_program(model), precision)
    with pytest.raises(ConfigError, match=precision):
        quantize(program, "fp16")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("precision", ["fp16", "int8-table"])
def test_a_diverged_training_is_refused(make_model, precision, value):
    model = make_model()
    with torch.no_grad():
        model.embedding.weight[3, 0] = value
    with pytest.raises(ConfigError, match="diverged"):
        quantize(stream_program(model), precision)


def test_the_report_describes_each_precision(make_model):
    fp32 = stream_program(make_model(d=64))
    reports = {
        precision: {
            (layer.method, layer.name): layer
            for layer in layer_report(quantize(fp32, precision), fp32, [HISTORY])
        }
        for precision in PRECISIONS
    }
    table, scores = ("append", "item.table"), ("recommend", "scores")
    dtypes = {p: {key: layer.dtype for key, layer in r.items()} for p, r in reports.items()}
    assert set(dtypes["fp16"].values()) == {"float16", "float32"}
    assert dtypes["fp16"][table] == dtypes["fp16"][scores] == "float16"
    assert {k for k, dtype in dtypes["int8-table"].items() if dtype == "int8"} == {table, scores}
    assert reports["fp16"][table].bytes == reports["fp32"][table].bytes / 2
    for precision, layers in reports.items():
        measured = {k for k, layer in layers.items() if layer.error is not None}
        assert measured == {k for k, d in dtypes[precision].items() if d in ("int8", "float16")}
    assert 0 < reports["fp16"][scores].error < 1e-3 < reports["int8"][scores].error
