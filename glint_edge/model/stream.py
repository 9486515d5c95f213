"""GLINT-RU's third form: a state that each new item updates at constant cost.

`Append` takes the state one item further, `AppendMany` up to a chunk of items at once (the cold
start); `Recommend` turns a state into the top-k. Together they compute exactly what
`GlintRU.encode` computes of the whole history (tests hold them equal), in O(1) a tap. `Similar`
gives what is like an item. Every converter exports these modules, so they are written for
exporters:

- constants are folded: the softmax of α, the attention's scale, α into the convolution and LN_a;
- the taps of a convolution are one linear over concatenated neighbours, and linears of the same
  input are one linear;
- means and head norms are products with constant matrices, elu is relu(x) + exp(min(x, 0)) − 1:
  the spelling XNNPACK's partitioner takes whole, which `mean`, `norm` and `elu` are not.

The state is one opaque row of float32; all zeros is "no history". In shape comments d, H, k and
p = (k − 1)/2 are as in `glint_edge.model.glint_ru`; t is the number of items so far.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from glint_edge.config import ModelConfig
from glint_edge.errors import ConfigError
from glint_edge.model.glint_ru import GlintRU
from glint_edge.model.state import CHUNK, state_size, top_k_of
from glint_edge.model.stream_methods import Append, AppendMany, Recommend, Similar


@dataclass(frozen=True)
class StreamProgram:
    """What a converter lowers: the stream's methods of one model.

    Attributes:
        config: the model's.
        top_k: items that `recommend` returns.
        precision: "fp32", or "int8" once `quantization.quantize` replaced the linears.
        spare_items: spare rows of the table; None: the catalogue is fixed.
    """

    config: ModelConfig
    top_k: int
    precision: str
    append: Append
    append_many: AppendMany
    recommend: Recommend
    similar: Similar
    spare_items: int | None = None

    @property
    def rows(self) -> int:
        """Of the table, spare ones, padding and the unknown item among them: a bias has so many."""
        return self.append.item.items + 2

    def methods(self) -> dict[str, tuple[nn.Module, dict[str, Tensor]]]:
        """Each method's module and an example of its inputs, by name and in order."""
        state, item = empty_state(self.config), torch.tensor([1])
        bias = torch.zeros(1, self.rows)
        chunk = {"items": item.repeat(1, self.append_many.chunk), "count": item}
        return {
            "append": (self.append, {"state": state, "item": item}),
            "append_many": (self.append_many, {"state": state, **chunk}),
            "recommend": (self.recommend, {"state": state, "bias": bias}),
            "similar": (self.similar, {"item": item, "bias": bias}),
        }


def stream_program(
    model: GlintRU, top_k: int | None = None, chunk: int = CHUNK, spare_items: int | None = None
) -> StreamProgram:
    """The float stream of a model, its weights copied and folded.

    Args:
        model: in evaluation mode.
        top_k: items that `recommend` returns; None: 50, or as many as are on offer.
        chunk: most items of one `append_many`.
        spare_items: rows kept free for items to come, ≥ 0; None: none, and a catalogue that is
            fixed, unless items of it are retired.

    Raises:
        ConfigError: the model is in training mode, or `top_k` exceeds the items on offer.
    """
    if model.training:
        raise ConfigError("the model is in training mode; call model.eval() first")
    if spare_items is None and model.retired:
        spare_items = 0
    top_k = top_k_of(top_k, model.config.items - len(model.retired))
    append = Append(model, spare_items).eval()
    recommend = Recommend(model, top_k, spare_items).eval()
    return StreamProgram(
        config=model.config,
        top_k=top_k,
        precision="fp32",
        append=append,
        append_many=AppendMany(model, chunk, spare_items).eval(),
        recommend=recommend,
        similar=Similar(append.item, recommend).eval(),
        spare_items=spare_items,
    )


def empty_state(config: ModelConfig) -> Tensor:
    """The state of no history: zeros, float32 [1, S]."""
    return torch.zeros(1, state_size(config))
