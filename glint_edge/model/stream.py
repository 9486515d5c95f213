"""GLINT-RU's third form: a state that each new item updates at constant cost.

`Append` takes the state one item further, `AppendMany` up to a chunk of items at once (the cold
start); `Recommend` turns a state into the top-k. Together they compute exactly what
`GlintRU.encode` computes of the whole history (tests hold them equal), in O(1) a tap. Every
converter exports these modules, so they are written for exporters:

- constants are folded: the softmax of α, the attention's scale, α into the convolution and LN_a;
- the taps of a convolution are one linear over concatenated neighbours, and linears of the same
  input are one linear;
- means and head norms are products with constant matrices, elu is relu(x) + exp(min(x, 0)) − 1:
  the spelling XNNPACK's partitioner takes whole, which `mean`, `norm` and `elu` are not.

The state is one opaque row of float32; all zeros is "no history". In shape comments d, H, k and
p = (k − 1)/2 are as in `glint_edge.model.glint_ru`; t is the number of items so far.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glint_edge.config import ModelConfig
from glint_edge.errors import ConfigError
from glint_edge.model.glint_ru import HEAD_NORM_EPS, GlintRU
from glint_edge.model.state import state_layout, state_size

CHUNK = 25  # items of one `append_many`; two make 50, eight 200 (docs/design.md has the trade-off)
CLOSED = 1e4  # a gate's input at which the sigmoid is 1 in float32
# Finite: −∞ would be no number where a kernel multiplies it by 0. No score comes near.
NOT_OFFERED = -1e30
POPULARITY_STEP = 1e-30  # a normal float32, and so are its multiples up to any table's rows


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


def _table(model: GlintRU, room: int) -> Tensor:
    """The item embeddings, then row 0 again: `room` spare, one for ids above: [V + room + 2, d].

    A spare row is an unknown item until a catalogue update fills it.
    """
    weight = model.embedding.weight
    return torch.cat([weight, weight[:1].expand(room + 1, -1)]).detach().clone()


def _offers(model: GlintRU, room: int) -> Tensor:
    """What is added to each row's score: [V + room + 2].

    `NOT_OFFERED` on rows that are never recommended: padding, spare, retired and unknown items. On
    others a number far below a score's last digit, the larger the more popular the item, so that a
    hidden of zeros (no history) ranks them by popularity.
    """
    rows = model.config.items + room + 2
    offers = torch.arange(rows, 0, -1, dtype=torch.float32) * POPULARITY_STEP
    offers[0] = NOT_OFFERED
    offers[model.config.items + 1 :] = NOT_OFFERED
    offers[list(model.retired)] = NOT_OFFERED
    return offers


def _join(*parts: Tensor) -> Tensor:
    """Rows side by side. A part of no width or a single part is no operator in the graph."""
    wide = [part for part in parts if part.shape[1]]
    return wide[0] if len(wide) == 1 else torch.cat(wide, dim=1)


class _UnitHeads(nn.Module):
    """elu(x) / ‖elu(x)‖₂ by head (eq. 2): [n, d] → [n, H, d/H]."""

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
        inverse = torch.rsqrt(F.linear(e * e, self.ones, self.eps))  # [n, H]
        return e.view(-1, self.heads, self.width) * inverse.view(-1, self.heads, 1)


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
    """The dense selective GRU (eq. 1, 5 to 7, 9), over one position or several in a row."""

    closed: Tensor

    def __init__(self, model: GlintRU) -> None:
        super().__init__()
        self.d = d = model.config.d
        w_in, w_state = model.gru.all_weights[0]
        self.conv_in = _taps(model.conv_in, model.config.kernel)
        self.step_in = _stack(_linear(w_in, torch.zeros(3 * d)), model.gate_down)
        self.step_state = _linear(w_state, None)
        self.gate_up = _linear(model.gate_up.weight, model.gate_up.bias)
        self.gru_out = _linear(model.gru_out.weight, model.gru_out.bias)
        # Added to the gates r, z of a position that must leave the state as it is: z becomes 1.
        closed = torch.cat([torch.zeros(1, d), torch.full((1, d), CLOSED)], dim=1)
        self.register_buffer("closed", closed)

    def forward(
        self, window: Tensor, h: Tensor, stepped: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Take the state through n positions.

        Args:
            window: [n, k·d], the k convolution inputs around each position.
            h: [1, d], the state before the first.
            stepped: [n, 1], 1 for positions that take a step, 0 for those that leave the state as
                it is; None if all take one.

        Returns:
            The state after the last position [1, d], and each position's gate input [n, d/2].
        """
        d = self.d
        step = self.step_in(self.conv_in(window))  # [n, 3d + d/2]: r, z, n, gate
        rz, new, gate = step[:, : 2 * d], step[:, 2 * d : 3 * d], step[:, 3 * d :]
        if stepped is not None:
            rz = rz + (1.0 - stepped) * self.closed
        for at in range(window.shape[0]):
            h = self._step(rz[at : at + 1], new[at : at + 1], h)
        return h, gate

    def _step(self, rz: Tensor, new: Tensor, h: Tensor) -> Tensor:
        """Eq. 1, the input's part computed before: [1, 2d], [1, d] and the state → the state."""
        d = self.d
        past = self.step_state(h)  # [1, 3d]: r, z, n
        rz = torch.sigmoid(rz + past[:, : 2 * d])
        n = torch.tanh(new + rz[:, :d] * past[:, 2 * d :])
        return n + rz[:, d:] * (h - n)

    def select(self, gate: Tensor, h: Tensor) -> Tensor:
        """G of a position (eq. 7, 9): gate input [1, d/2], state [1, d] → [1, d]."""
        out: Tensor = self.gate_up(gate * torch.sigmoid(gate)) * self.gru_out(h)
        return out


class _Items(nn.Module):
    """What items bring to the state: rows of the table, and their keys, values and GRU inputs."""

    def __init__(self, model: GlintRU, room: int) -> None:
        super().__init__()
        config = model.config
        self.d, self.items = config.d, config.items + room
        self.table = nn.Embedding(self.items + 2, config.d)
        self.table.weight = nn.Parameter(_table(model, room), requires_grad=False)
        scale = 1.0 / math.sqrt(config.d / config.heads)
        value = _linear(model.value.weight * scale, model.value.bias * scale)
        self.item_in = _stack(model.gru_in, model.key, value)
        self.unit = _UnitHeads(config)

    def forward(self, items: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Ids int64 [n] → x [n, d], u [n, d], k̂ [n, H, d/H], v / √(d/H) [n, d]."""
        d = self.d
        # An id below 0 becomes row 0, one above V its copy: both are the unknown item.
        x = self.table(items.clamp(0, self.items + 1))
        ukv = self.item_in(x)
        return x, ukv[:, :d], self.unit(ukv[:, d : 2 * d]), ukv[:, 2 * d :]


class Append(nn.Module):
    """`append(state, item) -> state`: one item further.

    The new item is the right neighbour that position t − p was waiting for: that position is
    finalised, and the new one stays provisional.
    """

    def __init__(self, model: GlintRU, room: int | None = None) -> None:
        super().__init__()
        config = model.config
        self.d, self.p, self.heads = config.d, config.lookahead, config.heads
        self.parts = _StateParts(config)
        self.item = _Items(model, room or 0)
        self.gru = _SelectiveGru(model)

    def forward(self, state: Tensor, item: Tensor) -> Tensor:
        """State float32 [1, S] and item id int64 [1] → state float32 [1, S].

        An id outside 1 … V is the unknown item, row 0: never a read outside the table.
        """
        count, inputs, h, _, _, memory = self.parts(state)
        x, u, k, v = self.item(item)
        outer = k.view(self.heads, -1, 1) * v.view(self.heads, 1, -1)  # [H, d/H, d/H]
        memory = memory + outer.view(1, -1)

        window = _join(inputs, u)  # [1, k·d]
        h, gate = self.gru(window, h)
        # 1 once position t − p exists; before, there is nothing to finalise.
        exists = torch.clamp(count - (self.p - 1.0), 0.0, 1.0)
        final = _join(h, self.gru.select(gate, h)) * exists
        return _join(count + 1.0, window[:, self.d :], final, x, memory)


class AppendMany(nn.Module):
    """`append_many(state, items, count) -> state`: up to a chunk of C items further at once.

    Equal to `count` calls of `append`, and much faster: all but the recurrent steps is batched.
    Positions beyond `count` are computed and masked, since a graph's shape is fixed; a row is
    picked by a product with a one-hot matrix, which every delegate can take.
    """

    offsets: Tensor

    def __init__(self, model: GlintRU, chunk: int, room: int | None = None) -> None:
        super().__init__()
        config = model.config
        if chunk < 1:
            raise ConfigError(f"a chunk is at least 1 item, not {chunk}")
        self.d, self.p, self.heads, self.chunk = config.d, config.lookahead, config.heads, chunk
        self.parts = _StateParts(config)
        self.item = _Items(model, room or 0)
        self.gru = _SelectiveGru(model)
        self.places = _Places(chunk + 2 * self.p + 1)
        self.register_buffer("offsets", torch.arange(2.0 * self.p)[:, None])

    def forward(self, state: Tensor, items: Tensor, count: Tensor) -> Tensor:
        """State float32 [1, S], item ids int64 [1, C], count int64 [1] → state float32 [1, S].

        Only the first `count` of the items are appended (0 ≤ count ≤ C).
        """
        n = items.shape[1]
        before, inputs, h, g, last, memory = self.parts(state)
        added = count.view(1, 1).to(torch.float32)
        place = self.places(n).view(-1, 1)  # [C, 1]
        inside = torch.clamp(added - place, 0.0, 1.0)

        x, u, k, v = self.item(items.view(-1))
        v = (v * inside).view(-1, self.heads, self.d // self.heads)
        outer = torch.bmm(k.permute(1, 2, 0), v.permute(1, 0, 2))  # [H, d/H, d/H]
        memory = memory + outer.reshape(1, -1)

        u = torch.cat([inputs.view(-1, self.d), u]) if self.p else u  # [2p + C, d]
        window = _join(*(u[at : at + n] for at in range(2 * self.p + 1)))  # [C, k·d]
        exists = torch.clamp(before + place - (self.p - 1.0), 0.0, 1.0)
        h, gates = self.gru(window, h, inside * exists)

        exists = torch.clamp(before + added - self.p, 0.0, 1.0)
        g_last = self.gru.select(self._rows(gates, added - 1.0), h) * exists
        g = g + torch.clamp(added, 0.0, 1.0) * (g_last - g)
        if self.p:
            inputs = self._rows(u, added + self.offsets).view(1, -1)
        last = self._rows(torch.cat([last, x]), added)
        return _join(before + added, inputs, h, g, last, memory)

    def _rows(self, rows: Tensor, index: Tensor) -> Tensor:
        """Rows by their number: [n, w] and [r, 1] → [r, w]."""
        n, w = rows.shape
        distance = torch.abs(self.places(n).view(1, -1) - index)  # [r, n]
        one_hot = F.relu(1.0 - distance)
        return torch.bmm(one_hot.view(1, -1, n), rows.view(1, n, w)).view(-1, w)


class _Places(nn.Module):
    """0, 1, … n − 1 as float32 [n]. A constant, since not every exporter has `arange`."""

    numbers: Tensor

    def __init__(self, most: int) -> None:
        super().__init__()
        self.register_buffer("numbers", torch.arange(float(most)))

    def forward(self, n: int) -> Tensor:
        return self.numbers[:n]


class Pads(nn.Module):
    """Reference padding: the part of N − t pad items, at positions t … N − 1, in closed form.

    They are all alike, so what they add to the attention memory is N − t times one matrix. Of
    their GRU steps only the first p are ever read, through the second convolution.
    """

    conv_input: Tensor
    memory: Tensor

    def __init__(self, model: GlintRU) -> None:
        super().__init__()
        self.length = float(model.config.max_length)
        with torch.no_grad():
            _, u, k, v = _Items(model, room=0)(torch.tensor([0]))
            memory = k.view(model.config.heads, -1, 1) * v.view(model.config.heads, 1, -1)
        self.register_buffer("conv_input", u.clone())  # [1, d]
        self.register_buffer("memory", memory.view(1, -1))  # [1, d·d/H]

    def exists(self, count: Tensor, number: int) -> Tensor:
        """1 if t items [1, 1] leave room for this pad, of pads 0, 1, …, else 0."""
        return torch.clamp(self.length - number - count, 0.0, 1.0)

    def in_memory(self, count: Tensor) -> Tensor:
        """What all pads add to the memory of t items: [1, 1] → [1, d·d/H]."""
        return F.relu(self.length - count) * self.memory


class Recommend(nn.Module):
    """`recommend(state) -> (items, scores)`: the k best next items, best first.

    The last p positions take a provisional step, as if the history ended there, and it is
    forgotten: the state does not change. With reference padding so do the first p pads.

    Of a catalogue that may change (`room` is a number), the file's only constants that depend on
    it are the table's rows and what is added to their scores: an update writes over these.
    """

    popular: Tensor

    def __init__(self, model: GlintRU, top_k: int, room: int | None = None) -> None:
        super().__init__()
        config = model.config
        offered = config.items - len(model.retired)
        if not 1 <= top_k <= offered:
            raise ConfigError(f"top-k must be between 1 and {offered} items, not {top_k}")
        self.d, self.p, self.top_k = config.d, config.lookahead, top_k
        self.heads = config.heads
        self.parts = _StateParts(config)
        self.item_out = _stack(model.query, model.mix_gate)
        self.unit = _UnitHeads(config)
        self.attention_out = _linear(model.attention_out.weight, model.attention_out.bias)
        self.gru = _SelectiveGru(model)
        self.pads = Pads(model) if config.padding == "reference" else None

        alpha = torch.softmax(model.mix.detach(), dim=0)
        self.attention_norm = _Norm(model.attention_norm, alpha[1])
        # Where padding is masked, nothing stands to the right.
        taps = config.kernel if self.pads is not None else self.p + 1
        self.conv_out = _taps(model.conv_out, taps, alpha[0])
        self.mix_out = _linear(model.mix_out.weight, model.mix_out.bias)
        self.norm = _Norm(model.norm)
        self.mlp_in: nn.Linear | None = None
        if config.gated_mlp:
            self.mlp_in = _stack(model.mlp_gate, model.mlp_in)
            self.mlp_out = _linear(model.mlp_out.weight, model.mlp_out.bias)
        offers = None if room is None else _offers(model, room)
        # The rows of the lookup: files hold them once.
        self.scores = _linear(_table(model, room or 0), offers)
        self.ranks_all = offers is not None
        self.register_buffer("popular", torch.arange(1, top_k + 1).unsqueeze(0))

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """State float32 [1, S] → items int64 [1, k], scores float32 [1, k].

        With no history: items 1 … k, the most popular if ids are ranks, with score 0.
        """
        count = state[:, :1]
        hidden = self.hidden(state) * torch.clamp(count, 0.0, 1.0)  # no history scores 0
        scores = self.scores(hidden)[:, 1:-1]  # padding and the unknown item are never ranked
        scores, index = torch.topk(scores, self.top_k)
        if self.ranks_all:
            return index + 1, scores
        return torch.where(count > 0.0, index + 1, self.popular), scores

    def hidden(self, state: Tensor) -> Tensor:
        """The hidden r of the history so far (eq. 12): [1, S] → [1, d]."""
        d = self.d
        count, inputs, h, g, x, memory = self.parts(state)
        y = self.conv_out(_join(g, *self._provisional(count, inputs, h)))
        q_gate = self.item_out(x)
        q = self.unit(q_gate[:, :d])  # [1, H, d/H]
        if self.pads is not None:
            memory = memory + self.pads.in_memory(count)
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
        """G of the last p positions and of the first p pads, if there are pads; oldest first."""
        gated = []
        steps = self.p if self.pads is None else 2 * self.p
        for step in range(steps):
            window = self._with_neighbour(inputs, count, step)  # [1, k·d], around t − p + step
            h, gate = self.gru(window, h)
            exists = self._exists(count, step)
            g = self.gru.select(gate, h) * exists
            h = h * exists
            gated.append(g)
            inputs = window[:, self.d :]
        return gated

    def _with_neighbour(self, inputs: Tensor, count: Tensor, number: int) -> Tensor:
        """2p convolution inputs [1, 2p·d] and pad `number`, or zeros if there is none."""
        if self.pads is None:
            return F.pad(inputs, (0, self.d))
        return _join(inputs, self.pads.conv_input * self.pads.exists(count, number))

    def _exists(self, count: Tensor, step: int) -> Tensor:
        """1 if there is a position t − p + step, else 0."""
        if self.pads is None or step < self.p:
            return torch.clamp(count - (self.p - 1.0 - step), 0.0, 1.0)
        return self.pads.exists(count, step - self.p)


@dataclass(frozen=True)
class StreamProgram:
    """What a converter lowers: the stream's methods of one model.

    Attributes:
        config: the model's.
        top_k: items that `recommend` returns.
        precision: "fp32", or "int8" once `quantization.quantize` replaced the linears.
        room: spare rows of the table; None: the catalogue is fixed.
    """

    config: ModelConfig
    top_k: int
    precision: str
    append: Append
    append_many: AppendMany
    recommend: Recommend
    room: int | None = None

    def methods(self) -> dict[str, tuple[nn.Module, dict[str, Tensor]]]:
        """Each method's module and an example of its inputs, by name and in order."""
        state, item = empty_state(self.config), torch.tensor([1])
        chunk = {"items": item.repeat(1, self.append_many.chunk), "count": item}
        return {
            "append": (self.append, {"state": state, "item": item}),
            "append_many": (self.append_many, {"state": state, **chunk}),
            "recommend": (self.recommend, {"state": state}),
        }


def stream_program(
    model: GlintRU, top_k: int = 10, chunk: int = CHUNK, room: int | None = None
) -> StreamProgram:
    """The float stream of a model, its weights copied and folded.

    Args:
        model: in evaluation mode.
        top_k: items that `recommend` returns.
        chunk: most items of one `append_many`.
        room: spare rows for items to come, ≥ 0; None: none, and a catalogue that is fixed, unless
            items of it are retired.

    Raises:
        ConfigError: the model is in training mode, or `top_k` exceeds the items on offer.
    """
    if model.training:
        raise ConfigError("the model is in training mode; call model.eval() first")
    if room is None and model.retired:
        room = 0
    return StreamProgram(
        config=model.config,
        top_k=top_k,
        precision="fp32",
        append=Append(model, room).eval(),
        append_many=AppendMany(model, chunk, room).eval(),
        recommend=Recommend(model, top_k, room).eval(),
        room=room,
    )


def empty_state(config: ModelConfig) -> Tensor:
    """The state of no history: zeros, float32 [1, S]."""
    return torch.zeros(1, state_size(config))
