"""The layers that hold weights, as ONNX operators, by how the weights are stored.

An int8 weight is stored as uint8, q + 128 with zero point 128: the same integers, and products of
uint8 by uint8 saturate on no processor (those of uint8 by int8 do, on x86 without VNNI).
Activations are uint8 too, which moves their zero point and nothing else.

Weights are stored as the modules hold them, [out, in], so that the scoring shares the rows of the
lookup. Operators on weights alone are in the outermost graph: runtimes fold them at load.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from onnx import TensorProto
from torch import Tensor, nn

from converters.to_onnx.graph import END, Graph
from quantization.fp16 import Fp16Embedding, Fp16Linear
from quantization.int8 import Int8Embedding, Int8Linear

ZERO = np.array(128, dtype=np.uint8)  # what an integer 0 is stored as
LEVELS = 255.0  # steps between the ends of an activation's range


@dataclass(frozen=True)
class Weights:
    """What a linear or an embedding holds.

    Attributes:
        name: of its constants in the file.
        rows: float32 or float16 [out, in]; int8 if there is a scale.
        scale: float32 [out], or None.
        bias: float32 [out], or None.
    """

    name: str
    rows: Tensor
    scale: Tensor | None = None
    bias: Tensor | None = None

    @classmethod
    def of(cls, name: str, module: nn.Module) -> Weights:
        """The weights of a module of a stream program, at any precision."""
        if isinstance(module, Int8Linear):
            return cls(name, module.q, module.scale, module.bias)
        if isinstance(module, Int8Embedding):
            return cls(name, module.q, module.scale)
        if isinstance(module, (nn.Linear, Fp16Linear)):
            return cls(name, module.weight, None, module.bias)
        if isinstance(module, (nn.Embedding, Fp16Embedding)):
            return cls(name, module.weight)
        raise TypeError(f"no lowering for {type(module).__name__}")

    def part(self, name: str, rows: slice | Tensor) -> Weights:
        """Some of the output rows."""
        scale, bias = (x if x is None else x[rows] for x in (self.scale, self.bias))
        return Weights(name, self.rows[rows], scale, bias)


def linear(g: Graph, weights: Weights, x: str) -> str:
    """A linear of one row: float32 [1, in] → [1, out]."""
    if weights.scale is None:
        return _float_linear(g, weights, x)
    q, scale, zero = g.ops("DynamicQuantizeLinear", x, outputs=3)
    product = g.op("MatMulInteger", q, _columns(g, weights), zero, ZERO)
    return _scaled(g, weights, product, scale)


def linear_rows(g: Graph, weights: Weights, x: str) -> str:
    """A linear of several rows, each quantized on its own: float32 [n, in] → [n, out].

    Row by row the same numbers as `linear`. `MatMulInteger` takes one zero point for all rows (in
    ONNX Runtime), so it gets none, and what that adds, zero point · Σ weights, is taken off.
    """
    if weights.scale is None:
        return _float_linear(g, weights, x)
    low = g.op("Min", g.op("ReduceMin", x, [1], keepdims=0), 0.0)  # [n]
    high = g.op("Max", g.op("ReduceMax", x, [1], keepdims=0), 0.0)
    scale = g.op("Div", g.op("Sub", high, low), LEVELS)
    scale = g.op("Where", g.op("Greater", scale, 0.0), scale, 1.0)  # a row of zeros: any will do
    zero = g.op("Round", g.op("Div", g.op("Neg", low), scale))
    q = g.op("QuantizeLinear", x, scale, g.op("Cast", zero, to=TensorProto.UINT8), axis=0)
    product = g.op("MatMulInteger", q, _columns(g, weights), "", ZERO)
    zero = g.op("Unsqueeze", g.op("Cast", zero, to=TensorProto.INT32), [1])  # [n, 1]
    sums = weights.rows.sum(dim=1, dtype=torch.int32).numpy()
    added = g.op("Mul", zero, g.constant(sums, f"{weights.name}.sums"))
    product = g.op("Sub", product, added)
    return _scaled_rows(g, weights, product, g.op("Unsqueeze", scale, [1]))


class Rows:
    """Rows of the item table, looked up by ids int64 [n], all in range.

    Int8 rows are integers already: a linear of them multiplies these and rounds nothing more.

    Attributes:
        stored: the rows as the file has them, [n, d].
        scale: of int8 rows, [n, 1], or [1] for a single row; "" for others.
    """

    def __init__(self, g: Graph, table: Weights, ids: str, *, single: bool) -> None:
        self.g, self.table, self.single = g, table, single
        self.stored = g.op("Gather", _stored(g, table), ids)
        self.scale = ""
        if table.scale is not None:
            scale = g.op("Gather", g.constant(table.scale.numpy(), f"{table.name}.scale"), ids)
            self.scale = scale if single else g.op("Unsqueeze", scale, [1])

    def floats(self) -> str:
        """All rows: float32 [n, d]."""
        return self._floats(self.stored, self.scale)

    def last(self) -> str:
        """The last row: float32 [1, d]."""
        g, x, scale = self.g, self.stored, self.scale
        if not self.single:
            x = g.op("Slice", x, [-1], [END], [0])
            scale = scale and g.op("Slice", scale, [-1], [END], [0])
        return self._floats(x, scale)

    def linear(self, weights: Weights) -> str:
        """A linear of all rows: float32 [n, out]."""
        g = self.g
        if not self.scale or weights.scale is None:
            x = self.floats()
            return linear(g, weights, x) if self.single else linear_rows(g, weights, x)
        product = g.op("MatMulInteger", self.stored, _columns(g, weights), ZERO, ZERO)
        scaled = _scaled if self.single else _scaled_rows
        return scaled(g, weights, product, self.scale)

    def _floats(self, x: str, scale: str) -> str:
        g = self.g
        if not scale:
            return _widened(g, x, self.table)
        x = g.op("Sub", g.op("Cast", x, to=TensorProto.FLOAT), float(ZERO))
        return g.op("Mul", x, scale)


class Gru:
    """The recurrence (eq. 1) as the fused operator, and the gate's part of its input linear.

    `step_in` is both: its rows 0 … 3d, which have no bias, are the GRU's, the others the gate's.
    The GRU's two matrices are stored as integers like all others, but multiplied out to float32
    when the file is loaded: no runtime has an int8 GRU, and steps made of int8 operators take two
    to three times as long. Every method uses this one, so that they agree with each other.
    """

    def __init__(self, g: Graph, step_in: Weights, step_state: Weights, d: int) -> None:
        self.g, self.d = g, d
        # The operator's gates are z, r, n; torch's r, z, n.
        order = torch.cat([torch.arange(d, 2 * d), torch.arange(d), torch.arange(2 * d, 3 * d)])
        self.input = _gru_matrix(g, step_in.part("gru.input", order))
        self.state = _gru_matrix(g, step_state.part("gru.state", order))
        self.gate_down = step_in.part("gate_down", slice(3 * d, None))

    def run(self, c: str, h: str) -> str:
        """Inputs [n, d], n ≥ 1, and the state before them [1, d] → the state after [1, d]."""
        g = self.g
        c, h = g.op("Unsqueeze", c, [1]), g.op("Unsqueeze", h, [0])
        matrices = (self.input, self.state)
        options = {"hidden_size": self.d, "linear_before_reset": 1}
        _, after = g.ops("GRU", c, *matrices, "", "", h, outputs=2, **options)
        return g.op("Squeeze", after, [0])

    def gate(self, c: str) -> str:
        """The gate's input of one position: [1, d] → [1, d/2]."""
        return linear(self.g, self.gate_down, c)


def _float_linear(g: Graph, weights: Weights, x: str) -> str:
    bias = () if weights.bias is None else (_bias(g, weights.bias, weights.name),)
    rows = _widened(g.outermost, _stored(g, weights), weights)
    return g.op("Gemm", x, rows, *bias, transB=1)


def _scaled(g: Graph, weights: Weights, product: str, scale: str) -> str:
    """Sums of one row to float32: int32 [1, out] and the row's scale, of one element → [1, out].

    The pattern that ONNX Runtime makes one operator of.
    """
    scales = g.op("Mul", scale, _scales(g, weights))
    y = g.op("Mul", g.op("Cast", product, to=TensorProto.FLOAT), scales)
    return _biased(g, weights, y)


def _scaled_rows(g: Graph, weights: Weights, product: str, scale: str) -> str:
    """Sums of several rows to float32: int32 [n, out] and the rows' scales [n, 1] → [n, out].

    The same numbers as `_scaled`, but the scales are multiplied by `MatMul`, so that ONNX Runtime
    does not see its pattern: the operator it would take (MatMulIntegerToFloat, in 1.32) gives wrong
    sums for rows with scales of their own: it adds the bias before it multiplies by these.
    """
    scales = g.op("MatMul", scale, g.outermost.op("Unsqueeze", _scales(g, weights), [0]))
    y = g.op("Mul", g.op("Cast", product, to=TensorProto.FLOAT), scales)
    return _biased(g, weights, y)


def _scales(g: Graph, weights: Weights) -> str:
    assert weights.scale is not None
    return g.constant(weights.scale.numpy(), f"{weights.name}.scale")


def _biased(g: Graph, weights: Weights, y: str) -> str:
    return y if weights.bias is None else g.op("Add", y, _bias(g, weights.bias, weights.name))


def _gru_matrix(g: Graph, weights: Weights) -> str:
    """A matrix as the GRU wants it: float32 [1, 3d, d]."""
    if weights.scale is None:
        return _widened(g.outermost, _stored(g, replace(weights, rows=weights.rows[None])), weights)
    # `DequantizeLinear` would say it in one operator, but ONNX Runtime does not fold that.
    q = g.constant(weights.rows[None].numpy(), weights.name)
    scale = g.constant(weights.scale[None, :, None].numpy(), f"{weights.name}.scale")
    return g.outermost.op("Mul", g.outermost.op("Cast", q, to=TensorProto.FLOAT), scale)


def _stored(g: Graph, weights: Weights) -> str:
    """The rows as they are in the file."""
    rows = weights.rows.detach().numpy()
    if weights.scale is not None:
        rows = (rows.astype(np.int16) + int(ZERO)).astype(np.uint8)
    return g.constant(rows, weights.name)


def _columns(g: Graph, weights: Weights) -> str:
    """Integers as `MatMulInteger` wants them: uint8 [in, out]."""
    return g.outermost.op("Transpose", _stored(g, weights), perm=[1, 0])


def _widened(g: Graph, value: str, weights: Weights) -> str:
    """Stored floats as float32."""
    if weights.rows.dtype == torch.float32:
        return value
    return g.op("Cast", value, to=TensorProto.FLOAT)


def _bias(g: Graph, bias: Tensor, name: str) -> str:
    return g.constant(bias.detach().numpy(), f"{name}.bias")
