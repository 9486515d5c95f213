"""GLINT-RU's third form: a state that each new item updates at constant cost.

`Append` takes the state one item further; `Recommend` turns a state into the top-k. Together they
compute exactly what `GlintRU.encode` computes of the whole history (tests hold them equal), in
O(1) a tap. Every converter exports these two modules, so they are written for exporters:

- constants are folded: the softmax of α, the attention's scale, α into the convolution and LN_a;
- the taps of a convolution are one linear over concatenated neighbours, and linears of the same
  input are one linear;
- means and head norms are products with constant matrices, elu is relu(x) + exp(min(x, 0)) − 1:
  the spelling XNNPACK's partitioner takes whole, which `mean`, `norm` and `elu` are not.

The state is one opaque row of float32; all zeros is "no history". In shape comments d, H, k and
p = (k − 1)/2 are as in `glint_edge.model`; t is the number of items so far.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glint_edge.config import ModelConfig
from glint_edge.errors import ConfigError
from glint_edge.model import HEAD_NORM_EPS, GlintRU


@dataclass(frozen=True)
class StateField:
    """One named part of the state: `size` floats from `offset`."""

    name: str
    offset: int
    size: int


def state_layout(config: ModelConfig) -> tuple[StateField, ...]:
    """What the state's floats mean, in order.

    - count: t;
    - conv_inputs: u of the last 2p items, oldest first (the windows still open);
    - gru: the last final hidden, of position t − 1 − p;
    - gated: G of that position;
    - item: the last item's embedding;
    - memory: Σ k̂ vᵀ / √(d/H), head after head.
    """
    d = config.d
    sizes = {
        "count": 1,
        "conv_inputs": 2 * config.lookahead * d,
        "gru": d,
        "gated": d,
        "item": d,
        "memory": d * d // config.heads,
    }
    starts = accumulate(sizes.values(), initial=0)
    return tuple(StateField(name, at, n) for (name, n), at in zip(sizes.items(), starts))  # noqa: B905  # accumulate yields the total as one more


def state_size(config: ModelConfig) -> int:
    """S, the floats in one state."""
    return sum(field.size for field in state_layout(config))


class _StateParts(nn.Module):
    """Cuts a state [1, S] into the parts of `state_layout`, in order, each [1, size]."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.bounds = [(f.offset, f.offset + f.size) for f in state_layout(config)]

    def forward(self, state: Tensor) -> tuple[Tensor, ...]:
        return tuple(state[:, start:end] for start, end in self.bounds)


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """A linear that holds copies of these: weight [out, in], bias [out]."""
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    linear.weight = nn.Parameter(weight.detach().clone(), requires_grad=False)
    if bias is not None:
        linear.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return linear


def _stack(*linears: nn.Linear) -> nn.Linear:
    """Linears of one input as one linear, outputs concatenated."""
    return _linear(torch.cat([x.weight for x in linears]), torch.cat([x.bias for x in linears]))


def _taps(conv: nn.Conv1d, count: int, scale: Tensor | float = 1.0) -> nn.Linear:
    """The convolution's first `count` taps as one linear: [d, count·d], oldest neighbour first."""
    weight = conv.weight[..., :count] * scale  # [d_out, d_in, count]
    return _linear(
        weight.transpose(1, 2).flatten(1), None if conv.bias is None else conv.bias * scale
    )


def _join(*parts: Tensor) -> Tensor:
    """Rows side by side. A part of no width or a single part is no operator in the graph."""
    wide = [part for part in parts if part.shape[1]]
    return wide[0] if len(wide) == 1 else torch.cat(wide, dim=1)


class _UnitHeads(nn.Module):
    """elu(x) / ‖elu(x)‖₂ by head (eq. 2): [1, d] → [1, H, d/H]."""

    ones: Tensor
    eps: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads, self.width = config.heads, config.d // config.heads
        sums = torch.eye(self.heads).repeat_interleave(self.width, dim=1)  # [H, d]
        self.register_buffer("ones", sums)
        self.register_buffer("eps", torch.full((config.heads,), HEAD_NORM_EPS))

    def forward(self, x: Tensor) -> Tensor:
        e = F.relu(x) + torch.exp(torch.clamp(x, max=0.0)) - 1.0
        inverse = torch.rsqrt(F.linear(e * e, self.ones, self.eps))  # [1, H]
        return e.view(1, self.heads, self.width) * inverse.view(1, self.heads, 1)


class _Norm(nn.Module):
    """LayerNorm on [1, d], its affine scaled by a constant."""

    mean: Tensor
    eps: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, norm: nn.LayerNorm, scale: Tensor | float = 1.0) -> None:
        super().__init__()
        d = norm.normalized_shape[0]
        self.register_buffer("mean", torch.full((1, d), 1.0 / d))
        self.register_buffer("eps", torch.full((1,), norm.eps))
        self.register_buffer("weight", (norm.weight * scale).detach().clone())
        self.register_buffer("bias", (norm.bias * scale).detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        centred = x - F.linear(x, self.mean)
        inverse = torch.rsqrt(F.linear(centred * centred, self.mean, self.eps))  # [1, 1]
        return centred * inverse * self.weight + self.bias


class _SelectiveGru(nn.Module):
    """One step of the dense selective GRU (eq. 1, 5 to 7, 9)."""

    def __init__(self, model: GlintRU) -> None:
        super().__init__()
        self.d = model.config.d
        w_in, w_state = model.gru.all_weights[0]
        self.conv_in = _taps(model.conv_in, model.config.kernel)
        no_bias = torch.zeros(3 * self.d)
        self.step_in = _stack(_linear(w_in, no_bias), model.gate_down)
        self.step_state = _linear(w_state, None)
        self.gate_up = _linear(model.gate_up.weight, model.gate_up.bias)
        self.gru_out = _linear(model.gru_out.weight, model.gru_out.bias)

    def forward(self, window: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """The k inputs around a position [1, k·d] and the state before it → its state, its G."""
        d = self.d
        step = self.step_in(self.conv_in(window))  # [1, 3d + d/2]: r, z, n, gate
        past = self.step_state(h)  # [1, 3d]: r, z, n
        rz = torch.sigmoid(step[:, : 2 * d] + past[:, : 2 * d])
        r, z = rz[:, :d], rz[:, d:]
        n = torch.tanh(step[:, 2 * d : 3 * d] + r * past[:, 2 * d :])
        h = n + z * (h - n)
        gate = step[:, 3 * d :]
        return h, self.gate_up(gate * torch.sigmoid(gate)) * self.gru_out(h)


class Append(nn.Module):
    """`append(state, item) -> state`: one item further.

    The new item is the right neighbour that position t − p was waiting for: that position is
    finalised, and the new one stays provisional.
    """

    def __init__(self, model: GlintRU) -> None:
        super().__init__()
        config = model.config
        self.d, self.p, self.heads, self.items = (
            config.d,
            config.lookahead,
            config.heads,
            config.items,
        )
        self.parts = _StateParts(config)
        self.table = nn.Embedding(config.items + 2, config.d)
        # One more row of zeros: an id above V is clamped onto it, one below 0 onto row 0.
        rows = torch.cat([model.embedding.weight, torch.zeros(1, config.d)]).detach().clone()
        self.table.weight = nn.Parameter(rows, requires_grad=False)
        scale = 1.0 / math.sqrt(config.d / config.heads)
        value = _linear(model.value.weight * scale, model.value.bias * scale)
        self.item_in = _stack(model.gru_in, model.key, value)
        self.unit = _UnitHeads(config)
        self.gru = _SelectiveGru(model)

    def forward(self, state: Tensor, item: Tensor) -> Tensor:
        """State float32 [1, S] and item id int64 [1] → state float32 [1, S].

        An id outside 1 … V is the unknown item: a row of zeros, never a read outside the table.
        """
        d = self.d
        count, inputs, h, _, _, memory = self.parts(state)
        x = self.table(item.clamp(0, self.items + 1))  # [1, d]
        ukv = self.item_in(x)
        window = _join(inputs, ukv[:, :d])  # [1, k·d]
        k = self.unit(ukv[:, d : 2 * d])  # [1, H, d/H]
        v = ukv[:, 2 * d :]
        outer = k.view(self.heads, -1, 1) * v.view(self.heads, 1, -1)  # [H, d/H, d/H]
        memory = memory + outer.view(1, -1)

        h, g = self.gru(window, h)
        # 1 once position t − p exists; before, there is nothing to finalise.
        exists = torch.clamp(count - (self.p - 1.0), 0.0, 1.0)
        final = _join(h, g) * exists
        return _join(count + 1.0, window[:, d:], final, x, memory)


class Recommend(nn.Module):
    """`recommend(state) -> (items, scores)`: the k best next items, best first.

    The last p positions take a provisional step, as if the history ended there, and it is
    forgotten: the state does not change.
    """

    popular: Tensor

    def __init__(self, model: GlintRU, top_k: int) -> None:
        super().__init__()
        config = model.config
        if not 1 <= top_k <= config.items:
            raise ConfigError(f"top-k must be between 1 and {config.items} items, not {top_k}")
        self.d, self.p, self.top_k = config.d, config.lookahead, top_k
        self.heads = config.heads
        self.parts = _StateParts(config)
        self.item_out = _stack(model.query, model.mix_gate)
        self.unit = _UnitHeads(config)
        self.attention_out = _linear(model.attention_out.weight, model.attention_out.bias)
        self.gru = _SelectiveGru(model)

        alpha = torch.softmax(model.mix.detach(), dim=0)
        self.attention_norm = _Norm(model.attention_norm, alpha[1])
        self.conv_out = _taps(model.conv_out, self.p + 1, alpha[0])  # nothing stands to the right
        self.mix_out = _linear(model.mix_out.weight, model.mix_out.bias)
        self.norm = _Norm(model.norm)
        self.mlp_in: nn.Linear | None = None
        if config.gated_mlp:
            self.mlp_in = _stack(model.mlp_gate, model.mlp_in)
            self.mlp_out = _linear(model.mlp_out.weight, model.mlp_out.bias)
        self.scores = _linear(model.embedding.weight[1:], None)  # no padding row: never ranked
        self.register_buffer("popular", torch.arange(1, top_k + 1).unsqueeze(0))

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """State float32 [1, S] → items int64 [1, k], scores float32 [1, k].

        With no history: the k most popular items, with score 0.
        """
        count = state[:, :1]
        hidden = self.hidden(state) * torch.clamp(count, 0.0, 1.0)  # no history scores 0
        scores, index = torch.topk(self.scores(hidden), self.top_k)
        return torch.where(count > 0.0, index + 1, self.popular), scores

    def hidden(self, state: Tensor) -> Tensor:
        """The hidden r of the history so far (eq. 12): [1, S] → [1, d]."""
        d = self.d
        count, inputs, h, g, x, memory = self.parts(state)
        y = self.conv_out(_join(g, *self._provisional(count, inputs, h)))
        q_gate = self.item_out(x)
        q = self.unit(q_gate[:, :d])  # [1, H, d/H]
        memory = memory.view(self.heads, d // self.heads, d // self.heads)
        context = torch.bmm(q.view(self.heads, 1, d // self.heads), memory)
        a = self.attention_norm(x + self.attention_out(context.view(1, d)))
        z: Tensor = self.norm(x + self.mix_out(F.gelu(q_gate[:, d:]) * (y + a)))
        if self.mlp_in is None:
            return z
        inner = self.mlp_in(z)
        r: Tensor = self.norm(z + self.mlp_out(F.gelu(inner[:, :d]) * inner[:, d:]))
        return r

    def _provisional(self, count: Tensor, inputs: Tensor, h: Tensor) -> list[Tensor]:
        """G of the last p positions, oldest first, nothing standing to the right of the last."""
        gated = []
        window = F.pad(inputs, (0, self.d))  # [1, k·d], around position t − p
        for step in range(self.p):
            h, g = self.gru(window, h)
            exists = torch.clamp(count - (self.p - 1.0 - step), 0.0, 1.0)
            h = h * exists
            gated.append(g * exists)
            window = F.pad(window[:, self.d :], (0, self.d))
        return gated


@dataclass(frozen=True)
class StreamProgram:
    """What a converter lowers: the stream's methods of one model.

    Attributes:
        config: the model's.
        top_k: items that `recommend` returns.
        precision: "fp32", or "int8" once `quantization.quantize` replaced the linears.
    """

    config: ModelConfig
    top_k: int
    precision: str
    append: Append
    recommend: Recommend


def stream_program(model: GlintRU, top_k: int = 10) -> StreamProgram:
    """The float stream of a model, its weights copied and folded.

    Raises:
        ConfigError: the model is in training mode, or `top_k` exceeds the catalogue.
    """
    if model.training:
        raise ConfigError("the model is in training mode; call model.eval() first")
    return StreamProgram(
        model.config, top_k, "fp32", Append(model).eval(), Recommend(model, top_k).eval()
    )


def empty_state(config: ModelConfig) -> Tensor:
    """The state of no history: zeros, float32 [1, S]."""
    return torch.zeros(1, state_size(config))
