"""One tap, two ways: the int8 stream against the stock ONNX export of the batch form.

    python benchmarks/stock_export.py --json

Stock is what a user gets today: `torch.onnx.export` of the model that reads the whole history,
fp32, in ONNX Runtime with all its graph optimisations. The stream is one `append` and one
`recommend` of the same weights after the same history. Both from Python, one thread each,
interleaved in one run. Weights are random and seeded: times do not depend on them, and agreement is
checked first. The stream runs in ExecuTorch unless `--target` says otherwise.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kept_stdout import kept_stdout
from torch import Tensor, nn

from converters import convert
from converters.targets import find_target
from device_bench.measure.runtimes import load_runtime
from glint_edge.config import ModelConfig
from glint_edge.model.glint_ru import GlintRU
from glint_edge.model.stream import stream_program
from quantization import quantize

TOP_K = 10
KEPT = ("target", "history", "width", "items", "threads")  # of the arguments, in the result
BLOCK = 20  # calls of one side before the other's turn


class _Batch(nn.Module):
    """The stock program: a whole history in, the top-k out."""

    def __init__(self, model: GlintRU, length: int) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("length", torch.tensor([length]))

    def forward(self, items: Tensor) -> tuple[Tensor, Tensor]:
        scores, ids = torch.topk(self.model.score(items, self.length), TOP_K)
        return ids, scores


def stock(model: GlintRU, history: Tensor, folder: Path, threads: int) -> Callable[[], Any]:
    """Export the batch form and return a call of it on `history`, int64 [1, N]."""
    path = folder / "stock.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = _Batch(model, history.shape[1]).eval()
        torch.onnx.export(program, (history,), path, dynamo=True, verbose=False)
    # Here, after glint_edge has kept it from reporting to its maker.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: history.numpy()}
    return lambda: session.run(None, feed)


def stream(
    model: GlintRU, history: Tensor, folder: Path, target: str, threads: int
) -> Callable[[], Any]:
    """Convert the int8 stream and return a call: the last item of `history`, then the top-k."""
    converter = find_target(target)
    path = folder / f"stream{converter.suffix}"
    # A tap does not use `append_many`, and its steps are most of what a conversion takes.
    program = quantize(stream_program(model, TOP_K, chunk=1))
    convert(program, converter, path)
    runtime = load_runtime(target, path, model.config, threads=threads)
    state = runtime.empty_state()
    for item in history[0, :-1].tolist():
        state = runtime.append(state, item)
    last = int(history[0, -1])
    return lambda: runtime.recommend(runtime.append(state, last))


def times_us(calls: Sequence[Callable[[], Any]], seconds: float) -> list[list[float]]:
    """Alternate blocks of calls for about `seconds`, after a warm-up: microseconds by call."""
    times: list[list[float]] = [[] for _ in calls]
    for call in calls:
        for _ in range(BLOCK):
            call()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for call, side in zip(calls, times, strict=True):
            for _ in range(BLOCK):
                start = time.perf_counter_ns()
                call()
                side.append((time.perf_counter_ns() - start) / 1000)
    return times


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Build both, check that they agree, time them."""
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    config = ModelConfig(items=arguments.items - 1, d=arguments.width, max_length=arguments.history)
    model = GlintRU(config).eval()
    history = torch.randint(1, arguments.items, (1, arguments.history))
    with torch.inference_mode():
        expected = model.score(history, torch.tensor([arguments.history])).topk(TOP_K).indices[0]
    with tempfile.TemporaryDirectory() as name:
        batch = stock(model, history, Path(name), arguments.threads)
        one = stream(model, history, Path(name), arguments.target, arguments.threads)
        agree = {
            "stock_overlap": _overlap(np.asarray(batch()[0]), expected),
            "stream_overlap": _overlap(np.asarray(one()[0]), expected),
        }
        if agree["stock_overlap"] < 1 or agree["stream_overlap"] < 0.8:
            sys.exit(f"the two do not compute the same: {agree}")
        stock_us, stream_us = map(statistics.median, times_us((batch, one), arguments.seconds))
    return {
        "stock_us": stock_us,
        "stream_us": stream_us,
        "ratio": stock_us / stream_us,
        **agree,
        **{name: getattr(arguments, name) for name in KEPT},
    }


def _overlap(ids: np.ndarray, expected: Tensor) -> float:
    return len(set(ids.ravel().tolist()) & set(expected.tolist())) / TOP_K


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument(
        "--target", default="executorch", help="the stream's: one of those installed"
    )
    parser.add_argument("--history", type=int, default=200, help="items N")
    parser.add_argument("--width", type=int, default=128, help="d")
    parser.add_argument("--items", type=int, default=3417, help="rows of the table, padding too")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20.0, help="of timing")
    arguments = parser.parse_args()
    with kept_stdout():
        result = measure(arguments)
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"N {result['history']}, d {result['width']}, {result['items']:,} items, one tap:")
    print(f"  stock ONNX export, fp32, ONNX Runtime  {result['stock_us']:10.1f} µs")
    print(f"  stream, int8, {result['target']:25}{result['stream_us']:10.1f} µs")
    print(f"  ratio                                  {result['ratio']:10.1f}")


if __name__ == "__main__":
    main()
