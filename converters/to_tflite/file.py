"""The `.tflite` file itself: what is done to it after the toolchain has written it.

Weights go in as the integers or halves that they are, each once in the file; inputs and outputs get
names that people can read; metadata is added. The tables are those of TensorFlow Lite's schema.fbs
and metadata_schema.fbs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from torch import Tensor

from glint_edge.bundles.wire import TFLITE_OUTPUTS

WEIGHTS, BIAS = 1, 2  # places among an operator's inputs
ABSENT = -1
IDENTIFIER, METADATA_IDENTIFIER = b"TFL3", b"M001"
# The first versions of these operators that take int8 weights and float32 inputs; 9 is the first
# that quantizes them asymmetrically.
HYBRID_VERSIONS = {
    schema.BuiltinOperator.FULLY_CONNECTED: 9,
    schema.BuiltinOperator.EMBEDDING_LOOKUP: 3,
}

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Weight:
    """A weight as it is to be stored.

    Attributes:
        numbers: int8 or float16.
        scale: float32 [rows], what a linear's int8 rows are multiplied by after the product.
    """

    numbers: Numbers
    scale: Numbers | None


class Stored:
    """Weights as they are to be stored, found again by their float32 values in the file."""

    def __init__(self) -> None:
        self._by_floats: dict[bytes, Weight] = {}

    def add(self, floats: Tensor, numbers: Tensor, scale: Tensor | None = None) -> None:
        """Where the toolchain wrote `floats`, `numbers` shall be: both of one shape."""
        weight = Weight(numbers.numpy(), None if scale is None else scale.numpy())
        self._by_floats[floats.numpy().tobytes()] = weight

    def find(self, floats: bytes) -> Weight | None:
        """What is to be stored for these floats; None if they stay."""
        return self._by_floats.get(floats)


def finish(file: bytes, stored: Stored, metadata: Mapping[str, str]) -> bytes:
    """Rewrite a file.

    Args:
        file: float, as the toolchain wrote it.
        stored: the weights that are stored otherwise.
        metadata: texts to add.
    """
    model = schema.ModelT.InitFromPackedBuf(file, 0)
    for graph in model.subgraphs:
        _store_weights(model, graph, stored)
    _share_buffers(model)
    _name(model)
    _describe(model, metadata)
    builder = flatbuffers.Builder(len(file))
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def _store_weights(model: Any, graph: Any, stored: Stored) -> None:  # noqa: ANN401  # generated types have no stubs
    """Turn a graph's weights into what they are, and their operators into ones that take them."""
    weights = _weights(model, graph, stored)
    operators, widened = [], set()
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        index = operator.inputs[WEIGHTS] if code in HYBRID_VERSIONS else ABSENT
        weight = weights.get(index)
        if weight is None:
            operators.append(operator)
        elif weight.numbers.dtype == np.int8:
            _store_int8(model, graph.tensors[index], weight.numbers)
            _make_hybrid(model, operator, code)
            operators += [operator, *_scaled(model, graph, operator, weight.scale)]
        else:
            if index not in widened:
                operators.append(_dequantize(model, graph, index, weight.numbers))
                widened.add(index)
            operators.append(operator)
    graph.operators = operators


def _weights(model: Any, graph: Any, stored: Stored) -> dict[int, Weight]:  # noqa: ANN401  # as above
    """The weights of a graph that are to be stored otherwise, by their tensor's index."""
    weights = {}
    for index, tensor in enumerate(graph.tensors):
        data = model.buffers[tensor.buffer].data
        if data is not None and tensor.type == schema.TensorType.FLOAT32:
            weight = stored.find(bytes(data))
            if weight is not None:
                weights[index] = weight
    return weights


def _scaled(model: Any, graph: Any, product: Any, scale: Numbers | None) -> list[Any]:  # noqa: ANN401  # as above
    """What follows a product with whole numbers: times the row scales, plus the bias."""
    if scale is None:
        return []  # a table's scale is looked up by an operator of its own
    result, bias = product.outputs[0], product.inputs[BIAS]
    chain = [(schema.BuiltinOperator.MUL, _constant(model, graph, scale))]
    if bias != ABSENT:
        chain.append((schema.BuiltinOperator.ADD, bias))
        product.inputs = _indices(*product.inputs[:BIAS], ABSENT)
    links = [*(_like(graph, result) for _ in chain), result]
    product.outputs = _indices(links[0])
    after = [
        _binary(model, code, links[n], other, links[n + 1]) for n, (code, other) in enumerate(chain)
    ]
    options = product.builtinOptions
    after[-1].builtinOptions.fusedActivationFunction = options.fusedActivationFunction
    options.fusedActivationFunction = schema.ActivationFunctionType.NONE
    return after


def _indices(*values: int) -> Numbers:
    """An array is written byte by byte, so its type must be the schema's."""
    return np.array(values, dtype=np.int32)


def _like(graph: Any, index: int) -> int:  # noqa: ANN401  # as above
    """A new computed tensor of the shape and type of another."""
    tensor, other = schema.TensorT(), graph.tensors[index]
    tensor.shape, tensor.type = other.shape, other.type
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _constant(model: Any, graph: Any, numbers: Numbers) -> int:  # noqa: ANN401  # as above
    tensor = schema.TensorT()
    tensor.shape, tensor.type = _indices(*numbers.shape), schema.TensorType.FLOAT32
    tensor.buffer = _new_buffer(model, numbers.tobytes())
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _binary(model: Any, code: int, left: int, right: int, result: int) -> Any:  # noqa: ANN401  # as above
    multiply = code == schema.BuiltinOperator.MUL
    operator = schema.OperatorT()
    operator.opcodeIndex = _opcode(model, code, 1)
    operator.inputs, operator.outputs = _indices(left, right), _indices(result)
    options = schema.BuiltinOptions
    operator.builtinOptionsType = options.MulOptions if multiply else options.AddOptions
    operator.builtinOptions = schema.MulOptionsT() if multiply else schema.AddOptionsT()
    return operator


def _store_int8(model: Any, tensor: Any, numbers: Numbers) -> None:  # noqa: ANN401  # as above
    quantization = schema.QuantizationParametersT()
    quantization.scale = np.ones(1, dtype=np.float32)
    quantization.zeroPoint = np.zeros(1, dtype=np.int64)
    tensor.type, tensor.quantization = schema.TensorType.INT8, quantization
    tensor.buffer = _new_buffer(model, numbers.tobytes())


def _make_hybrid(model: Any, operator: Any, code: int) -> None:  # noqa: ANN401  # as above
    if code == schema.BuiltinOperator.FULLY_CONNECTED:
        operator.builtinOptions.asymmetricQuantizeInputs = True
    operator.opcodeIndex = _opcode(model, code, HYBRID_VERSIONS[code])


def _dequantize(model: Any, graph: Any, index: int, numbers: Numbers) -> Any:  # noqa: ANN401  # as above
    """Halves for the constant at `index`, which is then computed: runtimes do it once, or never."""
    floats, tensor = graph.tensors[index], schema.TensorT()
    tensor.shape, tensor.type = floats.shape, schema.TensorType.FLOAT16
    tensor.buffer = _new_buffer(model, numbers.tobytes())
    floats.buffer = 0
    graph.tensors.append(tensor)
    operator = schema.OperatorT()
    operator.opcodeIndex = _opcode(model, schema.BuiltinOperator.DEQUANTIZE, 3)
    operator.inputs = _indices(len(graph.tensors) - 1)
    operator.outputs = _indices(index)
    operator.builtinOptionsType = schema.BuiltinOptions.DequantizeOptions
    operator.builtinOptions = schema.DequantizeOptionsT()
    return operator


def _opcode(model: Any, code: int, version: int) -> int:  # noqa: ANN401  # as above
    for index, known in enumerate(model.operatorCodes):
        if (known.builtinCode, known.version) == (code, version):
            return index
    added = schema.OperatorCodeT()
    added.builtinCode, added.version = code, version
    added.deprecatedBuiltinCode = min(code, 127)  # where older runtimes look
    model.operatorCodes.append(added)
    return len(model.operatorCodes) - 1


def _new_buffer(model: Any, data: bytes) -> int:  # noqa: ANN401  # as above
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, dtype=np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def _share_buffers(model: Any) -> None:  # noqa: ANN401  # as above
    """Keep each content once, and only what is used; buffer 0 stays the empty one."""
    kept, number_of = [model.buffers[0]], {b"": 0}

    def number(index: int) -> int:
        buffer = model.buffers[index]
        data = b"" if buffer.data is None else bytes(buffer.data)
        if data not in number_of:
            number_of[data] = len(kept)
            kept.append(buffer)
        return number_of[data]

    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer = number(tensor.buffer)
    for entry in model.metadata or ():
        entry.buffer = number(entry.buffer)
    model.buffers = kept


def _name(model: Any) -> None:  # noqa: ANN401  # as above
    """Readable names for inputs and outputs; numbers for all between, which only cost bytes."""
    for signature in model.signatureDefs:
        graph = model.subgraphs[signature.subgraphIndex]
        for index, tensor in enumerate(graph.tensors):
            tensor.name = str(index)
        outputs = {index: n for n, index in enumerate(graph.outputs)}
        for entry in signature.outputs:
            entry.name = TFLITE_OUTPUTS[_text(signature.signatureKey)][outputs[entry.tensorIndex]]
        for entry in (*signature.inputs, *signature.outputs):
            graph.tensors[entry.tensorIndex].name = _text(entry.name)


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _describe(model: Any, metadata: Mapping[str, str]) -> None:  # noqa: ANN401  # as above
    """The official metadata table, and all the texts as JSON."""
    model.description = metadata.get("description", "glint-edge")
    entries = {
        "TFLITE_METADATA": _model_metadata(metadata),
        "glint_edge": json.dumps(dict(metadata)).encode(),
    }
    for name, data in entries.items():
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, _new_buffer(model, data)
        model.metadata = [*(model.metadata or ()), entry]


def _model_metadata(metadata: Mapping[str, str]) -> bytes:
    """`ModelMetadata` of TensorFlow Lite's metadata_schema.fbs: its texts, by their slots."""
    builder = flatbuffers.Builder(256)
    slots = {0: "name", 1: "description", 2: "version", 4: "author", 5: "license"}
    texts = {
        slot: builder.CreateString(metadata[key]) for slot, key in slots.items() if key in metadata
    }
    texts[7] = builder.CreateString("1.0.0")  # the least version of a reader
    builder.StartObject(8)
    for slot, text in texts.items():
        builder.PrependUOffsetTRelativeSlot(slot, text, 0)
    builder.Finish(builder.EndObject(), METADATA_IDENTIFIER)
    return bytes(builder.Output())
