"""The edge variant's filter and the LayerNorms, as ONNX operators."""

from __future__ import annotations

from onnx import TensorProto

from converters.to_onnx.graph import Graph
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

    def one(self, x: str, sums: str, before: str) -> tuple[str, str]:
        """One position: x [1, d], the sums before it, of `before` [1, 1] items → X, the sums."""
        g = self.g
        sums = g.op("Add", g.op("Mul", sums, self._constant("decay")), x)
        return self._mixed(x, sums, g.op("Add", before, 1.0)), sums

    def many(self, x: str, sums: str, before: str) -> tuple[str, str]:
        """N positions at once: [n, d] → X [n, d], and the sums after the last [1, d].

        The sums s_t = g ⊙ s_{t−1} + x_t are a recurrence whose matrices are diagonal and whose
        activation is none: one fused operator, where a loop takes two for each position.
        """
        g, d = self.g, self.module.decay.shape[1]
        # Of x's shape, which has a free dimension: a constant would be stored once folded.
        size = g.op("Slice", g.op("Shape", x), [1], [2], [0])
        zeros = g.op("ConstantOfShape", g.op("Concat", size, size, axis=0))
        eye = g.op("EyeLike", zeros, dtype=TensorProto.FLOAT)
        matrices = [
            g.op("Unsqueeze", m, [0]) for m in (eye, g.op("Mul", eye, self._constant("decay")))
        ]
        every, last = g.ops(
            "RNN", g.op("Unsqueeze", x, [1]), *matrices, "", "", g.op("Unsqueeze", sums, [0]),
            outputs=2, hidden_size=d,
            activations=["Affine"], activation_alpha=[1.0], activation_beta=[0.0],
        )  # fmt: skip
        n = g.op("Cast", g.op("Shape", x, end=1), to=TensorProto.FLOAT)
        places = g.op("Range", 1.0, g.op("Add", g.op("Squeeze", n), 1.0), 1.0)
        after = g.op("Add", before, g.op("Unsqueeze", places, [1]))  # [n, 1]
        return self._mixed(x, g.op("Reshape", every, [-1, d]), after), g.op("Squeeze", last, [0])

    def _mixed(self, x: str, sums: str, count: str) -> str:
        """X of positions of these sums [n, d], after so many items [n, 1] with their own."""
        g = self.g
        left = g.op("Exp", g.op("Mul", count, self._constant("log_decay")))
        low = g.op("Mul", sums, self._constant("fresh"))
        low = g.op("Div", low, g.op("Sub", 1.0, left))
        own = g.op("Mul", x, self._constant("own"))
        mixed = g.op("Add", own, g.op("Mul", low, self._constant("trend")))
        return norm(g, "low_pass_norm", self.module.norm, mixed)

    def _constant(self, name: str) -> str:
        return self.g.constant(getattr(self.module, name).numpy(), f"low_pass.{name}")
