"""The edge variant's filter and the LayerNorms, as ONNX operators."""

from __future__ import annotations

from onnx import TensorProto

from converters.to_onnx.graph import END, Graph
from glint_edge.model.stream_layers import FoldedNorm, StreamLowPass


def norm(g: Graph, name: str, module: FoldedNorm, x: str) -> str:
    """A LayerNorm of rows: [n, d] → [n, d]."""
    weight = g.constant(module.weight.numpy(), f"{name}.weight")
    bias = g.constant(module.bias.numpy(), f"{name}.bias")
    return g.op("LayerNormalization", x, weight, bias, epsilon=module.eps.item())


class LowPass:
    """`StreamLowPass`, written into a graph."""

    def __init__(self, g: Graph, module: StreamLowPass) -> None:
        self.g, self.module = g, module

    def one(self, x: str, low: str, before: str) -> tuple[str, str]:
        """One position: x and the mean before it [1, d], of `before` [1, 1] items → X, the mean."""
        g = self.g
        after = g.op("Add", before, 1.0)
        low = g.op("Add", low, g.op("Div", g.op("Sub", x, low), self._count(after)))
        return self._mixed(x, low), low

    def many(self, x: str, low: str, before: str) -> tuple[str, str]:
        """N positions at once: [n, d] → X [n, d], and the mean after the last [1, d].

        The sums s_t = g ⊙ s_{t−1} + x_t are a recurrence whose matrices are diagonal and whose
        activation is none: one fused operator, where a loop takes five for each position.
        """
        g, d = self.g, self.module.log_g.shape[1]
        # Of x's shape, which has a free dimension: a constant would be stored once folded.
        size = g.op("Slice", g.op("Shape", x), [1], [2], [0])
        zeros = g.op("ConstantOfShape", g.op("Concat", size, size, axis=0))
        eye = g.op("EyeLike", zeros, dtype=TensorProto.FLOAT)
        decays = g.op("Mul", eye, g.op("Exp", self._constant("log_g")))
        matrices = [g.op("Unsqueeze", matrix, [0]) for matrix in (eye, decays)]
        first = g.op("Unsqueeze", g.op("Mul", low, self._count(before)), [0])
        sums, _ = g.ops(
            "RNN", g.op("Unsqueeze", x, [1]), *matrices, "", "", first, outputs=2,
            hidden_size=d, activations=["Affine"], activation_alpha=[1.0], activation_beta=[0.0],
        )  # fmt: skip
        n = g.op("Cast", g.op("Shape", x, end=1), to=TensorProto.FLOAT)
        places = g.op(
            "Unsqueeze", g.op("Range", 1.0, g.op("Add", g.op("Squeeze", n), 1.0), 1.0), [1]
        )
        lows = g.op("Div", g.op("Reshape", sums, [-1, d]), self._count(g.op("Add", before, places)))
        return self._mixed(x, lows), g.op("Slice", lows, [-1], [END], [0])

    def _count(self, count: str) -> str:
        """N_t = (1 − gᵗ) / (1 − g): [n, 1] → [n, d]."""
        g = self.g
        left = g.op("Exp", g.op("Mul", count, self._constant("log_g")))
        return g.op("Div", g.op("Sub", 1.0, left), self._constant("fresh"))

    def _mixed(self, x: str, low: str) -> str:
        g = self.g
        own = g.op("Mul", x, self._constant("own"))
        mixed = g.op("Add", own, g.op("Mul", low, self._constant("trend")))
        return norm(g, "low_pass_norm", self.module.norm, mixed)

    def _constant(self, name: str) -> str:
        return self.g.constant(getattr(self.module, name).numpy(), f"low_pass.{name}")
