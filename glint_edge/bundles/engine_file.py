"""The engine's file: what stands where, for those who write, read and change it; little endian.

docs/engine.md has it in words, glint_edge/engine/src/open.c the same numbers in C.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from glint_edge.config import ModelConfig

MAGIC, VERSION = b"GLNT", 1
HEAD = struct.Struct("<4s12If2I")
SECTION = struct.Struct("<2I2Q")  # number, 0, where it starts, its bytes
ALIGNMENT = 64
BLOCK, GROUP = 16, 4  # rows, and of int8 columns, that stand together

_LAYERS = (
    "item_in", "conv_in", "step_in", "step_state", "gate_up", "gru_out", "item_out",
    "attention_out", "conv_out", "mix_out", "mlp_in", "mlp_out", "table",
)  # fmt: skip
_VECTORS = (
    "input_weight", "input_bias", "decay", "log_decay", "fresh", "own", "trend", "low_pass_weight",
    "low_pass_bias", "attention_weight", "attention_bias", "norm_weight", "norm_bias", "pad_input",
    "pad_memory", "inverse",
)  # fmt: skip
LAYERS = {name: number for number, name in enumerate(_LAYERS)}
VECTORS = {name: 32 + number for number, name in enumerate(_VECTORS)}
METADATA = 64


class Head(NamedTuple):
    """What stands first, as it is packed; the flags are 0 or 1."""

    magic: bytes
    version: int
    d: int
    heads: int
    kernel: int
    length: int
    rows: int
    int8: int
    input_norm: int
    low_pass: int
    mlp: int
    pads: int
    sections: int
    norm_eps: float
    top_k: int
    zero: int = 0

    def is_of(self, config: ModelConfig) -> bool:
        """Whether a file that begins so may be of a model of this shape."""
        shape = head_of(config, rows=self.rows, precision="", sections=0, top_k=0)
        ours = self._replace(int8=0, sections=0, top_k=0)
        return HEAD.pack(*ours) == HEAD.pack(*shape) and self.rows >= config.items + 2


def head_of(config: ModelConfig, *, rows: int, precision: str, sections: int, top_k: int) -> Head:
    """The head of a model's file.

    Args:
        config: the model's.
        rows: of its table.
        precision: "int8" or "fp32".
        sections: of the file.
        top_k: items of a list where nobody says how many.
    """
    return Head(
        MAGIC, VERSION, config.d, config.heads, config.kernel, config.max_length, rows,
        precision == "int8", config.has_input_norm, config.has_low_pass, config.gated_mlp,
        config.padding == "reference", sections, config.norm_eps, top_k,
    )  # fmt: skip
