"""The engine's file: what stands where, for those who write, read and change it; little endian.

docs/engine.md has it in words, glint_edge/engine/src/open.c the same numbers in C.
"""

from __future__ import annotations

import struct

MAGIC, VERSION = b"GLNT", 1
# Magic, version, d, heads, kernel, length, rows; int8, input norm, low pass, MLP, pads; sections,
# epsilon, top-k.
HEAD = struct.Struct("<4s12I f2I")
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
