"""The files between this package and the native program."""

import json

import numpy as np
import pytest

from device_bench.measure.job import Histories
from device_bench.native.exchange import INPUTS, OUTPUTS, RESULT, read_result, write_inputs
from glint_edge.errors import RunnerError

STATE, K, GOLDEN, USERS = 3, 2, 2, 4
WORDS = {
    "samples_ns": {"append": [10, 20], "recommend": [30]}, "calibration_ns": {"append": [5]},
    "load_ms": [1.5], "first_call_us": {"append": 9.0, "recommend": 8.0},
    "peak_memory_bytes": 100, "steady_memory_bytes": None, "memory_before_load_bytes": 50,
    "threads": 1, "state_size": STATE, "top_k": K, "warnings": ["slow"],
}  # fmt: skip


@pytest.fixture
def arrays():
    """What the program may have written, in its order."""
    return {
        "golden_states": np.arange(6, dtype="<f4").reshape(GOLDEN, STATE),
        "golden_cold_states": np.arange(6, 12, dtype="<f4").reshape(GOLDEN, STATE),
        "golden_items": np.arange(4, dtype="<i8").reshape(GOLDEN, K),
        "golden_scores": np.arange(4, dtype="<f4").reshape(GOLDEN, K),
        "items": np.arange(8, dtype="<i8").reshape(USERS, K) << 40,
        "scores": np.arange(8, dtype="<f4").reshape(USERS, K),
    }


@pytest.fixture
def folder(tmp_path, arrays):
    (tmp_path / OUTPUTS).write_bytes(b"".join(array.tobytes() for array in arrays.values()))
    (tmp_path / RESULT).write_text(json.dumps(WORDS))
    return tmp_path


def test_inputs_are_the_three_groups_in_words(tmp_path):
    groups = [[[1, 2], []], [], [[2**40, -1]]]
    write_inputs(tmp_path / INPUTS, *map(Histories.of, groups))
    words = np.frombuffer((tmp_path / INPUTS).read_bytes(), "<i8").tolist()
    assert words == [2, 0, 2, 2, 1, 2, *(0, 0), *(1, 0, 2, 2**40, -1)]


def test_a_result_comes_back_whole(folder, arrays):
    result = read_result(folder, GOLDEN, USERS)
    found = {
        "golden_states": result.golden_states,
        "golden_cold_states": result.golden_cold_states,
        "golden_items": result.golden.items,
        "golden_scores": result.golden.scores,
        "items": result.lists.items,
        "scores": result.lists.scores,
    }
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
        assert found[name].dtype.isnative
    assert {name: list(times) for name, times in result.samples_ns.items()} == WORDS["samples_ns"]
    assert result.calibration_ns["append"].tolist() == [5]
    assert result.load_ms == (1.5,)
    assert result.peak_memory_bytes == result.runtime_memory_bytes == 100
    assert result.steady_memory_bytes is None
    assert result.warnings == ("slow",)


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_outputs_that_are_not_whole_are_refused(folder, cut):
    path = folder / OUTPUTS
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(RunnerError, match=r"^the runner's outputs\.bin has [\d,]+ bytes, not 192;"):
        read_result(folder, GOLDEN, USERS)


def test_outputs_that_are_too_long_are_refused(folder):
    with pytest.raises(RunnerError, match="has 192 bytes, not 168;"):
        read_result(folder, GOLDEN, USERS - 1)


@pytest.mark.parametrize("name", [OUTPUTS, RESULT])
def test_a_missing_file_is_told(folder, name):
    (folder / name).unlink()
    with pytest.raises(RunnerError, match=f"^the runner wrote no {name}$"):
        read_result(folder, GOLDEN, USERS)


@pytest.mark.parametrize("text", ["", '{"samples_ns": [', "[]", '"text"'])
def test_a_damaged_result_is_told(folder, text):
    (folder / RESULT).write_text(text)
    with pytest.raises(RunnerError, match=r"^the runner's result\.json is truncated or damaged$"):
        read_result(folder, GOLDEN, USERS)


@pytest.mark.parametrize("words", [{**WORDS, "mood": "good"}, {}, {"state_size": 1, "top_k": 1}])
def test_a_result_of_another_version_is_told(folder, words):
    (folder / RESULT).write_text(json.dumps(words))
    with pytest.raises(RunnerError, match=r"result\.json is of another version"):
        read_result(folder, GOLDEN, USERS)


def test_an_error_is_raised_as_it_stands(folder):
    (folder / RESULT).write_text('{"error": "the runtime refuses it"}')
    with pytest.raises(RunnerError, match=r"^the runtime refuses it$"):
        read_result(folder, GOLDEN, USERS)
