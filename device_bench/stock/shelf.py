"""What one would do without this tool, as rows beside the bundle's artifacts.

The same weights, exported as they are: the batch form, which reads the whole history at every tap.
Rows are of the runner "stock". They are held against the float model like all others, but they are
no artifact under test: what is wrong with one is a warning, and one that cannot be made says why.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, fields, replace
from datetime import date
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any

from device_bench.judge.rows import STOCK_RUNNER
from device_bench.measure.job import Histories, Inputs, Job, Outcome
from device_bench.measure.runtimes import STOCK
from device_bench.runners.python import PythonRunner
from glint_edge.checkpoints.checkpoint import digest_of_folder
from glint_edge.errors import ConversionError, MissingExtraError
from glint_edge.extras import missing
from glint_edge.files import cache_folder, write_atomic
from glint_edge.processes.child import ask

SECONDS = 90.0  # a program may take to be made
AT_ONCE = 2  # programs being made; nothing is timed meanwhile
USERS = 1000  # held against the float model: eager torch takes 10 ms a history
STEP_OPERATORS = 20  # of one GRU step, where an exporter unrolls it
PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime", "litert-torch", "ai-edge-litert")
X86 = ("x86_64", "amd64", "i386", "i686")


@dataclass(frozen=True)
class Stock:
    """One way to go without this tool.

    Attributes:
        target: "torch", "torch-compile", "onnx" or "tflite".
        precision: "fp32" or "int8-dynamic".
        file: what is made; empty: the checkpoint itself is run.
        packages: import names that making and running it take.
        extra: the pip requirement that brings them.
        how: it is made.
    """

    target: str
    precision: str
    file: str
    packages: tuple[str, ...]
    extra: str
    how: str


ONNX, ONNX_INT8, TFLITE, COMPILED = "model.onnx", "model.int8.onnx", "model.tflite", "compiled"
_FOR_ONNX = ("onnx", "onnxscript", "onnxruntime"), "glint-edge[onnx]"
_FOR_TFLITE = ("litert_torch", "ai_edge_litert"), "glint-edge[litert]"
STOCKS = (
    Stock("torch", "fp32", "", (), "", "eager torch"),
    Stock("torch-compile", "fp32", COMPILED, (), "", "torch.compile"),
    Stock("onnx", "fp32", ONNX, *_FOR_ONNX, "torch.onnx.export"),
    Stock("onnx", "int8-dynamic", ONNX_INT8, *_FOR_ONNX, "torch.onnx.export, quantize_dynamic"),
    Stock("tflite", "fp32", TFLITE, *_FOR_TFLITE, "litert_torch.convert"),
)


def int8_weights() -> str:
    """The type of `quantize_dynamic`'s weights, as ONNX Runtime's own guide has it.

    On x86 without VNNI products of uint8 by int8 saturate, so weights are unsigned there.
    Source: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
    """
    return "QUInt8" if platform.machine().lower() in X86 else "QInt8"


def note_of(stock: Stock, length: int) -> str:
    """How it was made, and what a tap is."""
    weights = f" ({int8_weights()} weights)" if stock.file == ONNX_INT8 else ""
    return f"{stock.how}{weights}; a tap reads the whole history, [1, {length}] padded"


@dataclass(frozen=True)
class StockRunner:
    """Runs one stock program, in a process of its own; a `Runner`."""

    stock: Stock
    shelf: Shelf
    name: str = STOCK_RUNNER
    device: str = ""
    timed: bool = True
    most_histories: int | None = USERS

    def prepare(self, target: str, on_step: Callable[[str], None]) -> None:
        """Have it made, if it does not lie there from an earlier bench."""
        self.shelf.have(self.stock, on_step)

    def run(self, job: Job, inputs: Inputs) -> Outcome:
        """Run the program. Golden vectors are of the stream's state, which it has not."""
        starts = [items for items in job.cold_starts if items <= job.config["max_length"]]
        stock_job = replace(job, target=STOCK + job.target, cold_starts=starts, cycle=0)
        golden = Histories.of([])
        outcome = PythonRunner().run(stock_job, Inputs(inputs.sample, golden, inputs.histories))
        return _without_append(outcome)


def _without_append(outcome: Outcome) -> Outcome:
    """What stands for it in a stock program only notes the item down."""
    values: dict[str, Any] = {field.name: getattr(outcome, field.name) for field in fields(outcome)}
    for name, value in values.items():
        if isinstance(value, Mapping):  # by method
            values[name] = {method: of for method, of in value.items() if method != "append"}
    return Outcome(**values)


class Shelf(AbstractContextManager["Shelf"]):
    """Stock programs of one checkpoint, in the user's cache folder, each made when first wanted.

    Attributes:
        folder: where they lie: another for other weights, other packages and another machine.
    """

    def __init__(self, checkpoint: Path, length: int, top_k: int, threads: int) -> None:
        """For a checkpoint's folder: N, k, and the threads that programs run with."""
        self.checkpoint, self.length = checkpoint, length
        self._order = {"checkpoint": str(checkpoint.resolve()), "top_k": top_k, "threads": threads}
        key = {
            "model": digest_of_folder(checkpoint),
            "top_k": top_k,
            "threads": threads,
            "machine": platform.machine(),
            **{name: _version(name) for name in PACKAGES},
        }
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        self.folder = cache_folder() / "stock" / digest[:16]
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._making: dict[str, Future[None]] = {}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave no process behind."""
        self._pool.shutdown(cancel_futures=True)

    def path(self, stock: Stock) -> Path:
        """What is run: the file, or torch's checkpoint."""
        return self.checkpoint if stock.target.startswith("torch") else self.folder / stock.file

    def have(self, stock: Stock, on_step: Callable[[str], None]) -> None:
        """Wait until it is made; with the first, all others begin to be made too.

        Raises:
            MissingExtraError: the toolchain is not installed.
            ConversionError: the toolchain failed, or took too long; now, or when it was asked last.
        """
        _require_tools(stock)
        if not stock.file or (self.folder / stock.file).exists():
            return
        if (reason := self._reason(stock)).exists():
            raise ConversionError(reason.read_text(encoding="utf-8"))
        on_step(f"making the stock program: {stock.how}")
        for other in STOCKS:
            if other.target not in self._making and self._is_wanted(other):
                self._making[other.target] = self._pool.submit(self._make, other)
        try:
            self._making[stock.target].result()
        except ConversionError as error:
            said = (
                f"{error} (tried on {date.today()}; delete the cache's folder `stock` to try again)"
            )
            with suppress(OSError):
                write_atomic(reason, said.encode())
            raise

    def _reason(self, stock: Stock) -> Path:
        """Where it is remembered why a program could not be made."""
        return self.folder / f"{stock.file}.failed"

    def _is_wanted(self, stock: Stock) -> bool:
        return bool(stock.file) and _has_tools(stock) and not self._reason(stock).exists()

    def _make(self, stock: Stock) -> None:
        if (self.folder / stock.file).exists():
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConversionError(
                f"{self.folder} cannot be written ({error.strerror}); GLINT_EDGE_CACHE moves it"
            ) from error
        unrolled = f"{STEP_OPERATORS * self.length:,} operators"
        why = f" (N {self.length} unrolls to some {unrolled})" if stock.target == "tflite" else ""
        ask(
            "device_bench.stock.build",
            {"target": stock.target, "folder": str(self.folder), **self._order},
            what=stock.how + why, seconds=SECONDS,
        )  # fmt: skip


def _require_tools(stock: Stock) -> None:
    if missing(stock.packages):
        raise MissingExtraError(stock.extra, stock.how)
    if stock.target == "torch-compile" and (compiler := _compiler()) is not None:
        raise ConversionError(
            f"torch.compile needs a C++ compiler, and {compiler} is not there; install it, or name "
            "another by CXX"
        )


def _has_tools(stock: Stock) -> bool:
    try:
        _require_tools(stock)
    except (MissingExtraError, ConversionError):
        return False
    return True


def _compiler() -> str | None:
    """The C++ compiler that torch would take, if it is not there."""
    name = os.environ.get("CXX") or {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    return name if shutil.which(name) is None else None


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
