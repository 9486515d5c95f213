"""The `.onnx` as a file: what is in it, its form for minimal builds, and other files."""

import copy
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx", reason="needs glint-edge[onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs glint-edge[onnx]")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from converters.to_onnx.lower import NEWEST_OPSET, OPSET, lowered  # noqa: E402
from glint_edge.bundles.precisions import PRECISIONS  # noqa: E402
from glint_edge.bundles.target import ConvertOptions  # noqa: E402
from glint_edge.config import ModelConfig  # noqa: E402
from glint_edge.errors import BundleError, ConfigError  # noqa: E402
from glint_edge.model.state import state_size  # noqa: E402
from glint_edge.model.stream import stream_program  # noqa: E402
from glint_edge.runtime.engines.onnx import NO_BIAS, load  # noqa: E402
from quantization import quantize  # noqa: E402
from quantization.int8 import Int8Embedding, Int8Linear  # noqa: E402
from tests.converters.onnx_runtimes import TAPS, converted  # noqa: E402
from tests.onnx_graphs import graphs  # noqa: E402


def stored(path):
    """The constants of a file."""
    return [numpy_helper.to_array(i) for g in graphs(onnx.load(path).graph) for i in g.initializer]


@pytest.mark.parametrize("precision", ["int8", "int8-table"])
def test_every_integer_and_scale_in_the_file_is_quantizations(programs, files, precision):
    contents = {(a.dtype.str, a.tobytes()) for a in stored(files[precision])}

    def held(array):
        return (array.dtype.str, np.ascontiguousarray(array).tobytes()) in contents

    def unsigned(q):
        return (q.astype(np.int16) + 128).astype(np.uint8)

    program, d = programs[precision], programs[precision].config.d
    order = np.r_[d : 2 * d, :d, 2 * d : 3 * d]  # the GRU's rows are z, r, n; torch's r, z, n
    seen = set()
    for part in (program.append, program.append_many, program.recommend):
        for name, module in part.named_modules():
            if not isinstance(module, Int8Linear | Int8Embedding):
                continue
            name, q, scale = name.rpartition(".")[2], module.q.numpy(), module.scale.numpy()
            seen.add(name)
            if name in ("step_in", "step_state"):
                assert held(q[order]), name
                assert held(scale[order]), name
                q, scale = q[3 * d :], scale[3 * d :]
            if len(q):
                assert held(unsigned(q)), name
                assert held(scale), name
    everywhere = {"table", "scores"}
    if precision == "int8":
        everywhere |= {"item_in", "conv_in", "step_in", "step_state", "gate_up", "gru_out"}
        everywhere |= {"item_out", "attention_out", "conv_out", "mix_out", "mlp_in", "mlp_out"}
    assert seen == everywhere


def test_every_weight_is_held_once_and_in_the_file_itself(files, precision):
    """Branches repeat numbers and shapes, and nothing larger."""
    initializers = [i for g in graphs(onnx.load(files[precision]).graph) for i in g.initializer]
    arrays = [numpy_helper.to_array(i) for i in initializers]
    times = Counter((a.dtype.str, a.shape, a.tobytes()) for a in arrays if a.nbytes > 64)
    assert set(times.values()) == {1}
    assert not any(i.external_data for i in initializers)


def test_no_float_weight_is_in_the_int8_file(make_model, tmp_path):
    """At a real width; norms, biases and scales are what floats remain."""
    program = quantize(stream_program(make_model(items=500, d=128), top_k=10))
    model = lowered(program, ConvertOptions())
    for graph in graphs(model.graph):
        for initializer in graph.initializer:
            array = numpy_helper.to_array(initializer)
            if array.dtype.kind == "f" and not initializer.name.endswith("table.scale"):
                assert array.nbytes <= 4096, initializer.name


def test_the_int8_file_is_under_a_megabyte_and_a_third_of_fp32(make_model, tmp_path):
    fp32 = stream_program(make_model(items=3417, d=128), top_k=10)
    bytes_of = {
        p: len(lowered(quantize(fp32, p), ConvertOptions()).SerializeToString()) for p in PRECISIONS
    }
    assert bytes_of["int8"] <= 1_000_000
    assert bytes_of["int8"] <= 0.32 * bytes_of["fp32"]
    assert bytes_of["fp16"] <= 0.52 * bytes_of["fp32"]


def test_names_shapes_and_types_are_what_apps_are_told(programs, files, precision):
    session = onnxruntime.InferenceSession(files[precision])
    size = state_size(programs[precision].config)
    assert [(i.name, i.shape, i.type) for i in session.get_inputs()] == [
        ("method", [1], "tensor(int64)"),
        ("state", [1, size], "tensor(float)"),
        ("items", [1, "C"], "tensor(int64)"),
        ("count", [1], "tensor(int64)"),
        ("bias", [1, "R"], "tensor(float)"),
    ]
    assert [(o.name, o.shape, o.type) for o in session.get_outputs()] == [
        ("new_state", [1, size], "tensor(float)"),
        ("top_items", [1, 5], "tensor(int64)"),
        ("top_scores", [1, 5], "tensor(float)"),
    ]


def test_what_a_method_does_not_give_is_zeros_or_the_state_as_it_was(running, precision):
    state = running[precision].append_many(running[precision].empty_state(), [1, 2, 3])
    feed = {
        "method": np.array([2]),
        "state": state,
        "items": np.array([[9]]),
        "count": np.array([1]),
        "bias": NO_BIAS,
    }
    assert (running[precision]._run(["new_state"], feed)[0] == state).all()
    feed["method"] = np.array([0])
    items, scores = running[precision]._run(["top_items", "top_scores"], feed)
    assert (items.tolist(), scores.tolist()) == ([[0] * 5], [[0.0] * 5])


def test_the_file_says_what_made_it_and_what_it_was_told(files, precision):
    model = onnx.load(files[precision])
    assert model.producer_name == "glint-edge"
    assert model.producer_version
    assert {p.key: p.value for p in model.metadata_props} == {"shop": "ours"}
    assert {o.domain for o in model.opset_import} == {""}, "standard operators alone"


@pytest.mark.parametrize("opset", [OPSET, 20, 21, NEWEST_OPSET])
def test_each_operator_set_gives_the_same(programs, running, tmp_path, opset):
    runtime = converted(programs["int8"], tmp_path / "model.onnx", opset=opset)
    assert onnx.load(tmp_path / "model.onnx").opset_import[0].version == opset
    for mine, other in zip(
        runtime.recommend(runtime.append_many(runtime.empty_state(), TAPS)),
        running["int8"].recommend(
            running["int8"].append_many(runtime.empty_state(), TAPS),
        ),
        strict=True,
    ):
        np.testing.assert_allclose(mine, other, atol=1e-5, rtol=0)


@pytest.mark.parametrize("opset", [0, OPSET - 1, NEWEST_OPSET + 1, 10**6])
def test_an_operator_set_that_cannot_work_is_refused(programs, tmp_path, opset):
    with pytest.raises(ConfigError, match=f"{OPSET} to {NEWEST_OPSET}"):
        converted(programs["fp32"], tmp_path / "model.onnx", opset=opset)
    assert not list(tmp_path.iterdir())


# --- the form for minimal builds


def test_the_ort_file_gives_the_same(programs, files, running, precision):
    runtime = load(files[precision].with_suffix(".ort"), programs[precision].config, 5, threads=1)
    other, state = running[precision], running[precision].empty_state()
    near = {"atol": 5e-6, "rtol": 0}
    for item in TAPS:
        np.testing.assert_allclose(runtime.append(state, item), other.append(state, item), **near)
        state = other.append(state, item)
    mine, theirs = (r.append_many(state, TAPS) for r in (runtime, other))
    np.testing.assert_allclose(mine, theirs, **near)
    for mine, theirs in zip(runtime.recommend(state), other.recommend(state), strict=True):
        np.testing.assert_allclose(mine, theirs, **near)


def test_the_operators_that_a_minimal_build_needs_are_written(files, precision):
    text = files[precision].with_suffix(".required_operators.config").read_text()
    assert "GRU" in text
    assert "If" in text
    assert ("MatMulInteger" in text or "DynamicQuantizeMatMul" in text) == (
        precision in ("int8", "int8-table")
    )
    assert str(files[precision].parent) not in text


def test_the_ort_file_is_not_blown_up_by_folding(make_model, tmp_path):
    """Weights may be stored as a runtime wants them, but not as floats twice or four times."""
    for precision in PRECISIONS:
        program = quantize(stream_program(make_model(items=3417, d=128), top_k=10), precision)
        path = tmp_path / f"{precision}.onnx"
        converted(program, path)
        assert path.with_suffix(".ort").stat().st_size <= 2 * path.stat().st_size, precision


# --- files that are not ours


DAMAGE = {
    "cut": lambda whole: whole[: len(whole) // 2],
    "empty": lambda whole: b"",
    "no model": lambda whole: b"\xff" * 5000,
    "zeros inside": lambda whole: whole[:64] + bytes(len(whole) - 64),
    "text": lambda whole: b"no model at all\n" * 99,
}


@pytest.mark.parametrize("suffix", [".onnx", ".ort"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_one_line(programs, files, tmp_path, capfd, damage, suffix):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(DAMAGE[damage](files["int8"].with_suffix(suffix).read_bytes()))
    with pytest.raises(BundleError) as error:
        load(path, programs["int8"].config, 5, threads=1)
    message = str(error.value)
    assert "\n" not in message
    assert message.count(str(path)) == 1
    assert message.endswith("export it again")
    assert capfd.readouterr() == ("", "")


def test_a_file_of_another_shape_is_refused(programs, files):
    config = programs["fp32"].config
    with pytest.raises(BundleError, match="of another model"):
        load(files["fp32"], ModelConfig(items=40, d=32), None, threads=1)
    with pytest.raises(BundleError, match="of another model"):
        load(files["fp32"], config, 6, threads=1)
    assert load(files["fp32"], config, None, threads=1).top_k == 5


def test_a_model_that_is_no_stream_is_refused(programs, tmp_path):
    info = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "other", [info], [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(BundleError, match=r"no stream program \(it has x, y\)"):
        load(tmp_path / "other.onnx", programs["fp32"].config, None, threads=1)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_the_runtimes(programs, files, threads):
    assert load(files["int8"], programs["int8"].config, 5, threads).threads == threads


def test_converting_does_not_change_the_program(programs):
    program = replace(programs["int8"], append=copy.deepcopy(programs["int8"].append))
    before = {k: v.clone() for k, v in program.append.state_dict().items()}
    lowered(program, ConvertOptions())
    for key, value in program.append.state_dict().items():
        assert torch.equal(value, before[key]), key
