"""Stream program → one `.tflite` with the signatures `append`, `append_many` and `recommend`.

    append(state float32[1, S], item int32[1]) -> new_state
    append_many(state, items int32[1, C], count int32[1]) -> new_state
    recommend(state) -> top_items int32[1, k], top_scores float32[1, k]

litert_torch writes the graphs in float; `converters.to_tflite.file` then puts the weights' own
numbers in. An int8 layer becomes a product with whole numbers and a multiplication by the row
scales, so its weights need no scales of their own: runtimes as old as tflite-runtime 2.14 know one
scale a tensor, and compute nonsense, silently, where each row has one.
"""

from __future__ import annotations

import copy
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from converters.to_tflite.file import Stored, finish
from glint_edge.bundles.target import ConvertOptions
from glint_edge.files import scratch
from glint_edge.model.stream import StreamProgram
from glint_edge.processes.native_output import held_back
from quantization import Fp16Embedding, Fp16Linear, Int8Embedding, Int8Linear

# At import the toolchain's native libraries speak of themselves.
with held_back(streams=False):
    import litert_torch


def convert(program: StreamProgram, path: Path, options: ConvertOptions) -> None:
    """Lower a stream program and write it to `path` (some 15 s)."""
    stored = Stored()
    converter = litert_torch
    for name, (module, inputs) in program.methods().items():
        lowerable = _lowerable(module, stored)
        converter = converter.signature(name, lowerable, sample_kwargs=inputs)
    with scratch() as folder, held_back(streams=True):
        floats = folder / "floats.tflite"
        converter.convert().export(str(floats))
        whole = floats.read_bytes()
    path.write_bytes(finish(whole, stored, options.metadata))


def _lowerable(module: nn.Module, stored: Stored) -> nn.Module:
    """A copy whose quantized layers compute with float weights that `stored` can tell again."""
    module = copy.deepcopy(module)
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Int8Linear):
                weight = child.dequantize()
                stored.add(weight, child.q, child.scale)
                setattr(parent, name, _linear(weight, child.bias))
            elif isinstance(child, Int8Embedding):
                stored.add(child.q.float(), child.q)
                setattr(parent, name, _ScaledEmbedding(child))
            elif isinstance(child, Fp16Linear):
                weight = child.weight.float()
                stored.add(weight, child.weight)
                setattr(parent, name, _linear(weight, child.bias))
            elif isinstance(child, Fp16Embedding):
                weight = child.weight.float()
                stored.add(weight, child.weight)
                setattr(parent, name, _embedding(weight))
    return module


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    rows, columns = weight.shape
    linear = nn.Linear(columns, rows, bias=bias is not None)
    linear.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        linear.bias = nn.Parameter(bias.float(), requires_grad=False)
    return linear


def _embedding(weight: Tensor) -> nn.Embedding:
    embedding = nn.Embedding(*weight.shape)
    embedding.weight = nn.Parameter(weight, requires_grad=False)
    return embedding


class _ScaledEmbedding(nn.Module):
    """A row of whole numbers times its scale; unlike a linear's, the toolchain leaves it so."""

    q: Tensor
    scale: Tensor

    def __init__(self, int8: Int8Embedding) -> None:
        super().__init__()
        self.register_buffer("q", int8.q.float())
        self.register_buffer("scale", int8.scale[:, None].clone())

    def forward(self, ids: Tensor) -> Tensor:
        return F.embedding(ids, self.q) * F.embedding(ids, self.scale)
