"""The native runner, on real artifacts."""

import subprocess
import threading
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest

from converters.targets import find_target
from device_bench.measure.job import Histories, Inputs
from device_bench.measure.runtimes import load_runtime, replay
from device_bench.measure.sampling import CYCLES, LEAST_RUNS, Plan
from device_bench.native.build import PROGRAM, build
from device_bench.native.exchange import INPUTS, read_result, write_inputs
from device_bench.runners.native import NativeRunner, arguments, open_runner
from glint_edge.errors import ConfigError, RunnerError
from tests import conversions
from tests.converters.programs import OPTIONS, small_program
from tests.device_bench.runners.native_cases import QUICK, WINDOW, Case, inputs_of
from tests.histories import recommend_history

ENDLESS = Plan(runs=10**9, budget_ms=10**7)
CASES = [
    pytest.param(("executorch", "fp32"), marks=pytest.mark.full, id="executorch-fp32"),
    *(pytest.param((target, "int8"), id=f"{target}-int8")
      for target in ("c", "executorch", "onnx", "tflite")),
]  # fmt: skip
TAPS = ["tap_beyond", "tap_anew"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cases(require_native, tmp_path_factory, request):
    """By target and precision; slow conversions are shared."""
    made = {}

    def case(target, precision):
        require_native(target)
        if (target, precision) not in made:
            if target == "executorch":
                artifact = request.getfixturevalue("artifacts")[precision]
                made[target, precision] = Case(target, artifact.program, artifact.path)
            else:
                program, file = small_program(precision), find_target(target)
                path = tmp_path_factory.mktemp("native") / f"model{file.suffix}"
                conversions.convert(program, file, path, OPTIONS)
                made[target, precision] = Case(target, program, path)
        return made[target, precision]

    return case


@pytest.fixture
def int8(cases):
    return cases("executorch", "int8")


@pytest.fixture(params=CASES)
def case(request, cases):
    return cases(*request.param)


# --- what it gives


@pytest.mark.parametrize("window", [WINDOW, None])
def test_it_gives_what_the_python_bindings_give(case, window):
    inputs = inputs_of(case)
    outcome = NativeRunner().run(case.job(window=window, timed=False), inputs)
    config, k = case.program.config, case.program.top_k
    runtime = load_runtime(case.target, case.path, config, top_k=k, threads=1)
    for name, group, lists in (
        ("golden", inputs.golden, outcome.golden),
        ("histories", inputs.histories, outcome.lists),
    ):
        for number in range(len(group)):
            items, scores = recommend_history(runtime, group[number], window)
            where = f"{name} {group[number]}"
            assert lists.items[number].tolist() == items[0].tolist(), where
            np.testing.assert_array_equal(lists.scores[number], scores[0], err_msg=where)
    for number in range(len(inputs.golden)):
        items = inputs.golden[number]
        one_by_one = runtime.to_numpy(replay(runtime, items))[0]
        at_once = runtime.to_numpy(runtime.append_many(runtime.empty_state(), items))[0]
        np.testing.assert_array_equal(outcome.golden_states[number], one_by_one)
        np.testing.assert_array_equal(outcome.golden_cold_states[number], at_once)
    assert outcome.samples_ns == {}
    assert len(outcome.load_ms) == 1


def test_it_brings_back_samples(case):
    outcome = NativeRunner().run(case.job(), inputs_of(case))
    assert list(outcome.samples_ns) == [
        "append", "recommend", "cold_start_20", "cold_start_50", "cold_start_200",
    ]  # fmt: skip
    assert {len(times) for times in outcome.samples_ns.values()} == {QUICK.runs}
    assert all((times > 0).all() for times in outcome.samples_ns.values())
    # One before every tenth call.
    assert list(outcome.calibration_ns) == list(outcome.samples_ns)
    assert {len(times) for times in outcome.calibration_ns.values()} == {QUICK.runs // 10}
    assert all((times > 1000).all() for times in outcome.calibration_ns.values())
    assert len(outcome.load_ms) == 5
    assert set(outcome.first_call_us) == {"append", "recommend"}
    before, peak = outcome.memory_before_load_bytes, outcome.peak_memory_bytes
    assert 1e6 < before < outcome.steady_memory_bytes <= peak < 100e6
    assert outcome.threads == 1
    medians = {name: np.median(times) for name, times in outcome.samples_ns.items()}
    assert medians["append"] < medians["cold_start_20"] < medians["cold_start_200"]


def test_it_times_taps_beyond_the_window(case):
    outcome = NativeRunner().run(case.job(cycle=3), inputs_of(case))
    assert list(outcome.samples_ns)[-2:] == list(outcome.calibration_ns)[-2:] == TAPS
    cycles, anew = (outcome.samples_ns[name] for name in TAPS)
    assert len(cycles) == CYCLES
    assert CYCLES <= len(anew) <= CYCLES + 2  # of the untimed cycles too
    assert 0 < np.median(cycles) < np.median(anew)
    alone = NativeRunner().run(case.job(cycle=3, window=None), inputs_of(case))
    assert not set(TAPS) & set(alone.samples_ns), "all of a history counts"


def test_it_takes_two_threads(case):
    outcome = NativeRunner().run(case.job(threads=2), inputs_of(case))
    assert outcome.threads == (1 if case.target == "c" else 2)  # the engine has one


def test_a_budget_ends_the_calls_and_the_warm_up(int8):
    plan = Plan(warmup=1, runs=10_000, budget_ms=0)
    outcome = NativeRunner().run(int8.job(plan=plan), inputs_of(int8))
    assert {len(times) for times in outcome.samples_ns.values()} == {LEAST_RUNS}
    # One block of calls cannot be held against an earlier one.
    assert outcome.warnings[0] == "append was still not steady after 25 calls"


def test_without_any_history_the_unknown_item_is_timed(int8):
    nothing = Inputs.of(Histories.of([]), Histories.of([]))
    outcome = NativeRunner().run(int8.job(), nothing)
    assert outcome.lists.items.shape == (0, int8.program.top_k)
    assert len(outcome.samples_ns["append"]) == QUICK.runs


# --- what it refuses


@pytest.mark.parametrize("cut", ["garbage", "half", "empty", "missing", "folder"])
def test_a_broken_artifact_is_one_sentence(case, cut, tmp_path):
    path, whole = tmp_path / f"brökén{case.path.suffix}", case.path.read_bytes()
    if cut == "folder":
        path.mkdir()
    elif cut != "missing":
        size = len(whole)
        path.write_bytes(
            {"garbage": b"\xff\x00\n model" * 99, "half": whole[: size // 2]}.get(cut, b"")
        )
    broken = replace(case, path=path)
    with pytest.raises(RunnerError) as caught:
        NativeRunner().run(broken.job(), inputs_of(case))
    message = str(caught.value)
    assert "\n" not in message
    if "process died" in message:  # LiteRT does not verify what it reads
        assert cut == "half" and case.target == "tflite"
        assert message.startswith("the native tflite process died with signal ")
    elif cut in ("garbage", "half"):
        assert f" refuses {path} (" in message
        assert message.endswith("); export it again")
    else:
        assert message == f"cannot read the artifact {path}, or it is empty"


def test_another_model_is_refused(int8):
    config = {**int8.program.config.to_dict(), "d": 128}
    with pytest.raises(RunnerError, match=r"is of another model \(its state and top-k are \["):
        NativeRunner().run(int8.job(config=config, timed=False), inputs_of(int8))


def run_by_hand(case, folder, **changes):
    """The program itself, in a folder with inputs; options by their name, None leaves one out."""
    inputs = inputs_of(case)
    if not (folder / INPUTS).exists():
        write_inputs(folder / INPUTS, inputs.sample, inputs.golden, inputs.histories)
    given = arguments(case.job(timed=False), case.path)
    options = dict(zip(given[::2], given[1::2], strict=True)) | changes
    words = [text for pair in options.items() if pair[1] is not None for text in pair]
    command = [build(case.target) / PROGRAM, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def error_of(folder):
    with pytest.raises(RunnerError) as caught:
        read_result(folder, 0, 0)
    return str(caught.value)


def test_truncated_inputs_are_told(int8, tmp_path):
    assert run_by_hand(int8, tmp_path).returncode == 0
    whole = (tmp_path / INPUTS).read_bytes()
    for size in {*range(0, len(whole), 56), len(whole) - 1}:
        (tmp_path / INPUTS).write_bytes(whole[:size])
        assert run_by_hand(int8, tmp_path).returncode == 2, size
        assert "the inputs inputs.bin" in error_of(tmp_path)


def test_a_full_disk_is_told(int8, tmp_path):
    assert run_by_hand(int8, tmp_path, **{"--outputs": "/dev/full"}).returncode == 2
    assert error_of(tmp_path) == "cannot write /dev/full; is the disk full?"
    done = run_by_hand(int8, tmp_path, **{"--result": "/dev/full"})
    assert (done.returncode, done.stderr[:40]) == (3, "cannot write /dev/full; is the disk full")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"--runs": "many"}, "--runs takes a number of at least 1"),
        ({"--threads": "0"}, "--threads takes a number of at least 1"),
        ({"--mood": "good"}, "usage: glint-runner"),
        ({"--inputs": "missing.bin"}, "cannot read the inputs missing.bin"),
    ],
)
def test_a_wrong_command_is_told(int8, tmp_path, wrong, reason):
    assert run_by_hand(int8, tmp_path, **wrong).returncode == 2
    assert error_of(tmp_path).startswith(reason)


def test_no_place_for_the_result_is_told(int8, tmp_path):
    done = run_by_hand(int8, tmp_path, **{"--result": None})
    assert done.returncode == 3
    assert "cannot write" in done.stderr


# --- how it ends


def running_program():
    for _ in range(200):
        for child in psutil.Process().children(recursive=True):
            if child.name() == PROGRAM:
                return child
        time.sleep(0.05)
    raise AssertionError("the program did not start")


def test_a_killed_process_is_one_sentence(int8):
    caught = []

    def run():
        try:
            NativeRunner().run(int8.job(plan=ENDLESS), inputs_of(int8))
        except RunnerError as error:
            caught.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    running_program().kill()
    thread.join(timeout=30)
    assert caught == ["the native executorch process died with signal 9 (SIGKILL)"]


def test_a_process_that_does_not_end_is_killed(int8):
    reason = r"^the native executorch process did not end within 0\.5 s and was stopped$"
    with pytest.raises(RunnerError, match=reason):
        NativeRunner(timeout=0.5).run(int8.job(plan=ENDLESS), inputs_of(int8))


def test_there_is_one_native_runner():
    assert open_runner("").name == "native"
    with pytest.raises(ConfigError, match="takes no device"):
        open_runner("mine")
