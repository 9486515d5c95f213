"""The python runner and its worker process."""

import mmap
import sys
from dataclasses import replace

import pytest

from device_bench.judge.parity import (
    compare,
)
from device_bench.judge.tolerance import judge, tolerance_of
from device_bench.measure import worker
from device_bench.measure.job import Histories, Inputs, Job, taps_a_cycle
from device_bench.measure.memory import CLEAR
from device_bench.measure.runtimes import prepare_beside
from device_bench.runners import python as python_runner
from device_bench.runners.python import PythonRunner
from glint_edge.bundles.golden_check import golden_failures
from glint_edge.checkpoints.checkpoint import save_checkpoint
from glint_edge.config import ModelConfig
from glint_edge.errors import (
    RunnerError,
)
from tests.device_bench.makers import (
    HISTORIES,
    QUICK,
    checkpoint_of,
    held_out_of,
)


def worker_that(monkeypatch, script):
    monkeypatch.setattr(python_runner, "WORKER", (sys.executable, "-c", script))


def test_histories_are_one_array():
    packed = Histories.of(HISTORIES)
    assert [packed[n] for n in range(len(packed))] == HISTORIES
    assert packed.spread(2).tolist() == [0, 3]
    assert packed.spread(9).tolist() == [0, 1, 2, 3]
    assert len(Histories.of([])) == 0
    assert Histories.of([]).spread(3).tolist() == []


@pytest.fixture
def job(model, tmp_path):
    save_checkpoint(checkpoint_of(model), tmp_path / "run")
    config = model.config.to_dict()
    return Job("torch", str(tmp_path / "run"), config, 10, 200, threads=2, plan=QUICK.plan)


def run_job(job, histories, golden):
    return PythonRunner().run(job, Inputs.of(golden, histories))


def test_a_worker_brings_back_what_the_stream_gives(job, model, golden):
    # Eager torch takes a millisecond an item: short cold starts, a window no longer than needed.
    job = replace(job, plan=replace(job.plan, runs=5), cold_starts=(2, 5), cycle=3, window=30)
    held_out = held_out_of(model)
    cases = Histories.of([case.history for case in golden.cases])
    outcome = run_job(job, Histories(held_out.ids, held_out.offsets), cases)
    assert (
        judge(
            compare(model, held_out, outcome.lists, model.config.max_length),
            tolerance_of("executorch", "fp32"),
        )
        == ()
    )
    assert golden_failures(golden, outcome.golden_states, outcome.golden) == ()
    assert golden_failures(golden, outcome.golden_cold_states, outcome.golden) == ()
    methods = ["append", "recommend", "cold_start_2", "cold_start_5", "tap_beyond", "tap_anew"]
    assert list(outcome.samples_ns) == methods
    assert all((calls > 0).all() for calls in outcome.samples_ns.values())
    assert all(5 <= len(outcome.samples_ns[name]) <= 6 for name in methods[:4])
    assert list(outcome.calibration_ns) == methods
    assert all(len(times) >= 1 for times in outcome.calibration_ns.values())
    assert all((times > 0).all() for times in outcome.calibration_ns.values())
    assert outcome.threads == 2
    assert outcome.first_call_us["append"] > 0
    assert len(outcome.load_ms) == 5
    assert min(outcome.load_ms) > 0
    assert outcome.peak_memory_bytes >= outcome.steady_memory_bytes
    assert outcome.peak_memory_bytes >= outcome.memory_before_load_bytes > 10**7
    assert outcome.peak_memory_bytes > outcome.runtime_memory_bytes > 0


class Calls:
    """A runtime that notes down what is called; its state is how many items it holds."""

    def __init__(self):
        self.called = []

    def empty_state(self):
        return 0

    def append(self, state, item):
        self.called.append("append")
        return state + 1

    def append_many(self, state, items):
        self.called.append(f"encode {len(items)}")
        return len(items)

    def recommend(self, state):
        self.called.append(f"recommend {state}")


def test_a_long_session_keeps_a_few_more_than_its_window_and_then_encodes_it():
    """As `Session` does: N + N/4 are held at most, then the last N."""
    runtime = Calls()
    taps = taps_a_cycle(8, ModelConfig(items=9, max_length=8).to_dict())
    cycle = worker._Cycle(runtime, [[1, 2, 3], [4]], 8, taps)
    cycle(0)
    cycle(1)
    one = ["append", "recommend 9", "append", "recommend 10", "encode 8", "recommend 8"]
    assert runtime.called == ["encode 8", *one, *one]
    assert len(cycle.anew_ns) == 2


def test_a_cycle_is_a_quarter_of_the_window_and_the_tap_that_encodes():
    model = ModelConfig(items=9, max_length=200, variant="paper")
    assert taps_a_cycle(200, model.to_dict()) == 51
    assert taps_a_cycle(3, replace(model, max_length=3).to_dict()) == 1
    assert taps_a_cycle(None, model.to_dict()) == 0
    imported = replace(model, padding="reference")  # its authors score the last N
    assert taps_a_cycle(200, imported.to_dict()) == 1


def fresh(count):
    """Bytes of memory that nothing in this process had before."""
    memory = mmap.mmap(-1, count)
    for page in range(0, count, mmap.PAGESIZE):
        memory[page] = 1
    return memory


@pytest.mark.skipif(not CLEAR.exists(), reason="needs Linux' /proc")
def test_what_comes_beside_a_runtime_is_not_its_memory(in_process, job, monkeypatch):
    """As torch comes with ExecuTorch's bindings: 80 MB, of which half are given back."""
    untimed = replace(job, timed=False)
    run_job(untimed, Histories.of([]), Histories.of([]))  # what loading imports is there now
    kept = []

    def beside(target):
        kept.append(fresh(40_000_000))
        fresh(40_000_000).close()

    monkeypatch.setattr(worker, "prepare_beside", beside)
    monkeypatch.setattr(worker, "prepare_runtime", lambda target: kept.append(fresh(24_000_000)))
    outcome = run_job(untimed, Histories.of([]), Histories.of([]))
    assert 20e6 < outcome.runtime_memory_bytes < 64e6
    assert outcome.peak_memory_bytes > 40e6


def test_torch_comes_beside_executorch_alone(monkeypatch):
    imported = []
    monkeypatch.setattr("importlib.import_module", imported.append)
    for target in ("onnx", "tflite", "torch", "executorch"):
        prepare_beside(target)
    assert imported == ["torch"]


def test_an_untimed_job_runs_the_histories_alone(in_process, job, model):
    held_out = held_out_of(model)
    histories = Histories(held_out.ids, held_out.offsets)
    outcome = run_job(replace(job, timed=False), histories, Histories.of([]))
    assert outcome.samples_ns == {}
    assert len(outcome.load_ms) == 1
    assert outcome.lists.items.shape == (24, 10)
    assert outcome.golden_states.shape[0] == 0


def test_a_refused_artifact_is_its_one_line(in_process, job):
    with pytest.raises(RunnerError, match="is not a checkpoint"):
        run_job(replace(job, path="/no/such/folder"), Histories.of([]), Histories.of([[]]))


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (
            "import os; os.kill(os.getpid(), 11)",
            "the torch process died with signal 11 (SIGSEGV)",
        ),
        ("import os; os.kill(os.getpid(), 9)", "the torch process died with signal 9 (SIGKILL)"),
        (
            "raise MemoryError('no room')",
            "the torch process ended with exit code 1 and no result: MemoryError: no room",
        ),
        (
            "print('hello')",
            "the torch process ended with exit code 0 and no result: it printed nothing",
        ),
        (
            "open('result.json', 'wb').write(b'\\xff{garbage')",
            "the torch process ended with exit code 0 and no result: it printed nothing",
        ),
    ],
)
def test_a_dead_process_is_one_sentence(job, monkeypatch, script, sentence):
    worker_that(monkeypatch, script)
    with pytest.raises(RunnerError) as error:
        run_job(job, Histories.of([]), Histories.of([[]]))
    assert str(error.value) == sentence
