"""Float stream program → one of another precision, once; every converter lowers its numbers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from torch import nn

from glint_edge.errors import ConfigError
from glint_edge.model.stream import StreamProgram
from glint_edge.model.stream_methods import Similar
from glint_edge.suggestions import one_of
from quantization.fp16 import Fp16Embedding, Fp16Linear
from quantization.int8 import Int8Embedding, Int8Linear

M = TypeVar("M", bound=nn.Module)

# What a linear or an embedding, by its name in its parent, becomes; None leaves it as it is.
Form = Callable[[str, nn.Module], nn.Module | None]

# The modules that took a float module's place.
REPLACED = (Int8Linear, Int8Embedding, Fp16Linear, Fp16Embedding)
ITEM_TABLE = ("table", "scores")  # the item rows, as looked up and as scored with


def _keep(_: str, __: nn.Module) -> None:
    return None


def _fp16(_: str, module: nn.Module) -> nn.Module | None:
    if isinstance(module, nn.Linear):
        return Fp16Linear(module)
    return Fp16Embedding(module) if isinstance(module, nn.Embedding) else None


def _int8(_: str, module: nn.Module) -> nn.Module | None:
    if isinstance(module, nn.Linear):
        return Int8Linear(module)
    return Int8Embedding(module) if isinstance(module, nn.Embedding) else None


def _int8_table(name: str, module: nn.Module) -> nn.Module | None:
    return _int8(name, module) if name in ITEM_TABLE else None


# What linears and embeddings become at each precision of `glint_edge.bundles.precisions`.
FORMS: Mapping[str, Form] = {
    "fp32": _keep,
    "fp16": _fp16,
    "int8-table": _int8_table,
    "int8": _int8,
}


def quantize(program: StreamProgram, precision: str = "int8") -> StreamProgram:
    """Replace linears and the table by their form at a precision; the given program stays.

    The constant matrices of means and head norms are no linears, and stay float32.

    Args:
        program: of precision fp32.
        precision: a name of `glint_edge.bundles.precisions`; "fp32" gives a copy.

    Raises:
        ConfigError: the precision is unknown, the program is quantized already, or a weight is
            beyond what the precision can hold.
    """
    if precision not in FORMS:
        raise ConfigError(f"precision {precision!r} is unknown; {one_of(precision, FORMS)}")
    if program.precision != "fp32":
        raise ConfigError(f"only an fp32 program can be quantized, this one is {program.precision}")
    form = FORMS[precision]
    append = _replaced(program.append, form)
    recommend = _replaced(program.recommend, form)
    return replace(
        program,
        precision=precision,
        append=append,
        append_many=_replaced(program.append_many, form),
        recommend=recommend,
        similar=Similar(append.item, recommend).eval(),
    )


def _replaced(module: M, form: Form) -> M:
    """A copy with each child of a form in its place."""
    module = copy.deepcopy(module)
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if (replacement := form(name, child)) is not None:
                setattr(parent, name, replacement)
    return module
