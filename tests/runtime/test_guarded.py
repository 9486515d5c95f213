"""An artifact that is damaged behind a right sha256, and what else a runtime cannot take."""

import multiprocessing
import os
import shutil
import sys

import numpy as np
import pytest

import glint_edge as ge
from glint_edge.errors import BundleError, ConfigError, MissingExtraError, SessionError
from glint_edge.processes.threads import most_threads
from glint_edge.runtime import Recommender, apart, engines
from glint_edge.runtime.session_bytes import pack
from tests.bundles_changed import relist
from tests.onnx_graphs import graphs
from tests.skips import require
from tests.small import small_bundle

TITLES = {"k1": "First"}


@pytest.fixture(scope="module")
def bundle(make_model, tmp_path_factory):
    require("onnxscript", "onnx")
    return small_bundle(make_model(), tmp_path_factory.mktemp("bundle"), titles=TITLES)


@pytest.fixture
def copy(bundle, tmp_path):
    return shutil.copytree(bundle, tmp_path / "app.glint")


@pytest.fixture
def change(copy):
    """Change the weights of the copy's artifact, and make its sha256 right again."""
    import onnx
    from onnx import numpy_helper

    def change(function):
        model = onnx.load(copy / "model.onnx")
        for graph in graphs(model.graph):
            for tensor in graph.initializer:
                array = numpy_helper.to_array(tensor)
                if array.dtype == np.float32 and array.size > 1:
                    changed = function(array.copy()).astype(np.float32)
                    tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))
        onnx.save(model, copy / "model.onnx")
        relist(copy, "model.onnx")
        return copy

    return change


# ---- damaged artifacts --------------------------------------------------------------------------


def test_weights_that_are_no_numbers_are_refused_on_load(change):
    with pytest.raises(BundleError, match=r"cannot be run|is not what was exported"):
        Recommender.load(change(lambda weights: weights * np.nan))


def test_other_weights_are_refused_on_load(change):
    with pytest.raises(BundleError, match=r"is not what was exported: golden case \d+ .*again"):
        Recommender.load(change(lambda weights: weights * 1.1))


def test_a_case_takes_each_method(bundle, monkeypatch):
    called = []
    real = engines.load_artifact

    class Watched:
        def __init__(self, runtime):
            self.runtime = runtime

        def __getattr__(self, name):
            called.append(name)
            return getattr(self.runtime, name)

    monkeypatch.setattr(
        "glint_edge.runtime.recommender.load_artifact", lambda *args: Watched(real(*args))
    )
    Recommender.load(bundle)
    assert {"append", "append_many", "recommend"} <= set(called)


class Fails:
    """A runtime that raises what no runtime of this project is known to raise."""

    top_k = 10

    def __init__(self, error=None, scores=None, items=None):
        self.error = error
        self.items = np.arange(1, 11)[None] if items is None else items
        self.scores = np.zeros((1, 10), np.float32) if scores is None else scores

    def empty_state(self):
        return np.zeros((1, 4), np.float32)

    def append(self, state, item):
        if self.error:
            raise self.error
        return state

    append_many = append

    def recommend(self, state, bias=None):
        return self.items, self.scores

    def to_numpy(self, tensor):
        return tensor

    from_numpy = to_numpy


@pytest.fixture
def failing(bundle):
    loaded = Recommender.load(bundle).bundle
    return lambda **how: Recommender(loaded, Fails(**how), "refuse")


@pytest.mark.parametrize(
    "error", [IndexError("7"), SystemError(), OverflowError("x\ny"), MemoryError(), TypeError("t")]
)
def test_whatever_a_runtime_raises_is_an_error_of_this_project(failing, error):
    recommender = failing(error=error)
    for call in (
        lambda: recommender.recommend(["k1"]),
        lambda: recommender.start(["k1"]),
        lambda: recommender.step(recommender.empty(), 1),
    ):
        with pytest.raises(
            BundleError, match=r"model\.onnx cannot be run .*; export it again$"
        ) as e:
            call()
        assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"scores": np.full((1, 10), np.nan, np.float32)}, "its scores are no numbers"),
        ({"scores": np.full((1, 10), -np.inf, np.float32)}, "its scores are no numbers"),
        ({"scores": np.zeros((1, 9), np.float32)}, "it recommends 10 items"),
        ({"items": np.zeros((1, 10), np.int64)}, "not in the catalogue"),
        ({"items": np.full((1, 10), 41)}, "not in the catalogue"),
        ({"items": np.full((1, 10), -1)}, "not in the catalogue"),
    ],
)
def test_what_is_no_recommendation_is_refused(failing, given, says):
    with pytest.raises(BundleError, match=says):
        failing(**given).recommend([])


@pytest.mark.parametrize(
    "error", [IndexError("7"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x")]
)
def test_a_load_that_fails_in_any_way_is_one_line(bundle, error, monkeypatch):
    def load(*_):
        raise error

    monkeypatch.setattr("glint_edge.runtime.engines.onnx.load", load)
    with pytest.raises(BundleError, match=r"onnx's runtime refuses .*export it again"):
        Recommender.load(bundle)


def test_a_runtime_that_cannot_be_imported_is_told(bundle, monkeypatch):
    monkeypatch.setitem(sys.modules, "glint_edge.runtime.engines.onnx", None)
    with pytest.raises(MissingExtraError, match=r"cannot be imported .*runtime-onnx"):
        Recommender.load(bundle)


# ---- in a child ---------------------------------------------------------------------------------


def test_one_call_is_what_a_loaded_bundle_gives(bundle):
    loaded = Recommender.load(bundle).recommend(["k1", "k7"], 4, exclude_seen=True)
    once = ge.recommend(bundle, ["k1", "k7"], k=4, exclude_seen=True)
    assert list(once) == list(loaded)
    assert once.title == loaded.title == "after First, k7"


def test_a_runtime_that_dies_is_one_line(bundle, monkeypatch, run):
    monkeypatch.setattr(apart, "__name__", "tests.runtime.dies")
    died = f"the process that runs {bundle} died with signal 11 (SIGSEGV); its artifact may be"
    with pytest.raises(BundleError) as error:
        ge.recommend(bundle)
    assert str(error.value).startswith(died)
    code, out, err = run("recommend", bundle, "--history", "k1")
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {died}") and err.count("\n") == 1


def test_a_refusal_of_the_child_is_the_same_error(bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(bundle.parent)
    with pytest.raises(ge.GlintEdgeError) as ours:
        ge.recommend("app.glint", ["k99"])
    assert type(ours.value).__name__ == "UnknownItemError"
    with pytest.raises(BundleError, match=r"^nothing\.glint is not a bundle"):
        ge.recommend("nothing.glint")
    with pytest.raises(ConfigError, match="k is at least 1, not 0"):
        ge.recommend("app.glint", k=0)
    with pytest.raises(BundleError, match="has no artifact for tflite"):
        ge.recommend("app.glint", target="tflite")


# ---- threads and forks --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "threads", [10**6, most_threads() + 1, 0, -1, 2**31, 10**30, True, 1.5, "4"]
)
def test_threads_that_no_machine_has_are_refused(bundle, threads):
    for source in (bundle, None):  # the second is the shipped checkpoint, run by torch
        with pytest.raises(ConfigError, match=f"threads must be between 1 and {most_threads()} on"):
            ge.load(source, threads=threads)


@pytest.mark.parametrize("command", ["bench BUNDLE", "bench scale"])
def test_a_bench_refuses_them_too(command, bundle, run):
    words = command.replace("BUNDLE", str(bundle)).split()
    code, out, err = run(*words, "--threads", 10**6)
    assert (code, out) == (2, "")
    assert f"between 1 and {most_threads()}" in err


def test_some_threads_are_fine(bundle):
    assert len(Recommender.load(bundle, threads=np.int64(2)).recommend(["k1"])) == 10


def _ask(recommender, session, answer):
    told = [session.save() == recommender]
    for call in (lambda: session.top(), lambda: session.append("k1")):
        try:
            call()
        except ConfigError as error:
            told.append(str(error))
    answer.send(told)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_is_told_to_load_again(bundle):
    recommender = Recommender.load(bundle, threads=2)
    session = recommender.start(["k1", "k2"])
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_ask, args=(session.save(), session, theirs))
    child.start()
    assert ours.poll(20), "the child hangs"
    saved, *errors = ours.recv()
    child.join()
    assert saved, "a session can be saved there"
    assert len(errors) == 2
    assert all("forked" in error and "load it again" in error for error in errors)
    assert len(session.top()) == 10


# ---- keys and sessions --------------------------------------------------------------------------


def test_one_text_is_no_history(bundle):
    recommender = Recommender.load(bundle)
    for call in (recommender.recommend, recommender.start, lambda text: ge.recommend(bundle, text)):
        with pytest.raises(ConfigError, match="'50,181' is one text, not a list of keys"):
            call("50,181")


def test_whole_numbers_are_taken_as_their_texts(make_model, tmp_path):
    keys = [str(100 + number) for number in range(40)]
    recommender = Recommender.load(small_bundle(make_model(), tmp_path, keys=keys))
    for history in ([101, 139], [np.int32(101), 139.0], (101, "139"), np.array([101, 139])):
        assert recommender.start(history).history == ["101", "139"]


def test_a_history_of_which_nothing_is_left_is_told(bundle, caplog):
    skipping = Recommender.load(bundle, unknown="skip")
    items = skipping.recommend([50, 181])
    assert items.title == "none of 2 items is in the catalogue: the most popular items"
    assert "none of the history's 2 keys is in the catalogue of app.glint" in caplog.text
    caplog.clear()
    assert skipping.recommend([]).title == "no history: the most popular items"
    assert skipping.recommend(["k1", "x"]).title == "after First"
    assert not caplog.text


def test_a_saved_state_that_is_no_number_is_damaged(bundle):
    recommender = Recommender.load(bundle)
    state = recommender.empty()[0]
    state[3] = np.nan
    with pytest.raises(SessionError, match="damaged"):
        recommender.resume(pack(recommender.bundle.digest, state, [1]))


def test_a_golden_case_that_is_missing_is_told(copy):
    (copy / "golden.json").unlink()
    with pytest.raises(BundleError, match=r"golden\.json is missing"):
        Recommender.load(copy)
