"""GLINT-RU with the int8 scheme's rounding inside: what the int8 stream computes, in batch.

For training, since torchao's fake quantizers pass gradients on as if nothing had been rounded, and
for judging int8 over many users at once, since one pass does what the stream does item by item.
Everything that `quantization.int8` rounds is rounded here, alike: the inputs and weights of every
linear; of the convolutions, as one linear over a window of neighbours; of the GRU, in every step;
the item table and the hidden that it scores. What the stream folds into its weights (the scale of
the attention, α) scales whole rows, which round alike.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torchao.quantization.qat import (
    FakeQuantizedLinear,
    IntxFakeQuantizeConfig,
    IntxFakeQuantizer,
)

from glint_edge.model.dropout import Dropout
from glint_edge.model.glint_ru import GlintRU
from quantization.int8 import row_scales

ACTIVATION = IntxFakeQuantizeConfig(
    torch.int8, "per_token", is_symmetric=False, eps=torch.finfo(torch.float32).eps
)
WEIGHT = IntxFakeQuantizeConfig(torch.int8, "per_channel", is_symmetric=True, is_dynamic=False)


class _Rows(IntxFakeQuantizer):  # type: ignore[misc]  # torchao has no types
    """Rounds a weight [rows, columns] with our scales: torchao's own are largest / 127.5."""

    def __init__(self) -> None:
        super().__init__(WEIGHT)

    def forward(self, weight: Tensor) -> Tensor:
        self.scale = row_scales(weight.detach())[:, None]
        self.zero_point = torch.zeros_like(self.scale, dtype=torch.int32)
        rounded: Tensor = super().forward(weight)
        return rounded


class FakeQuantizedGlintRU(GlintRU):
    """A model to train or judge in another's place; `to_float` gives the plain one back.

    `evaluate` and the training loss take it as they take a `GlintRU`. There is no dropout.
    """

    def __init__(self, model: GlintRU) -> None:
        super().__init__(model.config)
        self.retired = model.retired
        self.load_state_dict(model.state_dict())
        for name, child in list(self.named_children()):
            if isinstance(child, nn.Linear):
                setattr(self, name, _linear(child))
            elif isinstance(child, Dropout):
                child.threshold = 0
        self.activation = IntxFakeQuantizer(ACTIVATION)
        kernel, seen = model.config.kernel, model.config.lookahead + 1
        self.conv_in: _Conv = _Conv(self.conv_in, kernel)
        self.conv_out: _Conv = _Conv(self.conv_out, seen)  # nothing stands to the right
        self.gru: _Gru = _Gru(self.gru)
        # Lookup and scoring both read `embedding.weight`: they get the same rounded rows.
        parametrize.register_parametrization(self.embedding, "weight", _Rows())

    def to_float(self) -> GlintRU:
        """The unrounded weights as a plain model in evaluation mode."""
        model = GlintRU(self.config)
        model.retired = self.retired
        original = self.state_dict()
        original["embedding.weight"] = original.pop("embedding.parametrizations.weight.original")
        model.load_state_dict(original)
        return model.eval()

    def _conv_out_of_prefixes(self, u: Tensor, final: Tensor, g: Tensor) -> Tensor:
        """As in the float model, the convolution over a whole window at once."""
        p = self.config.lookahead
        window, h = [_delay(g, p)], _delay(final, p)
        begun = torch.arange(u.shape[1], device=u.device)
        for seen in reversed(range(p)):
            c = _delay(self.conv_in.seeing(u, seen), seen)
            exists = (begun >= seen)[:, None].to(u.dtype)
            h = self.gru.cell(c, h) * exists
            window.append(self._select(c, h) * exists)
        return self.conv_out.of_windows(torch.cat(window, dim=-1))

    def _linears(self, x: Tensor, *layers: nn.Linear) -> Tensor:
        """Each by itself: it rounds its own weight."""
        return torch.cat([layer(x) for layer in layers], dim=-1)

    def _head(self, x: Tensor, y: Tensor, a: Tensor) -> Tensor:
        """The hidden, rounded, since all that is done with it is scoring."""
        hidden: Tensor = self.activation(super()._head(x, y, a))
        return hidden


def _linear(linear: nn.Linear) -> FakeQuantizedLinear:
    """A linear of torchao's with this scheme's rounding, of the same parameters."""
    fake = FakeQuantizedLinear.from_linear(linear, ACTIVATION, WEIGHT)
    fake.weight_fake_quantizer = _Rows()
    return fake


class _Conv(nn.Conv1d):
    """A temporal convolution's first `taps` taps, as one linear over a window of neighbours."""

    def __init__(self, conv: nn.Conv1d, taps: int) -> None:
        super().__init__(conv.in_channels, conv.out_channels, conv.kernel_size[0])
        self.weight, self.bias = conv.weight, conv.bias
        self.taps, self.left = taps, (conv.kernel_size[0] - 1) // 2
        self.activation, self.rows = IntxFakeQuantizer(ACTIVATION), _Rows()

    def forward(self, sequence: Tensor) -> Tensor:
        """[B, d, N] → same."""
        return self.seeing(sequence.mT, self.taps - 1 - self.left).mT

    def seeing(self, sequence: Tensor, seen: int) -> Tensor:
        """As if only `seen` right neighbours existed: [B, N, d] → same."""
        n = sequence.shape[1]
        padded = F.pad(sequence, (0, 0, self.left, seen))
        return self.of_windows(
            torch.cat([padded[:, at : at + n] for at in range(self.left + 1 + seen)], dim=-1)
        )

    def of_windows(self, windows: Tensor) -> Tensor:
        """Neighbours side by side, oldest first [B, N, m·d], m ≤ taps → [B, N, d].

        Those left out at the right are zeros, which change neither sum nor range.
        """
        weight = self.rows(self.weight[..., : self.taps].transpose(1, 2).flatten(1))
        return F.linear(self.activation(windows), weight[:, : windows.shape[-1]], self.bias)


class _Gru(nn.GRU):
    """The GRU, its input and its state rounded in every step."""

    def __init__(self, gru: nn.GRU) -> None:
        super().__init__(gru.input_size, gru.hidden_size, bias=False, batch_first=True)
        (self.weight_ih_l0, self.weight_hh_l0), *_ = gru.all_weights
        self.activation, self.rows = IntxFakeQuantizer(ACTIVATION), _Rows()

    def forward(self, c: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]  # no first state, no packed sequences
        """[B, N, d], from the empty state → the state at each position, and the last [B, d]."""
        weight = self.rows(self.weight_hh_l0)
        h, states = c.new_zeros(c.shape[0], c.shape[2]), []
        for inputs in self._inputs(c).unbind(1):
            h = self._step(inputs, h, weight)
            states.append(h)
        return torch.stack(states, dim=1), h

    def cell(self, c: Tensor, h: Tensor) -> Tensor:
        """One step at every position: input and state [B, N, d] → state."""
        return self._step(self._inputs(c), h, self.rows(self.weight_hh_l0))

    def _inputs(self, c: Tensor) -> Tensor:
        return F.linear(self.activation(c), self.rows(self.weight_ih_l0))

    def _step(self, inputs: Tensor, h: Tensor, weight: Tensor) -> Tensor:
        """Eq. 1: the input's part [..., 3d] and the state [..., d] → the state."""
        d = self.hidden_size
        past = F.linear(self.activation(h), weight)
        r, z = torch.sigmoid(inputs[..., : 2 * d] + past[..., : 2 * d]).split(d, dim=-1)
        n = torch.tanh(inputs[..., 2 * d :] + r * past[..., 2 * d :])
        after: Tensor = n + z * (h - n)
        return after


def _delay(sequence: Tensor, steps: int) -> Tensor:
    """Position n gets what stood at n − steps, zeros at the start: [B, N, d] → same."""
    return F.pad(sequence, (0, 0, steps, 0))[:, : sequence.shape[1]]
