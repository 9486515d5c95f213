"""The stream is the model, one item at a time; and what a caller may rely on around it."""

from itertools import pairwise

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from glint_edge.config import ModelConfig
from glint_edge.errors import ConfigError
from glint_edge.model.along import ATTENTION_BLOCK
from glint_edge.model.glint_ru import GlintRU
from glint_edge.model.state import state_layout, state_size
from glint_edge.model.stream import empty_state, stream_program
from glint_edge.runtime.engines import in_chunks

INT64 = torch.iinfo(torch.int64)
NOT_ITEMS = [0, -1, -(2**31), INT64.min, 41, 42, 43, 2**31, INT64.max]  # of a catalogue of 40


@pytest.fixture(scope="module")
def program(model):
    return stream_program(model)


def after(program, items):
    """The state after a history, a list of item ids."""
    state = empty_state(program.config)
    with torch.no_grad():
        for item in items:
            state = program.append(state, torch.tensor([item]))
    return state


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 10_000),
    st.sampled_from([(4, 2), (6, 3), (16, 4), (32, 1), (8, 8)]),
    st.sampled_from([1, 3, 5, 7]),
    st.booleans(),
    st.integers(1, 12),
)
@example(1, (16, 4), 3, True, 2 * ATTENTION_BLOCK + 2)
@example(2, (16, 2), 5, False, ATTENTION_BLOCK + 1)
def test_the_three_forms_agree_on_every_prefix(make_model, seed, shape, kernel, gated_mlp, length):
    model = make_model(seed, d=shape[0], heads=shape[1], kernel=kernel, gated_mlp=gated_mlp)
    program = stream_program(model, top_k=10)
    items = torch.randint(0, 41, (length,), generator=torch.Generator().manual_seed(seed))
    lengths = torch.arange(length) + 1
    with torch.no_grad():
        encoded = model.encode(items.expand(length, -1), lengths)
        prefixes = model.prefixes(items[None], lengths[-1:])[0]
        torch.testing.assert_close(prefixes, encoded, atol=1e-4, rtol=0)
        scores = model.score(items.expand(length, -1), lengths)

        state = empty_state(model.config)
        for at in range(length):
            state = program.append(state, items[at, None])
            hidden = program.recommend.hidden(state)[0]
            torch.testing.assert_close(hidden, encoded[at], atol=1e-4, rtol=0)
            best, best_scores = (found[0] for found in program.recommend(state))
            top_scores, top = scores[at].topk(10)
            torch.testing.assert_close(best_scores, top_scores, atol=1e-4, rtol=0)
            # The same items in the same order, but for those that score alike.
            swapped = best != top
            torch.testing.assert_close(
                scores[at, best][swapped], top_scores[swapped], atol=1e-6, rtol=0
            )


def assert_many_is_as_many_appends(program, before, items, count):
    """`items` fills the chunk; the first `count` of them are appended to the history `before`."""
    start = after(program, before)
    with torch.no_grad():
        many = program.append_many(start, torch.tensor([items]), torch.tensor([count]))
    torch.testing.assert_close(many, after(program, [*before, *items[:count]]), atol=2e-5, rtol=0)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10_000),
    st.sampled_from([1, 3, 5, 7]),
    st.lists(st.integers(0, 42), max_size=5),
    st.lists(st.integers(0, 42), min_size=1, max_size=9),
    st.data(),
)
def test_append_many_is_as_many_appends(make_model, seed, kernel, before, items, data):
    """From any state, for any count: items beyond it, and closed positions, leave no trace."""
    count = data.draw(st.integers(0, len(items)))
    model = make_model(seed, kernel=kernel)
    program = stream_program(model, chunk=len(items))
    assert_many_is_as_many_appends(program, before, items, count)


@pytest.mark.parametrize("kernel", [1, 3])
def test_chunks_in_a_row_reach_the_model_itself(make_model, kernel):
    """Equal to `encode` of the whole history, through two full chunks and a part of one."""
    model = make_model(kernel=kernel)
    program = stream_program(model, chunk=4)
    history = [7, 3, 3, 21, 40, 9, 1, 2, 30, 11]
    state = empty_state(model.config)
    with torch.no_grad():
        for chunk, count in in_chunks(history, 4):
            state = program.append_many(state, torch.from_numpy(chunk), torch.tensor([count]))
        hidden = program.recommend.hidden(state)
        encoded = model.encode(torch.tensor([history]), torch.tensor([len(history)]))
    torch.testing.assert_close(hidden, encoded, atol=1e-4, rtol=0)


def test_a_chunk_of_no_items_is_refused(model):
    with pytest.raises(ConfigError, match="at least 1 item"):
        stream_program(model, chunk=0)


# --- the state


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize(
    ("d", "heads", "variant"), [(8, 1, "edge"), (8, 8, "edge"), (64, 4, "paper")]
)
def test_the_layout_covers_the_state_without_gaps(kernel, d, heads, variant):
    config = ModelConfig(items=10, d=d, heads=heads, kernel=kernel, variant=variant)
    layout = state_layout(config)
    assert layout[0].offset == 0
    for field, following in pairwise(layout):
        assert following.offset == field.offset + field.size
    # 1 + u of kernel − 1 items + h + G + x (+ sums) + a d/H × d/H matrix a head
    rows = 4 if variant == "edge" else 3
    assert state_size(config) == 1 + (kernel - 1) * d + rows * d + heads * (d // heads) ** 2
    assert state_size(config) == layout[-1].offset + layout[-1].size
    assert empty_state(config).shape == (1, state_size(config))
    assert not empty_state(config).any()


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_the_fields_hold_what_their_names_say(make_model, kernel):
    model = make_model(kernel=kernel)
    history = [7, 3, 3, 21, 40, 9]
    state = after(stream_program(model), history)[0]
    field = {f.name: state[f.offset : f.offset + f.size] for f in state_layout(model.config)}
    p, d = (kernel - 1) // 2, model.config.d

    with torch.no_grad():
        x = model._embed(torch.tensor([history]))[0]
        rows = model.input_norm(model.embedding(torch.tensor(history)))
        g = model.low_pass.log_decay().exp()
        sums = sum(row * g**gap for gap, row in enumerate(rows.flip(0)))
        u = model.gru_in(x)
        c = model.conv_in(u.T[None])[0].T
        h = model.gru(c[None])[0][0]
        _, k, v = model._attention_inputs(x)
    assert field["count"].tolist() == [6]
    torch.testing.assert_close(field["item"], x[-1], atol=1e-5, rtol=0)
    torch.testing.assert_close(field["sums"], sums, atol=1e-5, rtol=0)
    torch.testing.assert_close(field["conv_inputs"], u[6 - 2 * p :].flatten(), atol=1e-5, rtol=0)
    torch.testing.assert_close(field["gru"], h[5 - p], atol=1e-5, rtol=0)
    torch.testing.assert_close(field["gated"], model._select(c, h)[5 - p], atol=1e-5, rtol=0)
    memory = torch.einsum("nhi,nhj->hij", k, v) / (d / model.config.heads) ** 0.5
    torch.testing.assert_close(field["memory"], memory.flatten(), atol=1e-5, rtol=0)


def test_the_state_keeps_its_size_and_stays_finite_and_the_count_exact(program):
    """Constant cost: nothing grows with the history; float32 counts exactly to 2²⁴."""
    state = after(program, [1 + n % 40 for n in range(300)])
    assert state.shape == (1, state_size(program.config))
    assert state.dtype == torch.float32
    assert torch.isfinite(state).all()
    assert state[0, 0] == 300
    state[0, 0] = 2**24 - 1
    with torch.no_grad():
        assert program.append(state, torch.tensor([1]))[0, 0] == 2**24


def test_the_methods_leave_the_state_they_are_given(program):
    state = after(program, [4, 9])
    kept = state.clone()
    with torch.no_grad():
        program.append(state, torch.tensor([3]))
        first, second = program.recommend(state), program.recommend(state)
    assert torch.equal(state, kept)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


# --- items


@pytest.mark.parametrize("history", [[], [5], [5, 2, 38]])
@pytest.mark.parametrize("unknown", NOT_ITEMS)
def test_an_unknown_item_is_a_row_of_zeros_wherever_it_stands(model, program, history, unknown):
    history = [*history, unknown, 11]
    state = after(program, history)
    assert torch.equal(state, after(program, [0 if item == unknown else item for item in history]))
    known = torch.tensor([[item if item != unknown else 0 for item in history]])
    with torch.no_grad():
        expected = model.encode(known, torch.tensor([len(history)]))
        torch.testing.assert_close(program.recommend.hidden(state), expected, atol=1e-4, rtol=0)


def test_an_unknown_item_divides_nothing_by_zero():
    """Fresh biases are zero, so its query and key are too: their norm is 0/0 without epsilon."""
    model = GlintRU(ModelConfig(items=40, d=16)).eval()
    program = stream_program(model)
    with torch.no_grad():
        hidden = program.recommend.hidden(after(program, [0, 0, 3]))
        expected = model.encode(torch.tensor([[0, 0, 3]]), torch.tensor([3]))
    torch.testing.assert_close(hidden, expected, atol=1e-4, rtol=0)
    _, scores = program.recommend(after(program, [0]))
    assert torch.isfinite(scores).all()


def test_an_item_is_remembered_by_its_own_row(model, program):
    """The first and the last item of the catalogue are items, not unknown."""
    item = next(f for f in state_layout(program.config) if f.name == "item")
    for known in (1, 40):
        row = after(program, [known])[0, item.offset : item.offset + item.size]
        with torch.no_grad():
            own = model._embed(torch.tensor([[known]]))[0, 0]
        torch.testing.assert_close(row, own, atol=1e-5, rtol=0)


@pytest.mark.parametrize("top_k", [1, 10, 40])
def test_without_history_the_most_popular_items_are_recommended(model, top_k):
    program = stream_program(model, top_k)
    items, scores = program.recommend(empty_state(model.config))
    assert items.dtype == torch.int64
    assert items.tolist() == [list(range(1, top_k + 1))]
    torch.testing.assert_close(scores, torch.zeros(1, top_k), atol=1e-20, rtol=0)


@pytest.mark.parametrize("top_k", [1, 10, 40])
@pytest.mark.parametrize("history", [[1], [40], [0], [3, 3, 3], [12, 0, 31, 8]], ids=str)
def test_recommended_items_are_distinct_best_first_and_of_the_catalogue(model, history, top_k):
    program = stream_program(model, top_k)
    items, scores = program.recommend(after(program, history))
    assert items.shape == scores.shape == (1, top_k)
    assert items.dtype == torch.int64
    assert len(set(items[0].tolist())) == top_k
    assert set(items[0].tolist()) <= set(range(1, 41))
    assert (scores[0].diff() <= 0).all()
    expected = model.score(torch.tensor([history]), torch.tensor([len(history)]))
    torch.testing.assert_close(scores[0], expected[0, items[0]], atol=1e-4, rtol=0)


# --- the program


def test_a_program_does_not_change_with_the_model_it_was_made_of(make_model):
    model = make_model()
    program = stream_program(model)
    before = [x.clone() for x in program.recommend(after(program, [3, 5]))]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    items, scores = program.recommend(after(program, [3, 5]))
    assert torch.equal(items, before[0])
    assert torch.equal(scores, before[1])


def test_a_program_says_what_it_is(model):
    program = stream_program(model, top_k=7)
    assert (program.config, program.top_k, program.precision) == (model.config, 7, "fp32")
    assert stream_program(model).top_k == 40, "50, or as many as there are"
    for part in (program.append, program.recommend, program.similar):
        assert not part.training
        assert not [name for name, weight in part.named_parameters() if weight.requires_grad]


def test_a_model_in_training_is_refused(make_model):
    with pytest.raises(ConfigError, match=r"model\.eval\(\)"):
        stream_program(make_model().train())


@pytest.mark.parametrize("top_k", [0, -1, 41])
def test_more_items_than_there_are_is_refused(model, top_k):
    with pytest.raises(ConfigError, match=f"between 1 and 40 items, not {top_k}"):
        stream_program(model, top_k)
