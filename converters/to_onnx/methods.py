"""What takes items in, as ONNX operators: what `glint_edge.model.stream` says, in other words.

What ranks items is in `converters.to_onnx.best_items`.

Shapes may depend on values here, so `append_many` takes any number of items and cuts off what does
not count, where the torch module masks it. Fused operators stand in for what the torch modules
spell out for other exporters: GRU, LayerNormalization.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
from onnx import TensorProto

from converters.to_onnx.graph import END, Graph
from converters.to_onnx.layers import Gru, Rows, Weights, linear, linear_rows
from converters.to_onnx.low_pass import LowPass, norm
from glint_edge.config import ModelConfig
from glint_edge.model.state import state_layout
from glint_edge.model.stream_layers import ItemInputs, UnitHeads
from glint_edge.model.stream_methods import Append, AppendMany, Recommend

Module: TypeAlias = "Append | AppendMany | Recommend"


class Items(NamedTuple):
    """What n items bring: names of values.

    Attributes:
        u: the GRU's inputs [n, d].
        k: k̂ [n, H, w].
        v: v / √w [n, d].
        last: X of the last [1, d].
        sums: the filter's after it [1, d]; "" where there is none.
    """

    u: str
    k: str
    v: str
    last: str
    sums: str


class Method:
    """What the methods have in common: one of them, written into a graph of its own.

    In shape comments d, H, k and p are as in `glint_edge.model.stream`, and w = d/H.
    """

    def __init__(self, g: Graph, config: ModelConfig, module: Module, state: str) -> None:
        self.g, self.config, self.module, self.state = g, config, module, state
        self.d, self.p, self.heads = config.d, config.lookahead, config.heads
        self.width = self.d // self.heads

    def weights(self, path: str) -> Weights:
        """Those of the module's child at `path`, by its own name."""
        name = path.rpartition(".")[2]
        return Weights.of(name, self.module.get_submodule(path))

    @cached_property
    def gru(self) -> Gru:
        """The module's recurrence."""
        return Gru(self.g, self.weights("gru.step_in"), self.weights("gru.step_state"), self.d)

    def parts(self) -> list[str]:
        """The state's parts in order, each [1, size]; "" for one of no size."""
        fields = [field for field in state_layout(self.config) if field.size]
        sizes = [field.size for field in fields]
        values = self.g.ops("Split", self.state, sizes, outputs=len(sizes), axis=1)
        named = dict(zip((field.name for field in fields), values, strict=True))
        return [named.get(field.name, "") for field in state_layout(self.config)]

    def join(self, *parts: str, axis: int = 1) -> str:
        """Values side by side; "" is none."""
        present = [part for part in parts if part]
        return present[0] if len(present) == 1 else self.g.op("Concat", *present, axis=axis)

    def cut(self, x: str, start: int, end: int = END, axis: int = 1) -> str:
        """A part of a value."""
        return self.g.op("Slice", x, [start], [end], [axis])

    def within_one(self, x: str) -> str:
        """Cut to 0 … 1."""
        return self.g.op("Clip", x, 0.0, 1.0)

    def items(self, rows: Rows, item: ItemInputs, sums: str, before: str) -> Items:
        """What items bring to a state of `before` items, whose filter's sums are `sums`."""
        if item.norm is None and item.low_pass is None:
            ukv = rows.linear(self.weights("item.item_in"))
            last, sums = rows.last(), ""
        else:
            x = rows.floats()
            if item.norm is not None:
                x = norm(self.g, "input_norm", item.norm, x)
            if item.low_pass is not None:
                low_pass = LowPass(self.g, item.low_pass)
                step = low_pass.one if rows.single else low_pass.many
                x, sums = step(x, sums, before)
            product = linear if rows.single else linear_rows
            ukv = product(self.g, self.weights("item.item_in"), x)
            last = x if rows.single else self.cut(x, -1, axis=0)
        u, k, v = self.g.ops("Split", ukv, [self.d] * 3, outputs=3, axis=1)
        return Items(u, self.unit(k, item.unit, single=rows.single), v, last, sums)

    def rows(self, ids: str, *, single: bool) -> Rows:
        """Rows of the table for ids int64 [n]; those outside 1 … V are the unknown item's."""
        last: int = self.module.get_submodule("item").items  # type: ignore[assignment]  # an `_Items`
        known = self.g.op("Clip", ids, 0, last + 1)
        return Rows(self.g, self.weights("item.table"), known, single=single)

    def unit(self, x: str, module: UnitHeads, *, single: bool) -> str:
        """elu(x) / ‖elu(x)‖₂ by head: [n, d] → [n, H, w]."""
        g = self.g
        if single:
            e = g.op("Elu", x)
        else:  # Five operators, but half the time for many rows.
            below = g.op("Sub", g.op("Exp", g.op("Min", x, 0.0)), 1.0)
            e = g.op("Add", g.op("Relu", x), below)
        e = g.op("Reshape", e, [-1, self.heads, self.width])
        squares = g.op("ReduceSumSquare", e, [2])
        return g.op("Div", e, g.op("Sqrt", g.op("Add", squares, module.eps[0].item())))

    def select(self, c: str, h: str) -> str:
        """G of a position: its convolution [1, d], its state [1, d] → [1, d]."""
        g, gate = self.g, self.gru.gate(c)
        gate = linear(g, self.weights("gru.gate_up"), g.op("Mul", gate, g.op("Sigmoid", gate)))
        return g.op("Mul", gate, linear(g, self.weights("gru.gru_out"), h))

    def exists(self, count: str, position: int) -> str:
        """1 if a history of `count` items, [1, 1], has a position of this number, else 0."""
        return self.within_one(self.g.op("Sub", count, float(position)) if position else count)


def append(g: Graph, config: ModelConfig, module: Append, state: str, item: str) -> str:
    """`Append`: float32 [1, S] and int64 [1] → [1, S]."""
    m = Method(g, config, module, state)
    count, inputs, h, _, _, sums, memory = m.parts()
    u, k, v, last, sums = m.items(m.rows(item, single=True), module.item, sums, count)
    k = g.op("Reshape", k, [m.heads, m.width, 1])
    outer = g.op("Mul", k, g.op("Reshape", v, [m.heads, 1, m.width]))
    memory = g.op("Add", memory, g.op("Reshape", outer, [1, -1]))

    window = m.join(inputs, u)  # [1, k·d]
    c = linear(g, m.weights("gru.conv_in"), window)
    h = m.gru.run(c, h)
    after = g.op("Add", count, 1.0)
    final = g.op("Mul", m.join(h, m.select(c, h)), m.exists(after, m.p))
    inputs = m.cut(window, m.d) if m.p else ""
    return m.join(after, inputs, final, last, sums, memory)


def append_many(
    g: Graph, config: ModelConfig, module: AppendMany, state: str, items: str, count: str
) -> str:
    """`AppendMany`: float32 [1, S], int64 [1, C], int64 [1] → [1, S].

    `count` is taken as between 0 and C, which may be 0.
    """
    m = Method(g, config, module, state)
    before, inputs, h, _, _, sums, memory = m.parts()
    # At least one item is computed, since ONNX Runtime's GRU crashes on an empty sequence. Where
    # none counts, the state given is the answer in the end.
    count = g.op("Min", count, g.op("Shape", items, start=1))
    some = g.op("Concat", items, g.constant(np.zeros((1, 1), np.int64)), axis=1)
    some = g.op("Slice", some, [0], g.op("Max", count, [1]), [1])
    rows = m.rows(g.op("Reshape", some, [-1]), single=False)  # n of them
    n = g.op("Cast", g.op("Shape", rows.stored, end=1), to=TensorProto.FLOAT)
    after = g.op("Add", before, n)  # [1, 1]

    u, k, v, last, sums = m.items(rows, module.item, sums, before)
    k = g.op("Transpose", k, perm=[1, 2, 0])  # [H, w, n]
    v = g.op("Transpose", g.op("Reshape", v, [-1, m.heads, m.width]), perm=[1, 0, 2])
    memory = g.op("Add", memory, g.op("Reshape", g.op("MatMul", k, v), [1, -1]))

    if m.p:
        u = m.join(g.op("Reshape", inputs, [2 * m.p, m.d]), u, axis=0)  # [2p + n, d]
        inputs = g.op("Reshape", m.cut(u, -2 * m.p, axis=0), [1, -1])
    taps = [m.cut(u, at, at - 2 * m.p, axis=0) for at in range(2 * m.p)]
    window = m.join(*taps, m.cut(u, 2 * m.p, axis=0) if m.p else u)  # [n, k·d]
    c = linear_rows(g, m.weights("gru.conv_in"), window)

    h = m.gru.run(_of_positions(m, c, before), h)
    last_c = m.cut(c, -1, axis=0)
    final = g.op("Mul", m.join(h, m.select(last_c, h)), m.exists(after, m.p))
    new = m.join(after, inputs, final, last, sums, memory)
    return g.op("Where", g.op("Greater", count, 0), new, state)


def _of_positions(m: Method, c: str, before: str) -> str:
    """Without the rows that stand before the first position, for a history shorter than p.

    If none is left, the last one stays, whose result does not exist.
    """
    if not m.p:
        return c
    g = m.g
    missing = g.op("Max", g.op("Sub", float(m.p), g.op("Reshape", before, [1])), 0.0)
    start = g.op("Cast", missing, to=TensorProto.INT64)
    start = g.op("Min", start, g.op("Sub", g.op("Shape", c, end=1), 1))
    return g.op("Slice", c, start, [END], [0])
