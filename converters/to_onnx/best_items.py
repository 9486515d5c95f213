"""What ranks items, `recommend` and `similar`, as ONNX operators: one program with two branches."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper

from converters.to_onnx.graph import Graph
from converters.to_onnx.layers import Rows, Weights, linear
from converters.to_onnx.low_pass import norm
from converters.to_onnx.methods import Method
from glint_edge.model.stream import StreamProgram
from glint_edge.model.stream_layers import Pads
from glint_edge.model.stream_methods import Recommend


def best_items(
    g: Graph, program: StreamProgram, state: str, items: str, bias: str, is_similar: str
) -> tuple[str, str]:
    """`Recommend`, or `Similar` to the first item: items int64 [1, k], scores float32 [1, k].

    Both score one row of d floats with the one table, so that a runtime packs it once: what
    differs is where the row comes from, and what its scores are multiplied by.
    """
    after, like = g.branch("recommend"), g.branch("similar")
    value = helper.make_tensor_value_info
    row, factor = g.choose(
        is_similar,
        (like, _like_item(like, program, items)),
        (after, _after_history(after, program, state)),
        [
            value("row", TensorProto.FLOAT, [1, program.config.d]),
            value("factor", TensorProto.FLOAT, [1, None]),
        ],
    )
    scores = linear(g, Weights.of("scores", program.recommend.scores), row)
    scores = g.op("Add", g.op("Mul", scores, factor), bias)
    # Padding and the unknown item are never ranked.
    scores = g.op("Slice", scores, [1], [-1], [1])
    scores, index = g.ops("TopK", scores, [program.top_k], outputs=2, axis=1)
    return g.op("Add", index, 1), scores


def _after_history(g: Graph, program: StreamProgram, state: str) -> tuple[str, str]:
    """The hidden after a history [1, d], zeros after none, and 1: its scores stay as they are."""
    m = Method(g, program.config, program.recommend, state)
    hidden = g.op("Mul", _hidden(m, program.recommend), m.within_one(m.parts()[0]))
    return hidden, g.op("Identity", np.ones((1, 1), np.float32))


def _like_item(g: Graph, program: StreamProgram, items: str) -> tuple[str, str]:
    """The first item's row at length 1 [1, d], and the inverse lengths of all rows [1, rows]."""
    module = program.similar
    known = g.op("Clip", g.op("Gather", items, 0, axis=1), 0, module.items + 1)
    x = Rows(g, Weights.of("table", module.table), known, single=True).last()
    squares = g.op("ReduceSumSquare", x, [1])
    unit = g.op("Div", x, g.op("Sqrt", g.op("Add", squares, module.tiny.item())))
    return unit, g.op("Identity", module.inverse.numpy())


def _hidden(m: Method, module: Recommend) -> str:
    """The hidden of the history so far: [1, d]."""
    g, d = m.g, m.d
    count, inputs, h, gated, x, _, memory = m.parts()
    pads = _Pads(m, module.pads, count) if module.pads is not None else None
    y = linear(g, m.weights("conv_out"), m.join(gated, *_provisional(m, count, inputs, h, pads)))
    q, mix = g.ops("Split", linear(g, m.weights("item_out"), x), [d, d], outputs=2, axis=1)
    q = g.op("Reshape", m.unit(q, module.unit, single=True), [m.heads, 1, m.width])
    memory = pads.added_to(memory) if pads else memory
    context = g.op("MatMul", q, g.op("Reshape", memory, [m.heads, m.width, m.width]))
    context = g.op("Reshape", context, [1, d])
    a = g.op("Add", x, linear(g, m.weights("attention_out"), context))
    a = norm(g, "attention_norm", module.attention_norm, a)
    mixed = g.op("Mul", _gelu(g, mix), g.op("Add", y, a))
    z = norm(g, "norm", module.norm, g.op("Add", x, linear(g, m.weights("mix_out"), mixed)))
    if module.mlp_in is None:
        return z
    gate, inner = g.ops("Split", linear(g, m.weights("mlp_in"), z), [d, d], outputs=2, axis=1)
    inner = linear(g, m.weights("mlp_out"), g.op("Mul", _gelu(g, gate), inner))
    return norm(g, "norm", module.norm, g.op("Add", z, inner))


class _Pads:
    """`glint_edge.model.stream.Pads` after t items: `count` is t, [1, 1]."""

    def __init__(self, m: Method, module: Pads, count: str) -> None:
        self.m, self.module = m, module
        self.count = m.g.op("Sub", module.length, count)  # N − t

    def exists(self, number: int) -> str:
        """1 if there is pad `number`, of pads 0, 1, …, else 0: [1, 1]."""
        left = self.m.g.op("Sub", self.count, float(number)) if number else self.count
        return self.m.within_one(left)

    def conv_input(self, number: int) -> str:
        """That of pad `number`, zeros if there is none: [1, d]."""
        u = self.m.g.constant(self.module.conv_input.numpy(), "pads.conv_input")
        return self.m.g.op("Mul", u, self.exists(number))

    def added_to(self, memory: str) -> str:
        """The memory [1, d·d/H] with all pads in it."""
        g = self.m.g
        one = g.constant(self.module.memory.numpy(), "pads.memory")
        return g.op("Add", memory, g.op("Mul", one, g.op("Relu", self.count)))


def _provisional(m: Method, count: str, inputs: str, h: str, pads: _Pads | None) -> list[str]:
    """G of the last p positions and of the first p pads, if there are pads; oldest first."""
    g, gated = m.g, []
    window = ""
    for step in range(2 * m.p if pads else m.p):
        if step:
            inputs = m.cut(window, m.d)
        if pads:
            window = m.join(inputs, pads.conv_input(step))
        else:
            window = g.op("Pad", inputs, [0, 0, 0, m.d])
        c = linear(g, m.weights("gru.conv_in"), window)
        h = m.gru.run(c, h)
        if pads and step >= m.p:
            exists = pads.exists(step - m.p)
        else:
            exists = m.exists(count, m.p - 1 - step)
        h, selected = g.op("Mul", h, exists), m.select(c, h)
        gated.append(g.op("Mul", selected, exists))
    return gated


def _gelu(g: Graph, x: str) -> str:
    """GELU by the error function: operator sets before 20 have no operator for it."""
    half = g.op("Mul", x, g.op("Add", g.op("Erf", g.op("Div", x, 2.0**0.5)), 1.0))
    return g.op("Mul", half, 0.5)
