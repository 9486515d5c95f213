"""Filters in the artifacts: each list is the float model's own over what the filter leaves."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from converters import convert
from converters.targets import find_target
from glint_edge.data.catalogue import Catalogue
from glint_edge.model.stream import stream_program
from glint_edge.runtime.engines import load_artifact
from glint_edge.runtime.filters import Filter, Rows, best
from quantization import quantize
from tests import conversions
from tests.converters.programs import OPTIONS, small_model, small_program
from tests.skips import require

pytestmark = pytest.mark.slow

PACKAGES = {"onnx": "onnxscript", "executorch": "executorch", "tflite": "litert_torch"}
CASES = [
    ("onnx", "fp32", None), ("onnx", "int8", None), ("onnx", "int8", 7),
    pytest.param(("executorch", "fp32", None), marks=pytest.mark.full),
    ("executorch", "int8", None), ("tflite", "fp32", None), ("tflite", "int8", None),
]  # fmt: skip
# Of the largest score: what rounding costs beside the float model.
NEAR = {"fp32": 1e-5, "int8": 0.06}
SHELVES = ("chairs", "lamps", "rugs")


class Shop:
    """An artifact, the float model that it was made of, and a catalogue with a field."""

    def __init__(self, runtime, model, program):
        self.runtime, self.program = runtime, program
        self.n, self.k = model.config.items, program.top_k
        keys = ("", *(f"k{number}" for number in range(1, self.n + 1)))
        shelf = {key: SHELVES[number % 7 % 3] for number, key in enumerate(keys) if number % 5}
        self.catalogue = Catalogue(keys, {}, fields={"shelf": shelf})
        self.rows = Rows(self.catalogue, program.rows)
        self.floats = stream_program(model, program.top_k)

    @torch.no_grad()
    def scores(self, history):
        """Of the float model, by id; next to nothing without a history, the popular first."""
        if not history:
            return 1e-30 * (self.program.rows - np.arange(self.n + 1))
        state = self.floats.methods()["append"][1]["state"]
        for item in history:
            state = self.floats.append(state, torch.tensor([item]))
        return self.floats.recommend.every(state)[0, : self.n + 1].double().numpy()

    @torch.no_grad()
    def cosines(self, item):
        rows = self.floats.append.item.table.weight[: self.n + 1].double()
        return torch.nn.functional.cosine_similarity(rows, rows[item], dim=1).numpy()

    def after(self, history):
        """The artifact's list after a history, as a function of the bias."""
        runtime = self.runtime
        state = runtime.append_many(runtime.empty_state(), history)
        return lambda bias: tuple(map(runtime.to_numpy, runtime.recommend(state, bias)))

    def like(self, item):
        runtime = self.runtime
        return lambda bias: tuple(map(runtime.to_numpy, runtime.similar(item, bias)))


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(map(str, case)))
def shop(request, shipped, tmp_path_factory):
    target, precision, spare = request.param
    require(PACKAGES[target], target)
    model = small_model(precision) if target == "tflite" else shipped.model
    if target == "tflite":
        program = small_program(precision)
        path = conversions.converted(program, target, OPTIONS)
    else:
        floats = stream_program(model, conversions.TOP_K, conversions.CHUNK, spare)
        program = quantize(floats, precision)
        path = tmp_path_factory.mktemp("filters") / f"model{find_target(target).suffix}"
        (convert if target == "onnx" else conversions.convert)(program, find_target(target), path)
    return Shop(load_artifact(target, path, model.config, None, 1), model, program)


@st.composite
def filters(draw, shop):
    """The words of a list, all of them or some."""
    some = st.lists(st.sampled_from(shop.catalogue.keys[1:]), max_size=30)
    return {
        "without": draw(some),
        "among": draw(st.none() | st.lists(st.sampled_from(shop.catalogue.keys[1:]), max_size=120)),
        "where": draw(st.sampled_from([{}, {"shelf": "lamps"}, {"shelf": ["chairs", "rugs"]}])),
        "boost": draw(st.dictionaries(st.sampled_from(shop.catalogue.keys[1:]),
                                      st.floats(-2, 2, width=32), max_size=5)),
        "most_per": draw(st.sampled_from([{}, {"shelf": 1}, {"shelf": 4}])),
    }  # fmt: skip


def assert_is_the_list(shop, got, k, scores, words, left_out, error):
    """Item by item, in plain Python; scores nearer than the error may swap."""
    keys, shelf = shop.catalogue.keys, shop.catalogue.fields["shelf"]
    boosted = {n: scores[n] + words["boost"].get(keys[n], 0.0) for n in range(1, shop.n + 1)}

    def allowed(number):
        key = keys[number]
        where = words["where"].get("shelf")
        return (
            number not in left_out
            and key not in words["without"]
            and (words["among"] is None or key in words["among"])
            and (where is None or shelf.get(key) in ([where] if isinstance(where, str) else where))
        )

    most, taken, of = words["most_per"].get("shelf", shop.n), [], Counter()
    for number in sorted(filter(allowed, boosted), key=lambda n: -boosted[n]):
        if len(taken) < k and (number % 5 == 0 or of[shelf[keys[number]]] < most):
            taken.append(number)
            of[shelf.get(keys[number])] += 1
    items = [item for item, _ in got]
    assert len(items) == len(set(items)) == len(taken)
    assert all(map(allowed, items))
    assert max(Counter(shelf[keys[n]] for n in items if n % 5).values(), default=0) <= most
    for (item, score), expected in zip(got, taken, strict=True):
        assert score == pytest.approx(boosted[expected], abs=error)
        assert boosted[item] == pytest.approx(boosted[expected], abs=error)


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_a_list_is_the_float_models_over_what_the_filter_leaves(shop, data):
    history = data.draw(st.lists(st.integers(1, shop.n), max_size=12))
    k = data.draw(st.integers(1, shop.k) | st.integers(1, 3 * shop.k))
    words = data.draw(filters(shop))
    scores = shop.scores(history)
    seen = data.draw(
        st.sampled_from([(), tuple(history), tuple(np.argsort(-scores[1:])[:200] + 1)])
    )
    got = best(shop.after(history), shop.rows, k, Filter(**words), seen)
    error = 2 * NEAR[shop.program.precision] * np.abs(scores).max() + 1e-6
    if not history and not words["boost"]:
        error = 3e-31  # by popularity, exactly
    assert_is_the_list(shop, got, k, scores, words, seen, error)


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_what_is_like_an_item_has_the_cosines_of_the_float_rows(shop, data):
    item = data.draw(st.integers(1, shop.n))
    k, words = data.draw(st.integers(1, shop.k)), data.draw(filters(shop))
    got = best(shop.like(item), shop.rows, k, Filter(**words), [item])
    error = 1e-5 if shop.program.precision == "fp32" else 0.02
    assert_is_the_list(shop, got, k, shop.cosines(item), words, {item}, error)


def test_200_items_seen_of_the_first_200_leave_the_next_ones(shop):
    history = [3, 1, 2]
    scores = shop.scores(history)
    order = (np.argsort(-scores[1:], kind="stable") + 1).tolist()
    got = best(shop.after(history), shop.rows, shop.k, Filter(), order[:200])
    assert not set(order[:200]) & {item for item, _ in got}
    overlap = {item for item, _ in got} & set(order[200 : 200 + shop.k])
    assert len(overlap) >= (1.0 if shop.program.precision == "fp32" else 0.8) * shop.k
