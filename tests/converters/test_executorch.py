"""The `.pte` on ExecuTorch's own runtime: it is the stream, lowered whole, with our integers.

The state's size, names and shapes are what apps are built on; the structure of the lowered
program is what its speed rests on.
"""

import statistics
from functools import cache
from pathlib import Path

import pytest
import torch

from glint_edge.model.state import state_size
from glint_edge.model.stream import empty_state, stream_program
from quantization import quantize
from tests.conversions import CHUNK, TOP_K, converted
from tests.skips import needs

pytestmark = [pytest.mark.slow, needs("executorch", "executorch")]

ITEMS = 1682
FLOAT, LONG = 6, 4  # ScalarType
INT64 = torch.iinfo(torch.int64)


class Running:
    """A loaded `.pte`. Outputs are cloned: the runtime writes the next ones over them."""

    def __init__(self, path: Path):
        import executorch.kernels.quantized  # noqa: F401  # registers embedding_byte
        from executorch.runtime import Runtime

        self.program = Runtime.get().load_program(path)
        self.methods = {name: self.program.load_method(name) for name in self.program.method_names}

    def append(self, state, item):
        (state,) = self.methods["append"].execute((state, torch.tensor([item])))
        return state.clone()

    def append_many(self, state, items, count):
        inputs = (state, torch.tensor([items]), torch.tensor([count]))
        (state,) = self.methods["append_many"].execute(inputs)
        return state.clone()

    def recommend(self, state):
        rows = self.methods["recommend"].metadata.input_tensor_meta(1).sizes()[-1]
        items, scores = self.methods["recommend"].execute((state, torch.zeros(1, rows)))
        return items.clone(), scores.clone()


def read(path):
    """The program's flatbuffer and the named data (the delegates' weights) of a `.pte`."""
    from executorch.exir._serialize._program import deserialize_pte_binary

    file = deserialize_pte_binary(path.read_bytes())
    return file.program, file.named_data


def structure(path):
    """By method: what is called, in order. A delegate by its backend, a kernel by its name."""
    program, _ = read(path)
    called = {}
    for plan in program.execution_plan:
        (chain,) = plan.chains
        called[plan.name] = [
            plan.delegates[call.delegate_index].id
            if hasattr(call, "delegate_index")
            else plan.operators[call.op_index].name
            for call in (instruction.instr_args for instruction in chain.instructions)
        ]
    return called


def assert_lowered_whole(path, precision):
    byte = "quantized_decomposed::embedding_byte"
    lookup = {"fp32": "aten::embedding", "int8-table": byte, "int8": byte}[precision]
    called = structure(path)
    many = called.pop("append_many")
    assert called == {
        "append": ["aten::clamp", lookup, "XnnpackBackend"],
        "recommend": ["XnnpackBackend", "aten::topk", "aten::add"],
        "similar": ["aten::clamp", lookup, "XnnpackBackend", "aten::topk", "aten::add"],
    }
    assert many.count("XnnpackBackend") == 1
    # The count is an integer, which the delegate does not take.
    cast = "dim_order_ops::_to_dim_order_copy"
    assert set(many) == {"aten::clamp", lookup, cast, "XnnpackBackend"}


@torch.no_grad()
def differences(program, running, *, together):
    """How far artifact and torch are apart along random histories, relative to the largest value.

    Together: each call starts from the same state. Apart: both go their own way from the empty
    state, and differences add up.

    Returns:
        Of every call: of states, of scores, and whether the same items came in the same order.
    """
    config = program.config
    of_states, of_scores, same_items = [], [], []
    for _ in range(4):
        state = mine = empty_state(config)
        for item in torch.randint(1, config.items + 1, (30,)).tolist():
            mine = running.append(state if together else mine, item)
            state = program.append(state, torch.tensor([item]))
            of_states.append(((mine - state).abs().max() / state.abs().max()).item())
            my_items, my_scores = running.recommend(state if together else mine)
            items, scores = program.recommend(state)
            of_scores.append(((my_scores - scores).abs().max() / scores.abs().max()).item())
            same_items.append(torch.equal(my_items, items))
    return of_states, of_scores, same_items


def assert_fp32_is_torch(program, running):
    of_states, of_scores, same_items = differences(program, running, together=False)
    assert max(of_states) <= 1e-5
    assert max(of_scores) <= 5e-6
    assert all(same_items)


def assert_int8_is_the_reference(program, running):
    """Most calls agree to float rounding. In some, an activation on the edge between two levels
    falls to the other one, which costs what rounding costs at all.
    """
    of_states, of_scores, same_items = differences(program, running, together=True)
    assert statistics.median(of_states) <= 1e-5
    assert statistics.median(of_scores) <= 1e-5
    assert statistics.fmean(same_items) >= 0.8
    of_states, of_scores, _ = differences(program, running, together=False)
    assert max(of_states) <= 0.02
    assert max(of_scores) <= 0.03


def assert_chunks_are_appends(program, running):
    """From no history, from one item and from several; in full, in part and not at all.

    The runtime's chunk, its single items and torch's chunk: int8 may put an activation on the edge
    of two levels on either, as in `assert_int8_is_the_reference`.
    """
    of_appends, of_torch = [], []
    for before in (0, 1, 7) * 3:
        start = empty_state(program.config)
        for item in torch.randint(1, program.config.items + 1, (before,)).tolist():
            start = running.append(start, item)
        items = torch.randint(0, program.config.items + 3, (program.append_many.chunk,)).tolist()
        one_by_one = start
        for count in range(len(items) + 1):
            found = running.append_many(start, items, count)
            with torch.no_grad():
                torch_chunk = program.append_many(
                    start, torch.tensor([items]), torch.tensor([count])
                )
            assert found[0, 0] == before + count
            size = found.abs().max()
            of_appends.append(((found - one_by_one).abs().max() / size.clamp(min=1)).item())
            of_torch.append(((found - torch_chunk).abs().max() / size.clamp(min=1)).item())
            if count < len(items):
                one_by_one = running.append(one_by_one, items[count])
    for apart in (of_appends, of_torch):
        assert statistics.median(apart) <= 1e-5
        assert max(apart) <= (0.02 if program.precision == "int8" else 1e-5)


@pytest.fixture(scope="module")
def running(artifacts):
    """By precision, each loaded when a test first asks for it."""
    return cache(lambda precision: Running(artifacts[precision].path))


@pytest.fixture(params=[pytest.param("fp32", marks=pytest.mark.full), "int8"])
def precision(request):
    return request.param


def test_each_method_is_one_delegate_and_a_few_kernels(artifacts, precision):
    assert_lowered_whole(artifacts[precision].path, precision)


def test_names_shapes_and_types_are_what_apps_are_told(artifacts, running, precision):
    program = running(precision).program
    state = ((1, state_size(artifacts[precision].program.config)), FLOAT)
    assert program.method_names == {"append", "append_many", "recommend", "similar"}

    def tensors(method, kind):
        meta = program.metadata(method)
        one = getattr(meta, f"{kind}_tensor_meta")
        return [(one(i).sizes(), one(i).dtype()) for i in range(getattr(meta, f"num_{kind}s")())]

    assert tensors("append", "input") == [state, ((1,), LONG)]
    assert tensors("append", "output") == [state]
    assert tensors("append_many", "input") == [state, ((1, CHUNK), LONG), ((1,), LONG)]
    assert tensors("append_many", "output") == [state]
    bias = ((1, ITEMS + 2), FLOAT)
    assert tensors("recommend", "input") == [state, bias]
    assert tensors("similar", "input") == [((1,), LONG), bias]
    assert tensors("similar", "output") == tensors("recommend", "output")
    assert tensors("recommend", "output") == [((1, TOP_K), LONG), ((1, TOP_K), FLOAT)]


@pytest.mark.full
def test_the_fp32_artifact_is_the_torch_stream(artifacts, running):
    assert_fp32_is_torch(artifacts["fp32"].program, running("fp32"))


def test_the_int8_artifact_is_the_int8_reference(artifacts, running):
    assert_int8_is_the_reference(artifacts["int8"].program, running("int8"))


def test_a_chunk_is_as_many_appends(artifacts, running, precision):
    assert_chunks_are_appends(artifacts[precision].program, running(precision))


@pytest.mark.parametrize("unknown", [INT64.min, ITEMS + 2, INT64.max])
def test_an_unknown_item_in_a_chunk_is_one(artifacts, running, precision, unknown):
    start = empty_state(artifacts[precision].program.config)
    actual, expected = (
        running(precision).append_many(start, [7, item], 2) for item in (unknown, 0)
    )
    assert torch.equal(actual, expected)
    # What stands beyond the count is never looked at, whatever it is.
    actual, expected = (
        running(precision).append_many(start, [7, item], 1) for item in (unknown, 0)
    )
    assert torch.equal(actual, expected)


def test_without_history_the_artifact_recommends_the_most_popular(artifacts, running, precision):
    items, scores = running(precision).recommend(empty_state(artifacts[precision].program.config))
    assert items.tolist() == [list(range(1, TOP_K + 1))]
    assert scores.abs().max() < 1e-20


@pytest.mark.parametrize("unknown", [-1, INT64.min, ITEMS + 1, ITEMS + 2, 10**9, INT64.max])
def test_an_unknown_item_reads_a_row_of_zeros(artifacts, running, precision, unknown):
    state = running(precision).append(empty_state(artifacts[precision].program.config), 7)
    found = running(precision).append(state, unknown)
    assert torch.equal(found, running(precision).append(state, 0))
    assert torch.isfinite(found).all()
    assert found[0, 0] == 2


@pytest.mark.full
def test_int8_is_about_a_quarter_of_the_file(artifacts):
    int8, fp32 = (artifacts[name].path.stat().st_size for name in ("int8", "fp32"))
    assert int8 <= 0.35 * fp32


def lowered(program):
    path = converted(program, "executorch")
    assert_lowered_whole(path, program.precision)
    return Running(path)


@pytest.mark.full
def test_a_light_model_with_an_int8_table_alone_is_lowered_whole_too(make_model):
    """Without neighbours; float layers and an int8 one in the same delegate."""
    light = make_model(gated_mlp=False, kernel=1, variant="paper")
    program = quantize(stream_program(light, top_k=5, chunk=1), "int8-table")
    running = lowered(program)
    of_states, of_scores, _ = differences(program, running, together=False)
    assert max(of_states) <= 1e-5
    assert statistics.median(of_scores) <= 1e-5
    assert max(of_scores) <= 0.01
    assert_chunks_are_appends(program, running)


@pytest.mark.full
def test_a_wider_convolution_is_lowered_whole_too(make_model):
    program = quantize(stream_program(make_model(kernel=5), top_k=5, chunk=3))
    running = lowered(program)
    assert_int8_is_the_reference(program, running)
    assert_chunks_are_appends(program, running)
