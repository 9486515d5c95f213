"""Stream program → one `model.onnx` for all methods, and `model.ort` beside it.

    (method int64[1], state float32[1, S], items int64[1, C], count int64[1], bias float32[1, R])
        -> (new_state float32[1, S], top_items int64[1, k], top_scores float32[1, k])

`method` is 0 for append (of the first item), 1 for append_many (of the first `count`; C is any), 2
for recommend, 3 for similar (to the first item). R is the rows of the table, or 1: the same number
for every row. What a method does not take is ignored, and what it does not give is the state as it
was, or zeros. One graph with a branch for each method holds every weight once, in a single file
that an app can load from its assets.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from converters.to_onnx.best_items import best_items
from converters.to_onnx.graph import Graph
from converters.to_onnx.methods import append, append_many
from converters.to_onnx.ort import write_ort
from glint_edge.bundles.target import ConvertOptions
from glint_edge.bundles.wire import ONNX_METHODS
from glint_edge.errors import ConfigError
from glint_edge.model.state import state_size
from glint_edge.model.stream import StreamProgram

OPSET = 18  # the oldest that has all operators in the form used, so that older runtimes read it
NEWEST_OPSET = 27  # ONNX Runtime 1.32 does not run all of 28


def convert(program: StreamProgram, path: Path, options: ConvertOptions) -> None:
    """Lower a stream program and write it to `path`, its `.ort` form beside it (0.1 s).

    Raises:
        ConfigError: the operator set is not one of those that work.
    """
    model = lowered(program, options)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
    # Folded, a file of halves would hold floats, and the table as both: more than one of floats.
    halves = any(i.data_type == TensorProto.FLOAT16 for i in model.graph.initializer)
    write_ort(path, fold=not halves)


def lowered(program: StreamProgram, options: ConvertOptions) -> onnx.ModelProto:
    """The model, not yet checked."""
    opset = OPSET if options.opset is None else options.opset
    if not OPSET <= opset <= NEWEST_OPSET:
        raise ConfigError(
            f"ONNX operator set {opset} does not work here; "
            f"choose one from {OPSET} to {NEWEST_OPSET}"
        )
    version = helper.make_opsetid("", opset)
    model = helper.make_model(
        _graph(program),
        opset_imports=[version],
        ir_version=helper.find_min_ir_version_for([version]),
        producer_name="glint-edge",
        producer_version=metadata.version("glint-edge"),
    )
    helper.set_model_props(model, dict(options.metadata))
    return model


def _graph(program: StreamProgram) -> onnx.GraphProto:
    """Three choices: append or not, append_many or a list, and after what.

    The one made most often comes first: a choice costs some microseconds in ONNX Runtime. Any other
    number than those of the first two methods and of similar is recommend.
    """
    inputs, outputs = _signature(program)
    config, k = program.config, program.top_k
    g = Graph("stream")
    rest = g.branch("other")
    one, many, best = g.branch("append"), rest.branch("append_many"), rest.branch("list")

    item = one.op("Gather", "items", 0, axis=1)
    of_one = [append(one, config, program.append, "state", item), *_no_items(one, k)]
    state = append_many(many, config, program.append_many, "state", "items", "count")
    of_many = [state, *_no_items(many, k)]
    items, scores = best_items(best, program, "state", "items", "bias", _is(best, "similar"))
    of_best = [best.op("Identity", "state"), items, scores]

    of_rest = rest.choose(_is(rest, "append_many"), (many, of_many), (best, of_best), outputs)
    g.choose(_is(g, "append"), (one, of_one), (rest, of_rest), outputs)
    g.finish()
    return helper.make_graph(g.nodes, g.name, inputs, outputs, list(g.initializers.values()))


def _is(g: Graph, method: str) -> str:
    """Whether this method is to be computed."""
    return g.op("Equal", "method", ONNX_METHODS[method])


def _signature(
    program: StreamProgram,
) -> tuple[list[onnx.ValueInfoProto], list[onnx.ValueInfoProto]]:
    """Names, types and shapes of what the model takes and gives."""
    state, k = [1, state_size(program.config)], program.top_k
    value = helper.make_tensor_value_info
    inputs = [
        value("method", TensorProto.INT64, [1]),
        value("state", TensorProto.FLOAT, state),
        value("items", TensorProto.INT64, [1, "C"]),
        value("count", TensorProto.INT64, [1]),
        value("bias", TensorProto.FLOAT, [1, "R"]),
    ]
    outputs = [
        value("new_state", TensorProto.FLOAT, state),
        value("top_items", TensorProto.INT64, [1, k]),
        value("top_scores", TensorProto.FLOAT, [1, k]),
    ]
    return inputs, outputs


def _no_items(g: Graph, k: int) -> list[str]:
    """Zeros for items and scores."""
    return [g.op("Identity", np.zeros((1, k), dtype)) for dtype in (np.int64, np.float32)]
