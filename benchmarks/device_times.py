"""One tap of every model on this machine: each peer by the stock path, GLINT-RU as its stream.

Stock is what one exports without this tool: the whole history in, the top 10 out, by
`torch.onnx.export` (fp32, and int8 by ONNX Runtime's `quantize_dynamic`) and by
`litert_torch.convert`, where it converts. The stream is `append` and `recommend` of the bundle's
artifact. All are called from Python, one thread, in turn in one run; medians. Weights are random
and seeded: times do not depend on them. What a toolchain makes is made in a process of its own and
lies in a folder, with which a stopped run goes on.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from models.contenders import CONTENDERS, GLINT, Settings, make_model
from models.tables import STREAMS
from stock_export import TOP_K, times_us

from converters import convert
from converters.targets import find_target
from device_bench.measure.runtimes import load_runtime
from device_bench.measure.stock_program import BatchProgram, example
from device_bench.stock.build import export_onnx
from device_bench.stock.shelf import int8_weights
from glint_edge.model.stream import stream_program
from quantization import quantize

Runtime: TypeAlias = Any  # `glint_edge.runtime.engines.Runtime`, whose state is any

SECONDS = 600.0  # a program may take to be made
FAILED = ".failed"  # in place of a file: why it could not be made
# A stock program's word, its file, and the engine that runs it.
STOCK = {
    "fp32": ("stock.onnx", "stock:onnx"),
    "int8": ("stock.int8.onnx", "stock:onnx"),
    "litert": ("stock.tflite", "stock:tflite"),
}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What is exported.

    Attributes:
        model: of `CONTENDERS`.
        items: catalogue size V.
        d: width.
        length: N.
        settings: of the model.
    """

    model: str
    items: int
    d: int
    length: int
    settings: dict[str, Any]

    def fresh(self) -> Any:  # noqa: ANN401  # an Encoder
        """A model with random weights, always the same."""
        torch.manual_seed(0)
        return make_model(self.model, self.items, self.d, self.length, self.settings).eval()


def measure(
    best: dict[str, Settings], items: int, d: int, lengths: Sequence[int], folder: Path,
    *, seconds: float = 60.0, streams: Sequence[str] = tuple(STREAMS), litert: bool = True,
) -> list[dict[str, Any]]:  # fmt: skip
    """A row a program and N.

    Args:
        best: the settings of each model.
        items: catalogue size V.
        d: width.
        lengths: each N.
        folder: for files.
        seconds: of timing, each N.
        streams: targets of GLINT-RU's stream.
        litert: whether LiteRT's converter is tried for the stock programs, which takes minutes.
    """
    torch.set_num_threads(1)
    rows = []
    for length in lengths:
        shapes = [
            Shape(model=name, items=items, d=d, length=length, settings=dict(settings))
            for name, settings in best.items()
        ]
        programs = [
            (shape, what)
            for shape in shapes
            for what in [*(word for word in STOCK if litert or word != "litert"),
                         *(streams if shape.model == GLINT else ())]
        ]  # fmt: skip
        rows += _timed([_Program(shape, what, folder) for shape, what in programs], seconds)
    return rows


class _Program:
    """A file and the call that a tap is."""

    def __init__(self, shape: Shape, what: str, folder: Path) -> None:
        self.shape, self.what = shape, what
        key = json.dumps(shape.settings, sort_keys=True)
        name = f"{shape.model}-v{shape.items}-d{shape.d}-n{shape.length}"
        self.folder = folder / name
        if self.folder.exists() and (self.folder / "settings").read_text() != key:
            raise SystemExit(f"{self.folder} holds other settings' files; remove it")
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "settings").write_text(key)
        self.path = self.folder / file_of(what)

    def make(self) -> str:
        """Have the file; else why there is none."""
        failed = self.path.with_name(self.path.name + FAILED)
        if not self.path.exists() and not failed.exists():
            print(f"exporting {self.folder.name}: {self.what}", file=sys.stderr, flush=True)
            order = {"what": self.what, "folder": str(self.folder), "shape": asdict(self.shape)}
            try:
                done = subprocess.run(
                    [sys.executable, __file__], input=json.dumps(order), text=True, check=False,
                    capture_output=True, timeout=SECONDS,
                )  # fmt: skip
                said = _reason(done.stderr) or f"exit code {done.returncode}"
            except subprocess.TimeoutExpired:
                said = f"took longer than {SECONDS:.0f} s"
            if not self.path.exists():
                failed.write_text(said[:200])
        return failed.read_text() if failed.exists() else ""

    def load(self, history: Sequence[int]) -> Callable[[], Any]:
        """A call: the history's last item, then the top 10."""
        engine = STOCK[self.what][1] if self.what in STOCK else self.what
        config = self.shape.fresh().config
        runtime: Runtime = load_runtime(engine, self.path, config, top_k=TOP_K, threads=1)
        state, last = runtime.append_many(runtime.empty_state(), history[:-1]), history[-1]

        def tap() -> Any:  # noqa: ANN401  # ids and scores of any runtime
            return runtime.to_numpy(runtime.recommend(runtime.append(state, last))[0])

        return tap


def _reason(stderr: str) -> str:
    """The exception that ended a process, or its last words."""
    lines = stderr.strip().splitlines()
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Unsupported)\w*:", line)]
    return next(reversed(errors or lines), "")


def file_of(what: str) -> str:
    """The file's name of a stock program's word or a stream's target."""
    return STOCK[what][0] if what in STOCK else f"stream{find_target(what).suffix}"


def _timed(programs: list[_Program], seconds: float) -> list[dict[str, Any]]:
    rows, calls = [], []
    for program in programs:
        shape = program.shape
        why_not = program.make()
        row = {"model": shape.model, "program": program.what, "items": shape.items, "d": shape.d,
               "stream": program.what not in STOCK, "n": shape.length}  # fmt: skip
        if why_not:
            rows.append({**row, "why_not": why_not})
            continue
        history = np.random.default_rng(0).integers(1, shape.items + 1, shape.length).tolist()
        call = program.load(history)
        with torch.inference_mode():
            scores = shape.fresh().score(torch.tensor([history]), torch.tensor([shape.length]))
        best = set(scores.topk(TOP_K).indices[0].tolist())
        calls.append(call)
        rows.append({**row, "bytes": program.path.stat().st_size,
                     "overlap": len(best & set(call().ravel().tolist())) / TOP_K})  # fmt: skip
    times = iter(times_us(calls, seconds))
    return [row if "why_not" in row else {**row, "us": statistics.median(next(times))}
            for row in rows]  # fmt: skip


def export(what: str, folder: Path, shape: Shape) -> None:
    """Make one file."""
    torch.set_num_threads(1)
    path = folder / file_of(what)
    with tempfile.TemporaryDirectory() as temporary:
        new = Path(temporary) / path.name
        if what == "fp32":
            export_onnx(shape.fresh(), shape.length, TOP_K, new)
        elif what == "int8":
            _quantize(folder / STOCK["fp32"][0], new)
        elif what == "litert":
            _litert(shape, new)
        else:
            program = quantize(stream_program(shape.fresh(), TOP_K))
            convert(program, find_target(what), new)
        shutil.move(new, path)


def _quantize(floats: Path, path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(floats, path, weight_type=QuantType[int8_weights()])


def _litert(shape: Shape, path: Path) -> None:
    import litert_torch

    program = BatchProgram(shape.fresh(), TOP_K).eval()
    litert_torch.convert(program, example(shape.length)).export(str(path))


if __name__ == "__main__":
    # Toolchains print; what is read of this process is its last line and whether there is a file.
    os.dup2(2, 1)
    asked = json.loads(sys.stdin.read())
    assert asked["shape"]["model"] in CONTENDERS
    export(asked["what"], Path(asked["folder"]), Shape(**asked["shape"]))
