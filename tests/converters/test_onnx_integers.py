"""The `.onnx`'s int8 products at the ends of their ranges."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

onnx = pytest.importorskip("onnx", reason="needs glint-edge[onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs glint-edge[onnx]")

from onnx import TensorProto, helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from converters.to_onnx.graph import Graph  # noqa: E402
from converters.to_onnx.layers import Weights, linear, linear_rows  # noqa: E402
from converters.to_onnx.lower import OPSET  # noqa: E402
from quantization.int8 import Int8Linear  # noqa: E402


def layer(write, module, x):
    """What a layer alone gives of x, float32 [n, in]; the plain operators must say the same."""
    g = Graph("layer")
    y = write(g, Weights.of("layer", module), "x")
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        g.nodes,
        g.name,
        [info("x", TensorProto.FLOAT, ["n", x.shape[1]])],
        [info(y, TensorProto.FLOAT, None)],
        list(g.initializers.values()),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (found,) = session.run(None, {"x": x.numpy()})
    (plain,) = ReferenceEvaluator(model).run(None, {"x": x.numpy()})
    np.testing.assert_allclose(found, plain, rtol=1e-5, atol=1e-3)
    return found


def whole_numbers(signs, bias=None):
    """A linear whose integers are ±127 and whose scale is 1/128."""
    linear = nn.Linear(signs.shape[1], signs.shape[0], bias=bias is not None)
    linear.weight = nn.Parameter(signs * (127 / 128), requires_grad=False)
    if bias is not None:
        linear.bias = nn.Parameter(bias, requires_grad=False)
    int8 = Int8Linear(linear)
    assert (int8.q.abs() == 127).all()
    return int8


ENDS = {
    "both ends": torch.tensor([127.0, -128.0]).repeat(64),
    "all high": torch.full((128,), 255.0),
    "all low": torch.full((128,), -255.0),
    "zeros": torch.zeros(128),
    "one": F.one_hot(torch.tensor(5), 128) * 255.0,
}


@pytest.mark.parametrize("signs", ["plus", "minus", "in turn", "with x"])
def test_the_largest_sums_do_not_saturate(signs):
    """Exact, not near: pairs of products are what saturates int16 on some processors."""
    x = torch.stack(list(ENDS.values()))
    weight = {
        "plus": torch.ones(8, 128),
        "minus": -torch.ones(8, 128),
        "in turn": torch.tensor([1.0, -1.0]).repeat(8, 64),
        "with x": torch.tensor([-1.0, 1.0, 1.0, -1.0]).repeat(8, 32),
    }[signs]
    module = whole_numbers(weight, torch.arange(8.0))
    expected = module(x).numpy()
    assert (layer(linear_rows, module, x) == expected).all()
    for row in range(len(x)):
        assert (layer(linear, module, x[row : row + 1]) == expected[row : row + 1]).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_rows_are_quantized_as_one_row_is(seed, rows):
    """Rows of very different ranges, and a bias, which no row's scale may touch."""
    generator = torch.Generator().manual_seed(seed)
    sizes = 10.0 ** torch.randint(-4, 4, (rows, 1), generator=generator)
    x = torch.randn(rows, 24, generator=generator) * sizes
    x[0].abs_()
    module = nn.Linear(24, 10)
    module.weight.data.normal_(generator=generator)
    module.bias.data.normal_(std=100.0, generator=generator)
    int8 = Int8Linear(module)
    found = layer(linear_rows, int8, x)
    with torch.no_grad():
        np.testing.assert_allclose(found, int8(x).numpy(), rtol=1e-4, atol=1e-5 * 1e4)
    for row in range(rows):
        alone = layer(linear, int8, x[row : row + 1])[0]
        np.testing.assert_allclose(found[row], alone, rtol=2e-6, atol=1e-6)
