"""Float stream program → int8 stream program, once; every converter lowers the same integers."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TypeVar

from torch import nn

from glint_edge.errors import ConfigError
from glint_edge.stream import StreamProgram
from quantization.int8 import Int8Embedding, Int8Linear

M = TypeVar("M", bound=nn.Module)


def quantize(program: StreamProgram) -> StreamProgram:
    """Replace every linear and the table by its int8 form; the given program is left as it is.

    State, norms (the constant matrices of means and head norms among them) and nonlinearities
    stay float32.

    Raises:
        ConfigError: the program is quantized already.
    """
    if program.precision != "fp32":
        raise ConfigError(f"only an fp32 program can be quantized, this one is {program.precision}")
    return replace(
        program,
        precision="int8",
        append=_replaced(program.append),
        recommend=_replaced(program.recommend),
    )


def _replaced(module: M) -> M:
    """A copy with its linears and embeddings in int8."""
    module = copy.deepcopy(module)
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, Int8Linear(child))
            elif isinstance(child, nn.Embedding):
                setattr(parent, name, Int8Embedding(child))
    return module
