"""The int8 weights and scales, read back out of a `.pte`, are `quantization`'s own."""

import json
import re

import numpy as np
import pytest

from quantization.int8 import Int8Embedding, Int8Linear
from tests.skips import needs

pytestmark = [pytest.mark.slow, needs("executorch", "executorch")]


@pytest.fixture(scope="module")
def file(artifacts):
    """The deserialized program, and the stream program it was made of."""
    from executorch.exir._serialize._program import deserialize_pte_binary

    artifact = artifacts["int8"]
    return deserialize_pte_binary(artifact.path.read_bytes()), artifact.program


def xnnpack_graph(blob, folder):
    """The delegate's own graph as JSON, by the flatbuffer compiler that ExecuTorch ships."""
    from executorch.backends.xnnpack.serialization import xnnpack_graph_serialize as xnnpack
    from executorch.exir._serialize import _flatbuffer

    header = xnnpack.XNNHeader.from_bytes(blob[: xnnpack.XNNHeader.EXPECTED_LENGTH])
    end = header.flatbuffer_offset + header.flatbuffer_size
    schema, binary = folder / "schema.fbs", folder / "graph.bin"
    schema.write_bytes(xnnpack._get_schema_bytes())
    binary.write_bytes(blob[header.flatbuffer_offset : end])
    _flatbuffer._flatc_decompile(str(folder), str(schema), str(binary), ["--raw-binary"])
    # A clamp's open end is written as inf, which is no JSON.
    return json.loads(re.sub(r": -?inf\b", ": null", (folder / "graph.json").read_text()))


def linears_of(file, method, folder):
    """The int8 weights of a method's delegate: (q [out, in], scale [out]) in the graph's order."""
    program, named = file.program, file.named_data
    plan = next(plan for plan in program.execution_plan if plan.name == method)
    (delegate,) = plan.delegates
    blob = bytes(program.backend_delegate_data[delegate.processed.index].data)
    graph = xnnpack_graph(blob, folder)

    def constant(index, dtype):
        key = graph["constant_data"][index]["named_key"]
        return np.frombuffer(named.buffers[named.pte_data[key].buffer_index], dtype)

    filters = {
        value["xvalue_union"]["tensor_value"]["id_out"]: value["xvalue_union"]
        for value in graph["xvalues"]
        if value["xvalue_union_type"] == "XNNQuantizedTensorValue"
    }
    found = []
    for node in graph["xnodes"]:
        if node["xnode_union_type"] == "XNNFullyConnected":
            value = filters.get(node["xnode_union"]["filter_id"])
            if value is not None:  # otherwise a norm's constant matrix
                tensor, scales = value["tensor_value"], value["quant_params"]["scale_buffer_idx"]
                q = constant(tensor["constant_buffer_idx"], np.int8).reshape(tensor["dims"])
                found.append((q, constant(scales, np.float32)))
    return found


@pytest.mark.parametrize("method", ["append", "append_many", "recommend", "similar"])
def test_every_linear_holds_the_same_integers(file, method, tmp_path):
    pte, program = file
    module, _ = program.methods()[method]
    linears = {name: m for name, m in module.named_modules() if isinstance(m, Int8Linear)}
    found = linears_of(pte, method, tmp_path)
    unmatched = dict(linears)
    for q, scale in found:
        names = [
            name
            for name, linear in linears.items()
            if linear.q.shape == q.shape
            and np.array_equal(linear.q.numpy(), q)
            and np.array_equal(linear.scale.numpy(), scale)
        ]
        assert names, f"an int8 weight of shape {q.shape} is not one of {method}'s"
        unmatched.pop(names[0], None)
    assert not unmatched, f"not found in the file: {sorted(unmatched)}"
    held = {bytes(buffer) for buffer in pte.named_data.buffers}
    for name, linear in linears.items():
        assert linear.bias is None or linear.bias.numpy().tobytes() in held, name
    assert {"append": 6, "append_many": 6, "recommend": 12, "similar": 1}[method] == len(linears)


def test_the_table_holds_the_same_integers(file):
    pte, program = file
    table = program.append.item.table
    assert isinstance(table, Int8Embedding)
    constants = [bytes(buffer.storage) for buffer in pte.program.constant_buffer]
    assert sum(table.q.numpy().tobytes() in constant for constant in constants) == 1
    assert any(table.scale.numpy().tobytes() in constant for constant in constants)
