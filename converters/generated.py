"""Artifacts of generated weights, for measuring how times and sizes grow.

Each is made in a process of its own (`python -m converters.generated`): at a million items a
conversion takes gigabytes, and toolchains give none of it back.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glint_edge.processes.child import answer, ask

SEED = 0


def make(
    target: str, precision: str, path: Path, *, model: Mapping[str, Any], top_k: int, seconds: float
) -> float:
    """Convert a model of random weights; returns the seconds of the conversion alone.

    Args:
        target: an installed target's name.
        precision: a name of `glint_edge.bundles.precisions`.
        path: the file to write, in a folder of its own.
        model: its configuration, as a dict.
        top_k: items that `recommend` returns.
        seconds: it may take, with all that comes before.

    Raises:
        ConversionError: the toolchain failed, or took too long; one sentence.
    """
    request = {
        "target": target, "precision": precision, "path": str(path.resolve()),
        "model": dict(model), "top_k": top_k,
    }  # fmt: skip
    what = f"the conversion to {target}"
    took: float = ask("converters.generated", request, what=what, seconds=seconds)["seconds"]
    return took


def _convert(request: Mapping[str, Any]) -> dict[str, float]:
    import torch

    from converters import convert
    from converters.targets import find_target
    from glint_edge.config import ModelConfig
    from glint_edge.model.glint_ru import GlintRU
    from glint_edge.model.stream import stream_program
    from quantization import quantize

    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    target, path = find_target(request["target"]), Path(request["path"])
    # One expression: no name keeps the model, nor the float program.
    program = quantize(
        stream_program(GlintRU(ModelConfig.from_dict(request["model"])).eval(), request["top_k"]),
        request["precision"],
    )
    start = time.perf_counter()
    convert(program, target, path)
    took = time.perf_counter() - start
    for other in path.parent.iterdir():
        if other != path:
            other.unlink()  # what a target writes beside its file is not measured
    return {"seconds": took}


if __name__ == "__main__":
    sys.exit(answer(_convert))
