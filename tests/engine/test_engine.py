"""The engine in C is the stream program, in every kind of model and at both precisions."""

import numpy as np
import pytest
import torch

from glint_edge.bundles.engine_file import BLOCK, GROUP, HEAD, LAYERS, SECTION
from glint_edge.config import ModelConfig
from glint_edge.errors import BundleError
from glint_edge.model.stream import empty_state
from glint_edge.runtime.engines.c import load
from tests.engine.models import KINDS, PRECISIONS, engine_of, file_of, program_of

LENGTHS = (0, 1, 2, 3, 4, 5, 8, 17, 40)
# In int8 a last digit may move an activation to the next of its 256 levels.
NEAR = {"fp32": 3e-6, "int8": 2e-2}
NOT_ITEMS = [0, -1, -(2**40), 10**6, 2**31, 2**62]


@pytest.fixture(scope="module", params=[(k, p) for k in KINDS for p in PRECISIONS], ids="-".join)
def pair(request, tmp_path_factory):
    """The program in torch, and the engine."""
    return (
        program_of(*request.param),
        engine_of(*request.param, tmp_path_factory.mktemp("engine")),
    )


def histories(config):
    draw = np.random.default_rng(3)
    longest = config.max_length if config.padding == "reference" else 10**6
    for length in LENGTHS:
        if length <= longest:
            yield draw.integers(0, config.items + 9, length).tolist()


def appended(engine, history):
    state = engine.empty_state()
    for item in history:
        state = engine.append(state, item)
    return state


@torch.no_grad()
def test_it_is_the_stream(pair):
    program, engine = pair
    near = NEAR[program.precision]
    for history in histories(program.config):
        expected = empty_state(program.config)
        for item in history:
            expected = program.append(expected, torch.tensor([item]))
        state = appended(engine, history)
        assert state.shape == expected.shape
        np.testing.assert_allclose(state, expected, atol=near * max(1, expected.abs().max()))
        # From one state, so that what rounds otherwise is the list's alone.
        items, scores = engine.recommend(expected.numpy())
        wanted, wanted_scores = (part.numpy() for part in program.recommend(expected))
        bound = near * max(1e-30, np.abs(wanted_scores).max())
        np.testing.assert_allclose(scores, wanted_scores, atol=bound)
        if program.precision == "fp32" or not history:
            assert items.tolist() == wanted.tolist()


def test_append_many_gives_the_bits_of_as_many_appends(pair):
    program, engine = pair
    for history in histories(program.config):
        for cut in (0, len(history) // 3):
            state = engine.append_many(appended(engine, history[:cut]), history[cut:])
            assert state.tobytes() == appended(engine, history).tobytes()


@torch.no_grad()
def test_similar_is_the_programs(pair):
    program, engine = pair
    for item in (1, 17, 0, 10**6):
        wanted, scores = (part.numpy() for part in program.similar(torch.tensor([item])))
        items, cosines = engine.similar(item)
        np.testing.assert_allclose(cosines, scores, atol=NEAR[program.precision])
        if program.precision == "fp32" and item in (1, 17):
            assert items.tolist() == wanted.tolist()


def test_a_list_of_any_length_is_the_beginning_of_all(pair):
    program, engine = pair
    state = appended(engine, [3, 9, 1])
    engine.top_k = program.rows
    items, scores = engine.recommend(state)
    assert sorted(items[0]) == list(range(1, program.rows - 1))  # but 0 and the unknown one
    assert (np.diff(scores[0]) <= 0).all()
    for k in (1, 2, 13, 40, 300, program.rows - 3):
        engine.top_k = k
        fewer, their_scores = engine.recommend(state)
        assert fewer.tolist() == items[:, :k].tolist()
        assert their_scores.tobytes() == scores[:, :k].tobytes()
    engine.top_k = program.top_k


def test_a_bias_filters_and_pushes(pair):
    program, engine = pair
    draw = np.random.default_rng(5)
    state = appended(engine, [3, 9, 1])
    engine.top_k = program.rows
    every = np.zeros(program.rows, dtype=np.float32)
    items, scores = engine.recommend(state)
    every[items[0]] = scores[0]
    bias = draw.normal(size=(1, program.rows)).astype(np.float32)
    bias[0, draw.random(program.rows) < 0.6] = -np.inf
    bias[0, 7] = np.nan
    items, scores = engine.recommend(state, bias)
    sums = every + bias[0]
    allowed = np.flatnonzero(np.isfinite(bias[0]))
    allowed = allowed[(allowed > 0) & (allowed < program.rows - 1)]
    order = allowed[np.argsort(-sums[allowed], kind="stable")]
    assert items[0].tolist() == order.tolist()
    assert scores[0].tobytes() == sums[order].tobytes()
    engine.top_k = program.top_k


def test_equal_scores_stand_by_their_ids(tmp_path):
    engine, rows = engine_of("wide", "int8", tmp_path), program_of("wide", "int8").rows
    bias = np.full((1, rows), -1e30, dtype=np.float32)
    on_offer = [item for item in range(1, 4501) if item != 5]
    left_out = [5, *range(4501, rows - 1)]
    for k in (1, 5, 256, 257, 1100, 4200, rows):
        engine.top_k = k
        items, _ = engine.recommend(engine.empty_state(), bias)
        assert items[0].tolist() == [*on_offer, *left_out][:k]


def test_equals_of_the_first_rows_stay_beside_better_ones_of_later_rows(tmp_path):
    engine, rows = engine_of("wide", "int8", tmp_path), program_of("wide", "int8").rows
    bias = np.full((1, rows), -1e30, dtype=np.float32)
    bias[0, 4200:4230] = 0
    engine.top_k = 50
    items, _ = engine.recommend(appended(engine, [3, 9]), bias)
    assert sorted(items[0, :30]) == list(range(4200, 4230))
    assert items[0, 30:].tolist() == [item for item in range(1, 22) if item != 5]


@pytest.mark.parametrize("item", NOT_ITEMS)
def test_what_is_no_item_is_unknown(item, tmp_path):
    engine = engine_of("edge", "int8", tmp_path)
    begun = appended(engine, [3, 9])
    unknown = engine.append(begun, 0)
    assert engine.append(begun, item).tobytes() == unknown.tobytes()
    assert engine.append_many(begun, [item]).tobytes() == unknown.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_every_int8_weight_in_the_file_is_quantizations_own(kind, tmp_path):
    """Integers and scales read back, for every layer; none is float."""
    program = program_of(kind, "int8")
    whole = file_of(kind, "int8", tmp_path).read_bytes()
    count = HEAD.unpack_from(whole)[12]
    sections = [SECTION.unpack_from(whole, HEAD.size + n * SECTION.size) for n in range(count)]
    at = {number: whole[start : start + size] for number, _, start, size in sections}
    layers = {**dict(program.append.item.named_children()),
              **dict(program.append.gru.named_children()),
              **dict(program.recommend.named_children())}  # fmt: skip
    layers["table"] = program.recommend.scores
    for name, number in LAYERS.items():
        if number not in at:
            assert name.startswith("mlp") and not program.config.gated_mlp
            continue
        layer = layers[name]
        rows, columns = layer.q.shape
        blocks, groups = -(-rows // BLOCK), -(-columns // GROUP)
        size = blocks * groups * BLOCK * GROUP
        q = np.frombuffer(at[number][:size], np.int8).reshape(blocks, groups, BLOCK, GROUP)
        q = q.transpose(0, 2, 1, 3).reshape(blocks * BLOCK, groups * GROUP)
        assert np.array_equal(q[:rows, :columns], layer.q)
        assert not q[rows:].any() and not q[:, columns:].any()
        scales = np.frombuffer(at[number], "<f4", rows, size)
        assert np.array_equal(scales, layer.scale)
        assert len(at[number]) == size + 3 * 4 * blocks * BLOCK


DAMAGE = {
    "empty": lambda whole: b"",
    "cut": lambda whole: whole[: len(whole) // 2],
    "its end is not there": lambda whole: whole[:-64],
    "no file of this kind": lambda whole: b"\xff" * 5000,
    "of a later version": lambda whole: whole[:4] + b"\x09" + whole[5:],
    "another width": lambda whole: whole[:8] + b"\x22" + whole[9:],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_one_line(tmp_path, damage):
    path = file_of("edge", "int8", tmp_path)
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with pytest.raises(BundleError) as error:
        load(path, program_of("edge", "int8").config, None, 1)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith("export it again")


def test_a_file_of_another_model_is_refused(tmp_path):
    path = file_of("edge", "int8", tmp_path)
    config = program_of("edge", "int8").config
    for other in ({"d": 16}, {"heads": 2}, {"items": 90}, {"max_length": 9}, {"gated_mlp": False}):
        with pytest.raises(BundleError, match="of another model"):
            load(path, ModelConfig(**{**config.to_dict(), **other}), None, 1)
    with pytest.raises(BundleError, match="of another model"):
        load(path, config, 10**6, 1)


def test_it_says_what_it_computes_with(tmp_path):
    engine = engine_of("edge", "int8", tmp_path)
    fastest = engine.recommend(engine.append_many(engine.empty_state(), [4, 8]))
    engine.use("portable")
    assert engine.kernels == "portable"
    portable = engine.recommend(engine.append_many(engine.empty_state(), [4, 8]))
    assert [part.tobytes() for part in fastest] == [part.tobytes() for part in portable]
    with pytest.raises(BundleError, match="no kernels"):
        engine.use("abacus")
