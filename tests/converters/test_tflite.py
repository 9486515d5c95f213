"""The `.tflite`: real files, on today's LiteRT and on tflite-runtime 2.14."""

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from glint_edge.config import ModelConfig
from glint_edge.errors import BundleError
from glint_edge.model.stream import StreamProgram, empty_state
from glint_edge.runtime.engines import find_engine
from quantization.int8 import Int8Embedding, Int8Linear
from tests import conversions
from tests.converters.programs import (
    ITEMS,
    OPTIONS,
    SHAPES,
    extreme_model,
    extreme_program,
    small_program,
)
from tests.environments import install, make_environment
from tests.skips import needs

pytestmark = [pytest.mark.slow, needs("litert_torch", "litert")]

HISTORIES = [[5], [40, 1], [7, 3, 3, 21, 40, 9], [(n * 7) % 40 + 1 for n in range(30)]]
NOT_ITEMS = [0, -1, -(2**40), ITEMS + 1, 2**31, 2**62]
# What the others are made of, int8 has too.
PRECISIONS = [
    pytest.param(each, marks=[] if each == "int8" else pytest.mark.full) for each in SHAPES
]


@dataclass(frozen=True)
class Converted:
    program: StreamProgram
    path: Path
    runtime: object


@pytest.fixture(scope="module")
def file_of():
    """The one file of a precision."""

    @cache
    def make(precision):
        program = small_program(precision)
        path = conversions.converted(program, "tflite", OPTIONS)
        return Converted(program, path, find_engine("tflite").load(path, program.config, None, 1))

    return make


@pytest.fixture(params=PRECISIONS)
def converted(request, file_of):
    return file_of(request.param)


@pytest.fixture
def int8(file_of):
    return file_of("int8")


def model_of(path):
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)


@torch.no_grad()
def expected(program, history):
    state = empty_state(program.config)
    for item in history:
        state = program.append(state, torch.tensor([item]))
    return state.numpy(), *(part.numpy() for part in program.recommend(state))


def replay(runtime, history):
    state = runtime.empty_state()
    for item in history:
        state = runtime.append(state, item)
    return state


@pytest.mark.parametrize("history", HISTORIES, ids=len)
def test_it_is_the_stream(converted, history):
    program, runtime = converted.program, converted.runtime
    state, items, scores = expected(program, history)
    found = replay(runtime, history)
    mine, my_scores = runtime.recommend(found)
    near = {"int8": 0.02, "int8-table": 0.01}.get(program.precision, 1e-5)
    np.testing.assert_allclose(found, state, atol=near * np.abs(state).max())
    np.testing.assert_allclose(my_scores, scores, atol=near * np.abs(scores).max())
    assert mine.dtype == np.int64
    if near == 1e-5:
        assert (mine == items).all()


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 30])
def test_append_many_is_as_many_appends(converted, length):
    runtime = converted.runtime
    items = HISTORIES[3][:length]
    for before in ([], [3, 9]):
        begun = replay(runtime, before)
        one_by_one = replay(runtime, [*before, *items])
        found = runtime.append_many(begun, items)
        # In int8, a last digit may move an activation to the next of its 256 levels.
        near = 0.02 if converted.program.precision == "int8" else 1e-5
        np.testing.assert_allclose(found, one_by_one, atol=near * np.abs(one_by_one).max(initial=1))


@pytest.mark.parametrize("item", NOT_ITEMS)
def test_what_is_no_item_is_unknown(converted, item):
    runtime = converted.runtime
    begun = replay(runtime, [3, 9])
    unknown = runtime.append(begun, 0)
    assert np.array_equal(runtime.append(begun, item), unknown)
    assert np.allclose(runtime.append_many(begun, [item]), unknown, atol=0.02)


def test_without_history_it_recommends_the_most_popular(converted):
    items, scores = converted.runtime.recommend(converted.runtime.empty_state())
    assert items.tolist() == [list(range(1, 11))]
    assert np.abs(scores).max() < 1e-20


def test_every_int8_weight_in_the_file_is_quantizations_own(int8):
    """Integers and scales read back, for every layer of every method; no other weight is float."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator, TensorType

    model = model_of(int8.path)
    modules = int8.program.methods()
    for graph in model.subgraphs:
        method = graph.name.decode()
        module, _ = modules[method]
        layers = [m for m in module.modules() if isinstance(m, (Int8Linear, Int8Embedding))]
        constants = {
            bytes(model.buffers[tensor.buffer].data): tensor
            for tensor in graph.tensors
            if model.buffers[tensor.buffer].data is not None
        }
        for layer in layers:
            tensor = constants[layer.q.numpy().tobytes()]
            assert tensor.shape.tolist() == list(layer.q.shape)
            assert tensor.type == TensorType.INT8
            assert tensor.quantization.scale.tolist() == [1.0]
            assert tensor.quantization.zeroPoint.tolist() == [0]
            assert constants[layer.scale.numpy().tobytes()].type == TensorType.FLOAT32
        weights = {
            operator.inputs[1]
            for operator in graph.operators
            if model.operatorCodes[operator.opcodeIndex].builtinCode
            == BuiltinOperator.FULLY_CONNECTED
        }
        floats = [
            graph.tensors[index].shape.tolist()
            for index in weights
            if graph.tensors[index].type == TensorType.FLOAT32
        ]
        # What stays float are the constant matrices of norms, a row a head, or one; and the item
        # rows as whole numbers, of the lookup
        assert all(shape in ([4, 16], [1, 16]) for shape in floats), (method, floats)
        assert len(weights) - len(floats) == sum(isinstance(m, Int8Linear) for m in layers)


def test_each_weight_is_in_the_file_once(converted):
    model = model_of(converted.path)
    contents = [bytes(buffer.data) for buffer in model.buffers if buffer.data is not None]
    assert len(contents) == len(set(contents))


def test_names_are_for_people(converted):
    interpreter = converted.runtime._interpreter
    assert interpreter.get_signature_list() == {
        "append": {"inputs": ["item", "state"], "outputs": ["new_state"]},
        "append_many": {"inputs": ["count", "items", "state"], "outputs": ["new_state"]},
        "recommend": {"inputs": ["bias", "state"], "outputs": ["top_items", "top_scores"]},
        "similar": {"inputs": ["bias", "item"], "outputs": ["top_items", "top_scores"]},
    }
    for graph in model_of(converted.path).subgraphs:
        for index in (*graph.inputs, *graph.outputs):
            assert graph.tensors[index].name.decode().isidentifier()


def test_metadata_is_inside(converted):
    model = model_of(converted.path)
    entries = {entry.name.decode(): bytes(model.buffers[entry.buffer].data) for entry in
               model.metadata}  # fmt: skip
    assert json.loads(entries["glint_edge"]) == OPTIONS.metadata
    official = entries["TFLITE_METADATA"]
    assert official[4:8] == b"M001"
    assert b"a stream\0" in official
    assert model.description == b"a stream"


def test_the_ends_of_the_range_do_not_saturate():
    program = extreme_program(extreme_model(), spare_items=4)
    path = conversions.converted(program, "tflite")
    runtime = find_engine("tflite").load(path, program.config, None, 1)
    state, _, scores = expected(program, [3, 17, 5])
    found = replay(runtime, [3, 17, 5])
    np.testing.assert_allclose(found, state, atol=0.01 * np.abs(state).max())
    np.testing.assert_allclose(
        runtime.recommend(found)[1], scores, atol=0.03 * np.abs(scores).max()
    )


DAMAGE = {
    "empty": lambda whole: b"",
    "cut": lambda whole: whole[: len(whole) // 2],
    "no file of this kind": lambda whole: b"\xff" * 5000,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_one_line(int8, tmp_path, damage):
    path = tmp_path / "model.tflite"
    path.write_bytes(DAMAGE[damage](int8.path.read_bytes()))
    with pytest.raises(BundleError) as error:
        find_engine("tflite").load(path, int8.program.config, None, 1)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith("export it again")


def test_a_file_of_another_model_is_refused(int8):
    load = find_engine("tflite").load
    with pytest.raises(BundleError, match="of another model"):
        load(int8.path, ModelConfig(items=40, d=32), None, 1)
    with pytest.raises(BundleError, match="of another model"):
        load(int8.path, int8.program.config, 5, 1)


# ---- the old runtime ------------------------------------------------------------------------

OLD = ("tflite-runtime==2.14.0", "numpy<2")
RUN_OLD = """
import json, sys
import numpy as np
from tflite_runtime.interpreter import Interpreter

path, size, history = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
interpreter = Interpreter(path, num_threads=1)
one, many, top = map(interpreter.get_signature_runner, ("append", "append_many", "recommend"))
state = np.zeros((1, size), np.float32)
for item in history:
    state = one(state=state, item=np.array([item], np.int32))["new_state"]
chunk = np.array([history[:2]], np.int32)
more = many(state=state, items=chunk, count=np.array([1], np.int32))["new_state"]
found = top(state=more, bias=np.zeros((1, int(sys.argv[4])), np.float32))
print(json.dumps({"state": more.tolist(), "items": found["top_items"].tolist(),
                  "scores": found["top_scores"].tolist()}))
"""


@pytest.fixture(scope="module")
def old_python(tmp_path_factory):
    """An environment with the last `tflite-runtime`, which wants numpy 1."""
    if sys.version_info >= (3, 12):
        pytest.skip("tflite-runtime 2.14.0 has no wheel for this Python")
    python = make_environment(tmp_path_factory.mktemp("old"))
    done = install(python, "--only-binary", ":all:", *OLD)
    if done.returncode:
        pytest.skip(f"pip cannot get tflite-runtime 2.14.0: {done.stderr.strip()[-200:]}")
    return python


def test_tflite_runtime_2_14_gives_the_same(converted, old_python):
    """It knows one scale a tensor: a file with a scale a row would load there and give nonsense."""
    history = HISTORIES[2]
    size = empty_state(converted.program.config).shape[1]
    command = [
        old_python,
        "-c",
        RUN_OLD,
        converted.path,
        size,
        json.dumps(history),
        converted.program.rows,
    ]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    old = json.loads(done.stdout)
    runtime = converted.runtime
    state = runtime.append_many(replay(runtime, history), history[:1])
    items, scores = runtime.recommend(state)
    near = {"int8": 0.02, "int8-table": 0.01}.get(converted.program.precision, 1e-5)
    np.testing.assert_allclose(old["state"], state, atol=near * np.abs(state).max())
    np.testing.assert_allclose(old["scores"], scores, atol=near * np.abs(scores).max())
    if near == 1e-5:
        assert old["items"] == items.tolist()
