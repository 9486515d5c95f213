"""Stream program → ExecuTorch `.pte`, lowered to XNNPACK.

`append` and `append_many` become clamp + embedding + ONE delegate, `recommend` ONE delegate + top-k
and the few operators that turn its indices into ids.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TypeVar

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import (
    EdgeCompileConfig,
    ExecutorchBackendConfig,
    to_edge_transform_and_lower,
)
from executorch.exir.passes.quant_fusion_pass import QuantFusionPass
from torch import Tensor, nn
from torchao.quantization import IntxUnpackedToInt8Tensor
from torchao.quantization.quantize_.workflows.intx.intx_unpacked_to_int8_tensor import (
    IntxUnpackedToInt8TensorActivationQuantization as ActivationQuantization,
)

from glint_edge.bundles.target import ConvertOptions
from glint_edge.model.stream import StreamProgram
from quantization.int8 import Int8Embedding, Int8Linear

M = TypeVar("M", bound=nn.Module)


def convert(program: StreamProgram, path: Path, _: ConvertOptions) -> None:
    """Lower a stream program and write it to `path` (20 to 90 s)."""
    methods = {
        name: torch.export.export(_lowerable(module), tuple(inputs.values()), strict=True)
        for name, (module, inputs) in program.methods().items()
    }
    edge = to_edge_transform_and_lower(
        methods,
        partitioner=[XnnpackPartitioner()],
        # The byte embedding is no core ATen operator, which the validity check insists on.
        compile_config=EdgeCompileConfig(_check_ir_validity=False),
    )
    lowered = edge.to_executorch(ExecutorchBackendConfig(passes=[QuantFusionPass()]))
    lowered.save(str(path))


def _lowerable(module: M) -> M:
    """A copy whose int8 modules are spelled as XNNPACK's partitioner knows them."""
    module = copy.deepcopy(module)
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Int8Linear):
                setattr(parent, name, _torchao_linear(child))
            elif isinstance(child, Int8Embedding):
                setattr(parent, name, _ByteEmbedding(child))
    return module


def _torchao_linear(int8: Int8Linear) -> nn.Linear:
    """The same integers as a linear on torchao's int8 tensor, int8 activations per row."""
    rows, columns = int8.q.shape
    linear = nn.Linear(columns, rows, bias=int8.bias is not None)
    weight = IntxUnpackedToInt8Tensor(
        qdata=int8.q,
        scale=int8.scale[:, None],
        zero_point=torch.zeros(rows, 1, dtype=torch.int8),
        target_dtype=torch.int8,
        block_size=(1, columns),
        dtype=torch.float32,
        activation_quantization=ActivationQuantization.INT8_ASYM_PER_TOKEN,
    )
    linear.weight = nn.Parameter(weight, requires_grad=False)
    if int8.bias is not None:
        linear.bias = nn.Parameter(int8.bias, requires_grad=False)
    return linear


class _ByteEmbedding(nn.Module):
    """Row lookup by `quantized_decomposed.embedding_byte`, a portable kernel."""

    q: Tensor
    scale: Tensor
    zero: Tensor

    def __init__(self, int8: Int8Embedding) -> None:
        super().__init__()
        self.register_buffer("q", int8.q)
        self.register_buffer("scale", int8.scale)
        self.register_buffer("zero", torch.zeros_like(int8.scale))

    def forward(self, ids: Tensor) -> Tensor:
        rows: Tensor = torch.ops.quantized_decomposed.embedding_byte.dtype(
            self.q, self.scale, self.zero, -128, 127, ids, dtype=torch.float32
        )
        return rows
