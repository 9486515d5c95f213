"""The stream's methods as modules: append, append_many, recommend and similar; see `stream.py`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glint_edge.errors import ConfigError
from glint_edge.model.glint_ru import GlintRU
from glint_edge.model.stream_layers import (
    FoldedNorm,
    ItemInputs,
    Pads,
    Places,
    SelectiveGru,
    StateParts,
    UnitHeads,
    join,
    linear_of,
    offers_of,
    stacked,
    table_of,
    taps_of,
)

TINY = 1e-24  # beside a squared length of a row: next to nothing, and not zero
ROWS_AT_ONCE = 65_536


class Append(nn.Module):
    """`append(state, item) -> state`: one item further.

    The new item is the right neighbour that position t − p was waiting for: that position is
    finalised, and the new one stays provisional.
    """

    def __init__(self, model: GlintRU, spare_items: int | None = None) -> None:
        super().__init__()
        config = model.config
        self.d, self.p, self.heads = config.d, config.lookahead, config.heads
        self.parts = StateParts(config)
        self.item = ItemInputs(model, spare_items or 0)
        self.gru = SelectiveGru(model)

    def forward(self, state: Tensor, item: Tensor) -> Tensor:
        """State float32 [1, S] and item id int64 [1] → state float32 [1, S].

        An id outside 1 … V is the unknown item, row 0: never a read outside the table.
        """
        count, inputs, h, _, _, sums, memory = self.parts(state)
        x = self.item.rows(item)
        if self.item.low_pass is not None:
            x, sums = self.item.low_pass(x, sums, count)
        u, k, v = self.item.inputs(x)
        outer = k.view(self.heads, -1, 1) * v.view(self.heads, 1, -1)  # [H, d/H, d/H]
        memory = memory + outer.view(1, -1)

        window = join(inputs, u)  # [1, k·d]
        h, gate = self.gru(window, h)
        # 1 once position t − p exists; before, there is nothing to finalise.
        exists = torch.clamp(count - (self.p - 1.0), 0.0, 1.0)
        final = join(h, self.gru.select(gate, h)) * exists
        return join(count + 1.0, window[:, self.d :], final, x, sums, memory)


class AppendMany(nn.Module):
    """`append_many(state, items, count) -> state`: up to a chunk of C items further at once.

    Equal to `count` calls of `append`, and much faster: all but the recurrent steps is batched.
    Positions beyond `count` are computed and masked, since a graph's shape is fixed; a row is
    picked by a product with a one-hot matrix, which every delegate can take.
    """

    offsets: Tensor

    def __init__(self, model: GlintRU, chunk: int, spare_items: int | None = None) -> None:
        super().__init__()
        config = model.config
        if chunk < 1:
            raise ConfigError(f"a chunk is at least 1 item, not {chunk}")
        self.d, self.p, self.heads, self.chunk = config.d, config.lookahead, config.heads, chunk
        self.parts = StateParts(config)
        self.item = ItemInputs(model, spare_items or 0)
        self.gru = SelectiveGru(model)
        self.places = Places(chunk + 2 * self.p + 1)
        self.register_buffer("offsets", torch.arange(2.0 * self.p)[:, None])

    def forward(self, state: Tensor, items: Tensor, count: Tensor) -> Tensor:
        """State float32 [1, S], item ids int64 [1, C], count int64 [1] → state float32 [1, S].

        Only the first `count` of the items are appended (0 ≤ count ≤ C).
        """
        n = items.shape[1]
        before, inputs, h, g, last, sums, memory = self.parts(state)
        added = count.view(1, 1).to(torch.float32)
        place = self.places(n).view(-1, 1)  # [C, 1]
        inside = torch.clamp(added - place, 0.0, 1.0)

        x = self.item.rows(items.view(-1))
        if self.item.low_pass is not None:
            x, every = self.item.low_pass(x, sums, before + place)
            sums = self._rows(torch.cat([sums, every]), added)
        u, k, v = self.item.inputs(x)
        v = (v * inside).view(-1, self.heads, self.d // self.heads)
        outer = torch.bmm(k.permute(1, 2, 0), v.permute(1, 0, 2))  # [H, d/H, d/H]
        memory = memory + outer.reshape(1, -1)

        u = torch.cat([inputs.view(-1, self.d), u]) if self.p else u  # [2p + C, d]
        window = join(*(u[at : at + n] for at in range(2 * self.p + 1)))  # [C, k·d]
        exists = torch.clamp(before + place - (self.p - 1.0), 0.0, 1.0)
        h, gates = self.gru(window, h, inside * exists)

        exists = torch.clamp(before + added - self.p, 0.0, 1.0)
        g_last = self.gru.select(self._rows(gates, added - 1.0), h) * exists
        g = g + torch.clamp(added, 0.0, 1.0) * (g_last - g)
        if self.p:
            inputs = self._rows(u, added + self.offsets).view(1, -1)
        last = self._rows(torch.cat([last, x]), added)
        return join(before + added, inputs, h, g, last, sums, memory)

    def _rows(self, rows: Tensor, index: Tensor) -> Tensor:
        """Rows by their number: [n, w] and [r, 1] → [r, w]."""
        n, w = rows.shape
        distance = torch.abs(self.places(n).view(1, -1) - index)  # [r, n]
        one_hot = F.relu(1.0 - distance)
        return torch.bmm(one_hot.view(1, -1, n), rows.view(1, n, w)).view(-1, w)


class Recommend(nn.Module):
    """`recommend(state, bias) -> (items, scores)`: the k best next items, best first.

    The bias is added to every item's score before the best are taken: `LEFT_OUT` leaves an item
    out, other numbers push it. So every filter of a list is exact, whatever k is.

    The last p positions take a provisional step, as if the history ended there, and it is
    forgotten: the state does not change. With reference padding so do the first p pads.

    The only constants that depend on the catalogue are the table's rows and what is added to their
    scores: a change of the catalogue writes over these.
    """

    def __init__(self, model: GlintRU, top_k: int, spare_items: int | None = None) -> None:
        super().__init__()
        config = model.config
        offered = config.items - len(model.retired)
        if not 1 <= top_k <= offered:
            raise ConfigError(f"top-k must be between 1 and {offered} items, not {top_k}")
        self.d, self.p, self.top_k = config.d, config.lookahead, top_k
        self.heads = config.heads
        self.parts = StateParts(config)
        self.item_out = stacked(model.query, model.mix_gate)
        self.unit = UnitHeads(config)
        self.attention_out = linear_of(model.attention_out.weight, model.attention_out.bias)
        self.gru = SelectiveGru(model)
        self.pads = Pads(model) if config.padding == "reference" else None

        alpha = torch.softmax(model.mix.detach(), dim=0)
        self.attention_norm = FoldedNorm(model.attention_norm, alpha[1])
        # Where padding is masked, nothing stands to the right.
        taps = config.kernel if self.pads is not None else self.p + 1
        self.conv_out = taps_of(model.conv_out, taps, alpha[0])
        self.mix_out = linear_of(model.mix_out.weight, model.mix_out.bias)
        self.norm = FoldedNorm(model.norm)
        self.mlp_in: nn.Linear | None = None
        if config.gated_mlp:
            self.mlp_in = stacked(model.mlp_gate, model.mlp_in)
            self.mlp_out = linear_of(model.mlp_out.weight, model.mlp_out.bias)
        # The rows of the lookup: files hold them once.
        spare = spare_items or 0
        self.scores = linear_of(table_of(model, spare), offers_of(model, spare))

    def forward(self, state: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The list after a history; without one, by popularity if ids are ranks, with score 0.

        Args:
            state: float32 [1, S].
            bias: float32 [1, rows], by item id; None: zeros. Programs on a device have no None.

        Returns:
            Items int64 [1, k] and scores float32 [1, k], the bias among them.
        """
        scores = self.every(state)
        # Padding and the unknown item are never ranked.
        return best((scores if bias is None else scores + bias)[:, 1:-1], self.top_k)

    def every(self, state: Tensor) -> Tensor:
        """Scores of all rows: [1, S] → [1, rows]; next to 0 without a history."""
        scores: Tensor = self.scores(self.hidden(state) * torch.clamp(state[:, :1], 0.0, 1.0))
        return scores

    def hidden(self, state: Tensor) -> Tensor:
        """The hidden r of the history so far (eq. 12): [1, S] → [1, d]."""
        d = self.d
        count, inputs, h, g, x, _, memory = self.parts(state)
        y = self.conv_out(join(g, *self._provisional(count, inputs, h)))
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
        return join(inputs, self.pads.conv_input * self.pads.exists(count, number))

    def _exists(self, count: Tensor, step: int) -> Tensor:
        """1 if there is a position t − p + step, else 0."""
        if self.pads is None or step < self.p:
            return torch.clamp(count - (self.p - 1.0 - step), 0.0, 1.0)
        return self.pads.exists(count, step - self.p)


class Similar(nn.Module):
    """`similar(item, bias) -> (items, scores)`: the k items whose rows are most like an item's.

    The score is the cosine of both rows. The item itself comes first, unless the bias leaves it
    out. Like `Recommend` but for one more constant of the catalogue: the rows' inverse lengths.
    """

    ones: Tensor
    tiny: Tensor
    inverse: Tensor

    def __init__(self, item: ItemInputs, recommend: Recommend) -> None:
        """Shares the table of `append` and the scoring of `recommend`, at their precision."""
        super().__init__()
        self.items, self.top_k = item.items, recommend.top_k
        self.table, self.scores = item.table, recommend.scores
        with torch.no_grad():
            every = torch.arange(self.items + 2).split(ROWS_AT_ONCE)
            lengths = torch.cat([self.table(ids).norm(dim=1) for ids in every])
        # A row of zeros is like none.
        self.register_buffer("inverse", torch.where(lengths > 0, 1.0 / lengths, 1.0)[None])
        self.register_buffer("ones", torch.ones(1, item.d))
        self.register_buffer("tiny", torch.full((1,), TINY))

    def forward(self, item: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Items like another.

        Args:
            item: its id, int64 [1]; one outside the catalogue is like none.
            bias: float32 [1, rows], by item id, added to the cosines; None: zeros.

        Returns:
            Items int64 [1, k], best first, and scores float32 [1, k].
        """
        cosines = self.every(item)
        return best(cosines if bias is None else cosines + bias[:, 1:-1], self.top_k)

    def every(self, item: Tensor) -> Tensor:
        """Cosines to all rows but padding and the unknown item: [1] → [1, rows − 2]."""
        x = self.table(item.clamp(0, self.items + 1))
        unit = x * torch.rsqrt(F.linear(x * x, self.ones, self.tiny))
        # Cut first: LiteRT's toolchain would multiply the table itself, and store it twice.
        cosines: Tensor = self.scores(unit)[:, 1:-1] * self.inverse[:, 1:-1]
        return cosines


def best(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best of items 1, 2, …: ids int64 [1, k] and scores [1, k], of scores [1, n]."""
    top, index = torch.topk(scores, k)
    return index + 1, top
