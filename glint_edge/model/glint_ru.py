"""GLINT-RU, whole: the float model and two of its three equal forms.

`encode` is the plain batch form: shortest, most readable, the oracle of every test. `prefixes`
gives the hidden of every prefix in one pass, for training. The third form, the stream, is
`glint_edge.model.stream`.

Sources: Zhang et al., "GLINT-RU: Gated Lightweight Intelligent Recurrent Units for Sequential
Recommender Systems", KDD 2025, arXiv 2406.10244 (the equation numbers below), and the authors'
code, https://github.com/szhang-cityu/GLINT-RU, file GLINT-RU.py at 4f7b0a5. Where paper and code
differ the code decides, since its checkpoints are what people have:

- attention: split into heads, scaled by 1/√(d/H), an output projection W_o and a residual with a
  LayerNorm of its own (the paper's eq. 2 has none of these);
- the GRU has no biases; the selective gate is a bottleneck d → d/2 → d (paper: one matrix);
- the mixing block projects (W_z) before its residual; ONE LayerNorm serves the mixing block and
  the gated MLP.

That is the variant "paper". The variant "edge" differs in what the experts see of an item: with E
the table's row,

    x = Drop(LN_e(E)),    X = LN_f(x + Drop(low + β² ⊙ (x − low)))

low being the history's running mean (`glint_edge.model.low_pass`). Scores are still r · E.

What we do otherwise than the code: its head norm divides by zero where elu(q) = 0, ours has an
epsilon far below float32's resolution; its unused layers (`softmax`, `attn_dropout`) are left out;
and it lets the padding take part, which here only `padding: "reference"` does (`ModelConfig`).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glint_edge.config import ModelConfig
from glint_edge.errors import ConfigError
from glint_edge.model.along import (
    convolve,
    convolve_seeing,
    delay,
    is_inside,
    row_at,
    running_attention,
    unit_length,
)
from glint_edge.model.dropout import Dropout
from glint_edge.model.low_pass import LowPass


class GlintRU(nn.Module):
    """GLINT-RU over a catalogue of V items; id 0 is padding (the pad item) and unknown items.

    In shape comments B is the batch, N the length, d the width, H the heads, k the kernel and
    p = (k − 1)/2 the look-ahead of a convolution.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.retired: tuple[int, ...] = ()  # ids that histories may hold and no list does
        d, k, p = config.d, config.kernel, config.lookahead
        # Row 0 gets no gradient. It is zeros, but in a model of reference padding, whose authors
        # drew it at random.
        self.embedding = nn.Embedding(config.items + 1, d, padding_idx=0)

        if config.has_input_norm:
            self.input_norm = nn.LayerNorm(d, eps=config.norm_eps)  # LN_e
        if config.has_low_pass:
            self.low_pass = LowPass(d)
            self.low_pass_norm = nn.LayerNorm(d, eps=config.norm_eps)  # LN_f

        self.query = nn.Linear(d, d)  # Wq
        self.key = nn.Linear(d, d)  # Wk
        self.value = nn.Linear(d, d)  # Wv
        self.attention_out = nn.Linear(d, d)  # W_o
        self.attention_norm = nn.LayerNorm(d, eps=config.norm_eps)  # LN_a

        self.gru_in = nn.Linear(d, d)  # W0, b0
        self.conv_in = nn.Conv1d(d, d, k, padding=p)  # eq. 5
        self.gru = nn.GRU(d, d, bias=False, batch_first=True)  # eq. 1, 6
        self.gate_down = nn.Linear(d, d // 2)  # Wδ
        self.gate_up = nn.Linear(d // 2, d)  # Wω
        self.gru_out = nn.Linear(d, d)  # Wφ
        # Eq. 8. Only read where nothing stands to the right, so the taps after the centre multiply
        # zeros and are never trained; they are kept because the authors' checkpoints have them.
        self.conv_out = nn.Conv1d(d, d, k, padding=p)

        self.mix = nn.Parameter(torch.tensor([0.5, 0.5]))  # softmax → α₁, α₂
        self.mix_gate = nn.Linear(d, d)  # W2
        self.mix_out = nn.Linear(d, d)  # Wz
        self.norm = nn.LayerNorm(d, eps=config.norm_eps)  # LN, used twice

        if config.gated_mlp:
            self.mlp_gate = nn.Linear(d, d)  # W3
            self.mlp_in = nn.Linear(d, d)  # W4
            self.mlp_out = nn.Linear(d, d)  # Wr

        self.embedding_drop = Dropout(config.embedding_dropout)
        self.low_pass_drop = Dropout(config.embedding_dropout)
        self.attention_drop = Dropout(config.attention_dropout)
        self.block_drop = Dropout(config.block_dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The authors' initialisation (GLINT-RU.py, `_init_weights`); convolutions keep torch's."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.GRU):
                w_in, w_state = module.all_weights[0]
                nn.init.xavier_uniform_(w_state)
                nn.init.xavier_uniform_(w_in)
            elif isinstance(module, nn.Embedding):
                nn.init.xavier_normal_(module.weight)
                with torch.no_grad():
                    module.weight[0].zero_()

    # ---- form 1: the plain batch ------------------------------------------------------------

    def encode(self, items: Tensor, lengths: Tensor) -> Tensor:
        """The hidden of each history's last position.

        Args:
            items: int64 [B, N], histories in time order, right padded with anything.
            lengths: int64 [B], 1 ≤ length ≤ N.

        Returns:
            float32 [B, d]. What stands beyond a length has no influence.
        """
        items, inside = self._computed_over(items, lengths)
        x = self._embed(items)  # [B, N, d]
        last = lengths - 1

        q, k, v = self._attention_inputs(x)  # each [B, N, H, d/H]
        memory = torch.einsum("bnhi,bnhj->bhij", k * inside[..., None], v)
        context = torch.einsum("bhi,bhij->bhj", row_at(q, last), memory)
        a = self._attention_output(context.flatten(1), row_at(x, last))

        c = convolve(self.conv_in, self.gru_in(x) * inside)
        h, _ = self.gru(c)
        g = self._select(c, h) * inside
        y = row_at(convolve(self.conv_out, g), last)

        return self._head(row_at(x, last), y, a)

    def score(self, items: Tensor, lengths: Tensor) -> Tensor:
        """Scores of the whole catalogue after each history (eq. 13).

        Args:
            items: int64 [B, N], as for `encode`.
            lengths: int64 [B].

        Returns:
            float32 [B, V + 1]; columns of padding and of retired items are −inf: never ranked.
        """
        return self.scores_of(self.encode(items, lengths))

    def scores_of(self, hidden: Tensor) -> Tensor:
        """Scores [B, V + 1], as of `score`, from hiddens [B, d]."""
        scores = hidden @ self.embedding.weight.T
        scores[:, 0] = -math.inf
        if self.retired:
            scores[:, list(self.retired)] = -math.inf
        return scores

    # ---- form 2: every prefix in one pass ---------------------------------------------------

    def prefixes(self, items: Tensor, lengths: Tensor) -> Tensor:
        """The hidden of every prefix: row n is `encode` of the first n + 1 items.

        Training on `encode`'s own positions would leak: the convolutions look ahead and the
        attention is global. Here each position is computed as if its item were the last one. A
        position's GRU state is *final* once its p right neighbours are known; the last p
        positions of a prefix are *provisional*, and are recomputed for each prefix from the last
        final state: p batched GRU cells, so the whole costs O(N).

        Args:
            items: int64 [B, N], as for `encode`.
            lengths: int64 [B].

        Returns:
            float32 [B, N, d]; rows beyond a length are finite and meaningless.

        Raises:
            ConfigError: the model has reference padding, which this form does not know.
        """
        if self.config.padding != "masked":
            raise ConfigError(
                "a model of reference padding, as the authors' code trains it, cannot be trained "
                "here; train one of this project's own: glint-edge train"
            )
        inside = is_inside(items, lengths)
        x = self._embed(items)
        a = self._attention_output(running_attention(*self._attention_inputs(x)).flatten(2), x)

        u = self.gru_in(x) * inside
        c = convolve(self.conv_in, u)
        final, _ = self.gru(c)
        y = self._conv_out_of_prefixes(u, final, self._select(c, final))
        return self._head(x, y, a)

    def _conv_out_of_prefixes(self, u: Tensor, final: Tensor, g: Tensor) -> Tensor:
        """Y at each prefix's last position, from convolution inputs and final states [B, N, d]."""
        p = self.config.lookahead
        taps = self.conv_out.weight.unbind(-1)  # tap j multiplies position n − p + j; [d, d] each
        y = F.linear(delay(g, p), taps[0], self.conv_out.bias)
        h = delay(final, p)
        begun = torch.arange(u.shape[1], device=u.device)  # [N]
        for seen in reversed(range(p)):  # provisional position n − seen sees `seen` neighbours
            c = delay(convolve_seeing(self.conv_in, u, seen), seen)
            # A position before the sequence's start leaves the state at 0.
            exists = (begun >= seen)[:, None].to(u.dtype)  # [N, 1]
            h = self._cell(c, h) * exists
            y = y + F.linear(self._select(c, h) * exists, taps[p - seen])
        return y

    def _cell(self, c: Tensor, h: Tensor) -> Tensor:
        """One GRU step (eq. 1) at every position: input and state [B, N, d]."""
        w_in, w_state = self.gru.all_weights[0]
        return torch.gru_cell(c.flatten(0, 1), h.flatten(0, 1), w_in, w_state).view_as(h)

    # ---- the parts both forms share ---------------------------------------------------------

    def _computed_over(self, items: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The ids that stand at each position, and 1.0 where one takes part, else 0.0.

        With reference padding the pad item stands from a history's end to `max_length`, and takes
        part there: ids int64 [B, max(N, max_length)].
        """
        inside = is_inside(items, lengths)  # [B, N, 1]
        if self.config.padding == "masked":
            return items, inside
        missing = max(0, self.config.max_length - items.shape[1])
        items = F.pad(items * inside[..., 0].to(items.dtype), (0, missing))
        return items, is_inside(items, lengths.clamp(min=self.config.max_length))

    def _linears(self, x: Tensor, *layers: nn.Linear) -> Tensor:
        """Linears of one input as one product, which reads it once and gives it one gradient.

        Args:
            x: float32 [..., d].
            layers: n of them, d → d.

        Returns:
            float32 [..., n·d], theirs side by side.
        """
        weight = torch.cat([layer.weight for layer in layers])
        return F.linear(x, weight, torch.cat([layer.bias for layer in layers]))

    def _embed(self, items: Tensor) -> Tensor:
        """X, what the experts see of each position: [B, N] → [B, N, d]."""
        x: Tensor = self.embedding(items)
        if self.config.has_input_norm:
            x = self.input_norm(x)
        x = self.embedding_drop(x)
        if self.config.has_low_pass:
            x = self.low_pass_norm(x + self.low_pass_drop(self.low_pass(x)))
        return x

    def _attention_inputs(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised queries and keys, and values (eq. 2): [B, N, d] → 3 × [B, N, H, d/H]."""
        heads = self.config.heads
        projected = self._linears(x, self.query, self.key, self.value)
        qk, v = projected.unflatten(-1, (3 * heads, -1)).split([2 * heads, heads], dim=-2)
        q, k = unit_length(F.elu(qk)).chunk(2, dim=-2)
        return q, k, v

    def _attention_output(self, context: Tensor, x: Tensor) -> Tensor:
        """A, the attention expert: context and residual [..., d] → [..., d]."""
        scale = math.sqrt(self.config.d / self.config.heads)
        out = self.attention_drop(self.attention_out(context / scale))
        normed: Tensor = self.attention_norm(x + out)
        return normed

    def _select(self, c: Tensor, h: Tensor) -> Tensor:
        """G, the selective gate on GRU states (eq. 7, 9): inputs and states [..., d] → [..., d]."""
        gate = self.block_drop(self.gate_up(F.silu(self.gate_down(c))))
        gated: Tensor = gate * self.gru_out(h)
        return gated

    def _head(self, x: Tensor, y: Tensor, a: Tensor) -> Tensor:
        """Mixing block and gated MLP (eq. 10 to 12): three [..., d] → [..., d]."""
        alpha = torch.softmax(self.mix, dim=0)
        mixed = F.gelu(self.mix_gate(x)) * (alpha[0] * y + alpha[1] * a)
        z: Tensor = self.norm(x + self.block_drop(self.mix_out(mixed)))
        if not self.config.gated_mlp:
            return z
        gate, inner = self._linears(z, self.mlp_gate, self.mlp_in).chunk(2, dim=-1)
        inner = F.gelu(gate) * inner
        r: Tensor = self.norm(z + self.block_drop(self.mlp_out(inner)))
        return r
