"""Stream program → one `.glnt` of the engine; docs/engine.md has the format.

No toolchain: a head, a table of sections, and the program's own numbers in the order in which the
engine's kernels want them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from glint_edge.bundles.engine_file import (
    ALIGNMENT,
    BLOCK,
    GROUP,
    HEAD,
    LAYERS,
    METADATA,
    SECTION,
    VECTORS,
    Head,
    head_of,
)
from glint_edge.bundles.target import ConvertOptions
from glint_edge.model.stream import StreamProgram
from glint_edge.model.stream_layers import FoldedNorm
from quantization import Int8Linear

Numbers = npt.NDArray[np.generic]


def convert(program: StreamProgram, path: Path, options: ConvertOptions) -> None:
    """Write a stream program to `path`."""
    sections = {LAYERS[name]: _layer(linear) for name, linear in _linears(program)}
    sections |= {VECTORS[name]: _floats(vector) for name, vector in _vectors(program)}
    sections[METADATA] = [np.frombuffer(json.dumps(dict(options.metadata)).encode(), np.uint8)]
    with path.open("wb") as file:
        file.write(HEAD.pack(*_head(program, len(sections))))
        at = HEAD.size + SECTION.size * len(sections)
        for number, arrays in sections.items():
            at = _aligned(at)
            size = sum(array.nbytes for array in arrays)
            file.write(SECTION.pack(number, 0, at, size))
            at += size
        for arrays in sections.values():
            file.write(bytes(_aligned(file.tell()) - file.tell()))
            for array in arrays:
                file.write(array.data if array.size else b"")


def _aligned(at: int) -> int:
    return -(-at // ALIGNMENT) * ALIGNMENT


def _head(program: StreamProgram, sections: int) -> Head:
    return head_of(
        program.config, rows=program.rows, precision=program.precision, sections=sections,
        top_k=program.top_k,
    )  # fmt: skip


def _linears(program: StreamProgram) -> Iterator[tuple[str, nn.Module]]:
    append, recommend = program.append, program.recommend
    yield "item_in", append.item.item_in
    for name in ("conv_in", "step_in", "step_state", "gate_up", "gru_out"):
        yield name, getattr(append.gru, name)
    for name in ("item_out", "attention_out", "conv_out", "mix_out"):
        yield name, getattr(recommend, name)
    if recommend.mlp_in is not None:
        yield "mlp_in", recommend.mlp_in
        yield "mlp_out", recommend.mlp_out
    yield "table", recommend.scores


def _vectors(program: StreamProgram) -> Iterator[tuple[str, Tensor]]:
    item, recommend = program.append.item, program.recommend
    if item.norm is not None:
        yield from _norm("input", item.norm)
    if item.low_pass is not None:
        for name in ("decay", "log_decay", "fresh", "own", "trend"):
            yield name, getattr(item.low_pass, name)
        yield from _norm("low_pass", item.low_pass.norm)
    yield from _norm("attention", recommend.attention_norm)
    yield from _norm("norm", recommend.norm)
    if recommend.pads is not None:
        yield "pad_input", recommend.pads.conv_input
        yield "pad_memory", recommend.pads.memory
    yield "inverse", program.similar.inverse


def _norm(name: str, norm: FoldedNorm) -> Iterator[tuple[str, Tensor]]:
    yield f"{name}_weight", norm.weight
    yield f"{name}_bias", norm.bias


def _floats(vector: Tensor) -> list[Numbers]:
    return [vector.detach().float().flatten().numpy().astype("<f4")]


def _layer(layer: nn.Module) -> list[Numbers]:
    """A matrix in blocks of 16 rows, int8 in groups of 4 columns; then what each row has."""
    if isinstance(layer, Int8Linear):
        q = layer.q.numpy()
        rows, columns = q.shape
        blocks, groups = -(-rows // BLOCK), -(-columns // GROUP)
        whole = np.pad(q, ((0, blocks * BLOCK - rows), (0, groups * GROUP - columns)))
        sums = whole.sum(axis=1, dtype="<i4")
        ordered = whole.reshape(blocks, BLOCK, groups, GROUP).transpose(0, 2, 1, 3)
        numbers: list[Numbers] = [ordered.copy(), _rows(layer.scale, blocks, 1.0), sums]
    else:
        assert isinstance(layer, nn.Linear)
        weight = layer.weight.detach().numpy()
        rows, columns = weight.shape
        blocks = -(-rows // BLOCK)
        whole = np.pad(weight, ((0, blocks * BLOCK - rows), (0, 0))).astype("<f4")
        numbers = [whole.reshape(blocks, BLOCK, columns).transpose(0, 2, 1).copy()]
    bias = torch.zeros(rows) if layer.bias is None else layer.bias.detach()
    return [*numbers, _rows(bias, blocks, 0.0)]


def _rows(values: Tensor, blocks: int, beyond: float) -> Numbers:
    """A number for each row, and for those that fill the last block."""
    every = np.full(blocks * BLOCK, beyond, dtype="<f4")
    every[: len(values)] = values.numpy()
    return every
