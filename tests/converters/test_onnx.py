"""The `.onnx` on ONNX Runtime: it is the stream, in one file, with our integers."""

import copy
import statistics

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

onnx = pytest.importorskip("onnx", reason="needs glint-edge[onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs glint-edge[onnx]")

from onnx.reference import ReferenceEvaluator  # noqa: E402

from converters.to_onnx.lower import lowered  # noqa: E402
from glint_edge.bundles.target import ConvertOptions  # noqa: E402
from glint_edge.model.stream import empty_state, stream_program  # noqa: E402
from glint_edge.runtime.engines.onnx import NO_BIAS  # noqa: E402
from quantization import quantize  # noqa: E402
from quantization.int8 import Int8Linear  # noqa: E402
from tests.converters.onnx_runtimes import TAPS, of_bytes  # noqa: E402

INT64 = np.iinfo(np.int64)
SHAPES = [
    {"kernel": 1},
    {"kernel": 3},
    {"kernel": 5},
    {"kernel": 3, "gated_mlp": False},
    {"d": 32, "heads": 1},
    {"variant": "paper"},
]


# --- the numbers


class _FloatWhereTheGraphIs(nn.Module):
    """`step_in` as the graph computes it: float inputs to the GRU's rows, int8 to the gate's."""

    def __init__(self, int8):
        super().__init__()
        self.int8, self.d = int8, int8.q.shape[1]

    def forward(self, x):
        gru = F.linear(x, self.int8.dequantize()[: 3 * self.d])
        return torch.cat([gru, self.int8(x)[:, 3 * self.d :]], dim=1)


def _dequantized(int8):
    linear = nn.Linear(int8.q.shape[1], int8.q.shape[0], bias=int8.bias is not None)
    linear.weight = nn.Parameter(int8.dequantize(), requires_grad=False)
    if int8.bias is not None:
        linear.bias = nn.Parameter(int8.bias, requires_grad=False)
    return linear


def as_lowered(program):
    """The program, rounding activations only where the graph does.

    It rounds no input of the GRU, and none of the linear of item rows, where these are integers.
    """
    program = copy.deepcopy(program)
    floats = {"step_state"} | ({"item_in"} if program.config.variant == "paper" else set())
    for module in (program.append, program.append_many, program.recommend):
        for parent in list(module.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, Int8Linear) and name in floats:
                    setattr(parent, name, _dequantized(child))
                elif isinstance(child, Int8Linear) and name == "step_in":
                    setattr(parent, name, _FloatWhereTheGraphIs(child))
    return program


@torch.no_grad()
def differences(program, running):
    """How far they are apart after each item of a history, from the same state, relatively."""
    of_states, of_scores, same_items = [], [], []
    state = empty_state(program.config)
    for item in TAPS * 2:
        mine = running.append(state.numpy(), item)
        state = program.append(state, torch.tensor([item]))
        of_states.append((np.abs(mine - state.numpy()).max() / state.abs().max()).item())
        my_items, my_scores = running.recommend(state.numpy())
        items, scores = program.recommend(state)
        of_scores.append((np.abs(my_scores - scores.numpy()).max() / scores.abs().max()).item())
        same_items.append((my_items == items.numpy()).all())
    return of_states, of_scores, same_items


def assert_is_the_program(program, running):
    of_states, of_scores, same_items = differences(as_lowered(program), running)
    # In a few calls an activation on the edge between two levels falls to the other one.
    worst = 0.02 if program.precision.startswith("int8") else 1e-5
    assert statistics.median(of_states) <= 2e-6
    assert statistics.median(of_scores) <= 1e-5
    assert max(of_states) <= worst
    assert max(of_scores) <= worst
    assert statistics.fmean(same_items) >= (0.9 if worst > 1e-3 else 1.0)


def test_it_is_the_stream(programs, running, precision):
    assert_is_the_program(programs[precision], running[precision])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_every_shape_of_model_is_the_stream(make_model, shape, precision):
    program = quantize(stream_program(make_model(**shape), top_k=5), precision)
    assert_is_the_program(program, of_bytes(lowered(program, ConvertOptions()), program))


def test_int8_is_near_the_int8_reference_too(programs, running):
    """Which rounds more: every input of every linear."""
    of_states, of_scores, _ = differences(programs["int8"], running["int8"])
    assert max(of_states) <= 0.03
    assert max(of_scores) <= 0.05


def many_of(running, state, items, count):
    """Called as an app may: items beyond the count are in the tensor."""
    return running._step(np.array([1]), state, np.array([items]), np.array([count]))


MANY = [(kernel, precision) for kernel in (1, 3, 5) for precision in ("fp32", "int8")]


@pytest.fixture(scope="module")
def kernels(make_model):
    made = {}
    for kernel, precision in MANY:
        program = quantize(stream_program(make_model(kernel=kernel), top_k=5), precision)
        made[kernel, precision] = of_bytes(lowered(program, ConvertOptions()), program)
    return made


@pytest.mark.parametrize("which", MANY)
@pytest.mark.parametrize("before", [[], [5], [5, 9]])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_positions_before_the_first_take_no_step(kernels, which, before, count):
    """With a window of two to come, they are what a short history's first windows stand on."""
    running = kernels[which]
    start = running.append_many(running.empty_state(), before)
    many, state = many_of(running, start, TAPS, count), start
    for item in TAPS[:count]:
        state = running.append(state, item)
    np.testing.assert_allclose(many, state, atol=5e-6, rtol=0)


@settings(deadline=None, max_examples=80)
@given(
    st.sampled_from(MANY),
    st.lists(st.integers(-1, 43), max_size=5),
    st.lists(st.integers(-1, 43), min_size=1, max_size=30),
    st.data(),
)
def test_append_many_is_as_many_appends(kernels, which, before, items, data):
    """From any state and for any count: each row is quantized on its own, as one item's is."""
    count = data.draw(st.integers(0, len(items)))
    running = kernels[which]
    state = running.empty_state()
    for item in before:
        state = running.append(state, item)
    many = many_of(running, state, items, count)
    for item in items[:count]:
        state = running.append(state, item)
    np.testing.assert_allclose(many, state, atol=5e-6, rtol=0)


def test_any_history_is_one_call(running, precision):
    long = [(n * 7) % 40 + 1 for n in range(500)]
    state = running[precision].empty_state()
    for item in long:
        state = running[precision].append(state, item)
    many = running[precision].append_many(running[precision].empty_state(), long)
    np.testing.assert_allclose(many, state, atol=1e-5 * np.abs(state).max(), rtol=0)
    assert (running[precision].append_many(many, []) == many).all()


@pytest.mark.parametrize("count", [0, -1, INT64.min])
def test_a_count_of_no_items_leaves_the_state_as_it_is(running, precision, count):
    state = running[precision].append_many(running[precision].empty_state(), [1, 2, 3])
    assert (many_of(running[precision], state, [5, 6], count) == state).all()


@pytest.mark.parametrize("count", [0, 1, 7])
def test_no_items_at_all_leave_the_state_as_it_is(running, precision, count):
    """The runtime's GRU ends the process when it gets none."""
    state = running[precision].append_many(running[precision].empty_state(), [1, 2, 3])
    feed = {"method": np.array([1]), "state": state, "count": np.array([count])}
    feed |= {"items": np.zeros((1, 0), dtype=np.int64), "bias": NO_BIAS}
    assert (running[precision]._run(["new_state"], feed)[0] == state).all()


def test_a_count_beyond_the_items_is_all_of_them(running):
    empty = running["int8"].empty_state()
    all_of_them = many_of(running["int8"], empty, [5, 6], 2)
    assert (many_of(running["int8"], empty, [5, 6], INT64.max) == all_of_them).all()


def test_without_history_it_recommends_the_most_popular(running, precision):
    items, scores = running[precision].recommend(running[precision].empty_state())
    assert items.tolist() == [[1, 2, 3, 4, 5]]
    assert np.abs(scores).max() < 1e-20


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_neither_padding_nor_the_unknown_item_is_ranked(make_model, precision):
    program = quantize(stream_program(make_model(), top_k=40), precision)
    running = of_bytes(lowered(program, ConvertOptions()), program)
    items, _ = running.recommend(running.append_many(running.empty_state(), TAPS))
    assert sorted(items[0]) == list(range(1, 41))


@pytest.mark.parametrize("unknown", [-1, INT64.min, 41, 42, 10**9, INT64.max])
def test_an_unknown_item_reads_a_row_of_zeros(running, precision, unknown):
    runtime = running[precision]
    state = runtime.append(runtime.empty_state(), 7)
    expected = runtime.append(state, 0)
    assert (runtime.append(state, unknown) == expected).all()
    np.testing.assert_allclose(runtime.append_many(state, [unknown]), expected, atol=5e-6, rtol=0)
    assert np.isfinite(expected).all()
    assert expected[0, 0] == 2


def test_no_result_is_written_over_by_the_next_call(running):
    runtime = running["int8"]
    first = runtime.append(runtime.empty_state(), 3)
    lists = runtime.recommend(first)
    kept = [part.copy() for part in (first, *lists)]
    runtime.recommend(runtime.append_many(first, [1, 2]))
    for part, before in zip((first, *lists), kept, strict=True):
        assert (part == before).all()


def test_the_standard_operators_say_the_same_without_onnx_runtime(files, running, precision):
    reference = ReferenceEvaluator(onnx.load(files[precision]))
    state = running[precision].append_many(running[precision].empty_state(), TAPS)
    some = np.random.default_rng(0).normal(size=(1, 42)).astype(np.float32)
    for method, items, count, bias in (
        (0, [[9]], 1, NO_BIAS),
        (1, [[9, 4, 4, 8]], 3, NO_BIAS),
        (1, [[9]], 0, NO_BIAS),
        (2, [[0]], 1, NO_BIAS),
        (2, [[0]], 1, some),
        (3, [[9]], 1, NO_BIAS),
        (3, [[99]], 1, some),
    ):
        feed = {
            "method": np.array([method]),
            "state": state,
            "items": np.array(items),
            "count": np.array([count]),
            "bias": bias,
        }
        names = ["new_state", "top_items", "top_scores"]
        for name, mine, theirs in zip(
            names, reference.run(names, feed), running[precision]._run(names, feed), strict=True
        ):
            assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape), name
            np.testing.assert_allclose(mine, theirs, atol=2e-5, rtol=0, err_msg=name)
