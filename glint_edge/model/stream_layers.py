"""What the stream's methods are built of: GLINT-RU's layers, folded and spelt for exporters.

In shape comments d, H, k and p = (k − 1)/2 are as in `glint_ru.py`; n is a number of positions.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glint_edge.config import ModelConfig
from glint_edge.model.along import HEAD_NORM_EPS
from glint_edge.model.glint_ru import GlintRU
from glint_edge.model.state import LEFT_OUT, state_layout

CLOSED = 1e4  # a gate's input at which the sigmoid is 1 in float32
POPULARITY_STEP = 1e-30  # a normal float32, and so are its multiples up to any table's rows


class StateParts(nn.Module):
    """Cuts a state [1, S] into the parts of `state_layout`, in order, each [1, size]."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.bounds = [(f.offset, f.offset + f.size) for f in state_layout(config)]

    def forward(self, state: Tensor) -> tuple[Tensor, ...]:
        """The parts, by the layout's order."""
        return tuple(state[:, start:end] for start, end in self.bounds)


def linear_of(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """A linear that holds copies of these: weight [out, in], bias [out]."""
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    linear.weight = nn.Parameter(weight.detach().clone(), requires_grad=False)
    if bias is not None:
        linear.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return linear


def stacked(*linears: nn.Linear) -> nn.Linear:
    """Linears of one input as one linear, outputs concatenated."""
    return linear_of(torch.cat([x.weight for x in linears]), torch.cat([x.bias for x in linears]))


def taps_of(conv: nn.Conv1d, count: int, scale: Tensor | float = 1.0) -> nn.Linear:
    """The convolution's first `count` taps as one linear: [d, count·d], oldest neighbour first."""
    weight = conv.weight[..., :count] * scale  # [d_out, d_in, count]
    return linear_of(
        weight.transpose(1, 2).flatten(1), None if conv.bias is None else conv.bias * scale
    )


def table_of(model: GlintRU, spare_items: int) -> Tensor:
    """The item embeddings, then row 0 again, as spare rows and for ids above: [V + spare + 2, d].

    A spare row is an unknown item until a catalogue update fills it.
    """
    weight = model.embedding.weight
    return torch.cat([weight, weight[:1].expand(spare_items + 1, -1)]).detach().clone()


def offers_of(model: GlintRU, spare_items: int) -> Tensor:
    """What is added to each row's score: [V + spare + 2].

    `LEFT_OUT` on rows that are never recommended: padding, spare, retired and unknown items. On
    others a number far below a score's last digit, the larger the more popular the item, so that a
    hidden of zeros (no history) ranks them by popularity.
    """
    rows = model.config.items + spare_items + 2
    offers = torch.arange(rows, 0, -1, dtype=torch.float32) * POPULARITY_STEP
    offers[0] = LEFT_OUT
    offers[model.config.items + 1 :] = LEFT_OUT
    offers[list(model.retired)] = LEFT_OUT
    return offers


def join(*parts: Tensor) -> Tensor:
    """Rows side by side. A part of no width or a single part is no operator in the graph."""
    wide = [part for part in parts if part.shape[1]]
    return wide[0] if len(wide) == 1 else torch.cat(wide, dim=1)


class UnitHeads(nn.Module):
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
        """[n, d] → [n, H, d/H]."""
        e = F.relu(x) + torch.exp(torch.clamp(x, max=0.0)) - 1.0
        inverse = torch.rsqrt(F.linear(e * e, self.ones, self.eps))  # [n, H]
        return e.view(-1, self.heads, self.width) * inverse.view(-1, self.heads, 1)


class FoldedNorm(nn.Module):
    """LayerNorm of rows, its affine scaled by a constant."""

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
        """[n, d] → [n, d]."""
        centred = x - F.linear(x, self.mean)
        inverse = torch.rsqrt(F.linear(centred * centred, self.mean, self.eps))  # [n, 1]
        return centred * inverse * self.weight + self.bias


class SelectiveGru(nn.Module):
    """The dense selective GRU (eq. 1, 5 to 7, 9), over one position or several in a row."""

    closed: Tensor

    def __init__(self, model: GlintRU) -> None:
        super().__init__()
        self.d = d = model.config.d
        w_in, w_state = model.gru.all_weights[0]
        self.conv_in = taps_of(model.conv_in, model.config.kernel)
        self.step_in = stacked(linear_of(w_in, torch.zeros(3 * d)), model.gate_down)
        self.step_state = linear_of(w_state, None)
        self.gate_up = linear_of(model.gate_up.weight, model.gate_up.bias)
        self.gru_out = linear_of(model.gru_out.weight, model.gru_out.bias)
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


class StreamLowPass(nn.Module):
    """The filter of the edge variant (`glint_edge.model.low_pass`), position after position."""

    decay: Tensor
    log_decay: Tensor
    fresh: Tensor
    own: Tensor
    trend: Tensor

    def __init__(self, model: GlintRU) -> None:
        super().__init__()
        with torch.no_grad():
            log_decay, high = model.low_pass.log_decay(), model.low_pass.high.square()
        self.register_buffer("decay", torch.exp(log_decay)[None])  # g
        self.register_buffer("log_decay", log_decay[None])
        self.register_buffer("fresh", 1.0 - self.decay)
        # x + low + β² ⊙ (x − low)
        self.register_buffer("own", (1.0 + high)[None])
        self.register_buffer("trend", (1.0 - high)[None])
        self.norm = FoldedNorm(model.low_pass_norm)

    def forward(self, x: Tensor, sums: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """Take the sums s_t through n positions.

        Args:
            x: [n, d].
            sums: before the first position: [1, d].
            before: how many items each position comes after: [n, 1].

        Returns:
            X of each position, and the sums after it: both [n, d].
        """
        after = []
        for at in range(x.shape[0]):
            sums = sums * self.decay + x[at : at + 1]
            after.append(sums)
        every = after[0] if len(after) == 1 else torch.cat(after)
        # low_t = s_t / n_t
        low = every * self.fresh / (1.0 - torch.exp((before + 1.0) * self.log_decay))
        return self.norm(self.own * x + self.trend * low), every


class ItemInputs(nn.Module):
    """What items bring to the state: X, and their keys, values and GRU inputs."""

    def __init__(self, model: GlintRU, spare_items: int) -> None:
        super().__init__()
        config = model.config
        self.d, self.items = config.d, config.items + spare_items
        self.table = nn.Embedding(self.items + 2, config.d)
        self.table.weight = nn.Parameter(table_of(model, spare_items), requires_grad=False)
        self.norm = FoldedNorm(model.input_norm) if config.has_input_norm else None
        self.low_pass = StreamLowPass(model) if config.has_low_pass else None
        scale = 1.0 / math.sqrt(config.d / config.heads)
        value = linear_of(model.value.weight * scale, model.value.bias * scale)
        self.item_in = stacked(model.gru_in, model.key, value)
        self.unit = UnitHeads(config)

    def rows(self, items: Tensor) -> Tensor:
        """Ids int64 [n] → rows of the table, normalised where the variant does: [n, d]."""
        # An id below 0 becomes row 0, one above V its copy: both are the unknown item.
        x: Tensor = self.table(items.clamp(0, self.items + 1))
        return x if self.norm is None else self.norm(x)

    def inputs(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """X [n, d] → u [n, d], k̂ [n, H, d/H], v / √(d/H) [n, d]."""
        d = self.d
        ukv = self.item_in(x)
        return ukv[:, :d], self.unit(ukv[:, d : 2 * d]), ukv[:, 2 * d :]


class Places(nn.Module):
    """0, 1, … n − 1 as float32 [n]. A constant, since not every exporter has `arange`."""

    numbers: Tensor

    def __init__(self, most: int) -> None:
        super().__init__()
        self.register_buffer("numbers", torch.arange(float(most)))

    def forward(self, n: int) -> Tensor:
        """The first n."""
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
            item = ItemInputs(model, spare_items=0)
            u, k, v = item.inputs(item.rows(torch.tensor([0])))
            memory = k.view(model.config.heads, -1, 1) * v.view(model.config.heads, 1, -1)
        self.register_buffer("conv_input", u.clone())  # [1, d]
        self.register_buffer("memory", memory.view(1, -1))  # [1, d·d/H]

    def exists(self, count: Tensor, number: int) -> Tensor:
        """1 if t items [1, 1] leave room for this pad, of pads 0, 1, …, else 0."""
        return torch.clamp(self.length - number - count, 0.0, 1.0)

    def in_memory(self, count: Tensor) -> Tensor:
        """What all pads add to the memory of t items: [1, 1] → [1, d·d/H]."""
        return F.relu(self.length - count) * self.memory
