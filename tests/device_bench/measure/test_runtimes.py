"""Artifacts called through their runtimes, in this process."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from device_bench.measure.runtimes import load_runtime, replay
from glint_edge.checkpoints.checkpoint import Checkpoint, save_checkpoint
from glint_edge.config import ModelConfig
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.errors import BundleError, MissingExtraError
from glint_edge.model.stream import empty_state, stream_program
from tests.histories import recommend_history

HISTORY = [5, 0, 7, 39, 7]


@torch.no_grad()
def stream(program, history):
    state = empty_state(program.config)
    for item in history:
        state = program.append(state, torch.tensor([item]))
    items, scores = program.recommend(state)
    return state.numpy(), items.numpy(), scores.numpy()


@pytest.fixture
def torch_runtime(model, tmp_path):
    keys = ("", *(f"k{n}" for n in range(1, 41)))
    save_checkpoint(Checkpoint(model, Catalogue(keys, {}), DataSource("x", "x")), tmp_path)
    return load_runtime("torch", tmp_path, model.config, top_k=5)


@pytest.fixture(
    params=[
        "torch",
        pytest.param("int8", marks=pytest.mark.slow),
        pytest.param("fp32", marks=pytest.mark.full),
    ],
)
def running(request):
    """A runtime and the torch program that it must be."""
    if request.param == "torch":
        model = request.getfixturevalue("model")
        return request.getfixturevalue("torch_runtime"), stream_program(model, 5)
    artifact = request.getfixturevalue("artifacts")[request.param]
    return load_runtime("executorch", artifact.path, artifact.program.config), artifact.program


def test_it_is_the_stream(running):
    runtime, program = running
    state, items, scores = stream(program, HISTORY)
    near = 1e-5 if program.precision == "fp32" else 0.05
    found = runtime.to_numpy(replay(runtime, HISTORY))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, state, atol=near * np.abs(state).max())
    my_items, my_scores = recommend_history(runtime, HISTORY, None)
    assert (my_items.dtype, my_scores.dtype) == (np.int64, np.float32)
    assert my_items.shape == my_scores.shape == (1, runtime.top_k) == items.shape
    np.testing.assert_allclose(my_scores, scores, atol=near * np.abs(scores).max())
    if program.precision == "fp32":
        assert (my_items == items).all()


def test_no_result_is_written_over_by_the_next_call(running):
    runtime, _ = running
    first = runtime.append(runtime.empty_state(), 3)
    kept = runtime.to_numpy(first).copy()
    lists = runtime.recommend(first)
    kept_lists = [runtime.to_numpy(part).copy() for part in lists]
    runtime.recommend(replay(runtime, [1, 2]))
    assert (runtime.to_numpy(first) == kept).all()
    for part, before in zip(lists, kept_lists, strict=True):
        assert (runtime.to_numpy(part) == before).all()


def test_a_history_is_its_last_items_where_there_is_a_window(running):
    runtime, _ = running
    short = [(n * 7) % 40 + 1 for n in range(50)]
    whole, windowed, last = (
        recommend_history(runtime, ids, window)[1]
        for ids, window in (([9, 9, 9, *short], None), ([9, 9, 9, *short], 50), (short, None))
    )
    assert (windowed == last).all()
    assert (whole != last).any()


@pytest.mark.parametrize("length", [0, 1, 24, 25, 26, 60])
def test_append_many_is_as_many_appends(running, length):
    """Of any length, from any state, not only of whole chunks."""
    runtime, program = running
    items = [(n * 7) % 40 + 1 for n in range(length)]
    begun = replay(runtime, [3, 9])
    one_by_one = begun
    for item in items:
        one_by_one = runtime.append(one_by_one, item)
    actual, expected = (
        runtime.to_numpy(state) for state in (runtime.append_many(begun, items), one_by_one)
    )
    near = 1e-5 if program.precision == "fp32" else 0.02
    np.testing.assert_allclose(actual, expected, atol=near * np.abs(expected).max())


def test_without_history_it_recommends_the_most_popular(running):
    runtime, _ = running
    items, scores = recommend_history(runtime, [], None)
    assert items.tolist() == [list(range(1, runtime.top_k + 1))]
    assert np.abs(scores).max() < 1e-20  # what ranks them is below the last digit of any score


def test_a_target_of_a_newer_version_is_refused_by_name(tmp_path):
    with pytest.raises(BundleError, match=r"cannot run 'onyx' artifacts.*upgrade"):
        load_runtime("onyx", tmp_path, ModelConfig(items=3))


def test_a_missing_package_names_its_extra(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"running executorch.*glint-edge\[executorch\]"):
        load_runtime("executorch", tmp_path / "model.pte", ModelConfig(items=3))


DAMAGE = {
    "cut": lambda whole: whole[: len(whole) // 2],
    "a byte short": lambda whole: whole[:-1],
    "empty": lambda whole: b"",
    "no program": lambda whole: b"\xff" * 5000,
    "zeros inside": lambda whole: whole[:64] + bytes(len(whole) - 64),
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_one_line(artifacts, tmp_path, damage):
    path = tmp_path / "model.pte"
    path.write_bytes(DAMAGE[damage](artifacts["int8"].path.read_bytes()))
    with pytest.raises(BundleError) as error:
        load_runtime("executorch", path, artifacts["int8"].program.config)
    message = str(error.value)
    assert "\n" not in message
    assert str(path) in message
    assert message.endswith("export it again")
    assert "0x" not in message, "the reason in words, not the bindings' error number"


@pytest.mark.slow
def test_a_file_of_another_shape_is_refused(artifacts):
    path = artifacts["int8"].path
    with pytest.raises(BundleError, match="of another model"):
        load_runtime("executorch", path, ModelConfig(items=1682, d=32))
    with pytest.raises(BundleError, match="of another model"):
        load_runtime("executorch", path, artifacts["int8"].program.config, top_k=5)


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_are_the_runtimes(artifacts, threads):
    artifact = artifacts["int8"]
    runtime = load_runtime("executorch", artifact.path, artifact.program.config, threads=threads)
    assert runtime.threads == threads
    recommend_history(runtime, HISTORY, None)


@pytest.mark.slow
def test_loading_prints_nothing(artifacts):
    """`glint-edge recommend --json` must print one JSON object and nothing else."""
    artifact = artifacts["int8"]
    script = (
        "from pathlib import Path; from glint_edge.config import ModelConfig;"
        "from glint_edge.processes.native_output import command_line;"
        "from device_bench.measure.runtimes import load_runtime, replay;"
        f"config = ModelConfig.from_dict({artifact.program.config.to_dict()!r});"
        "here = command_line(); here.__enter__();"
        f"runtime = load_runtime('executorch', Path({str(artifact.path)!r}), config);"
        "runtime.recommend(replay(runtime, [1, 2]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no CPU affinity here")
def test_a_worker_keeps_to_as_many_cpus_as_threads():
    script = (
        "import os; from glint_edge.processes.child import pin; pin(10**6);"
        "print(len(os.sched_getaffinity(0))); pin(1); print(len(os.sched_getaffinity(0)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(len(os.sched_getaffinity(0))), "1"]
