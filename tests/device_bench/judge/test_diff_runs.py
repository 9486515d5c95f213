"""Real runs, in turn: two artifacts alike, and one that does everything twice."""

import sys
from dataclasses import replace
from itertools import permutations

import pytest

from converters.targets import find_target
from device_bench.bench import bench
from device_bench.document import document
from device_bench.entries import Settings
from device_bench.judge.diff import diff
from device_bench.measure.sampling import Plan
from device_bench.runners import python as python_runner
from glint_edge.bundles.bundle import Artifact, Bundle
from glint_edge.model.stream import stream_program
from tests.device_bench.makers import catalogue_of, golden_for

TOLD_APART = 1.25  # where two alike are known to be within this of each other, twice is seen

# In place of the worker's program: the artifact of this name appends each item twice.
TWICE = """
import sys
from device_bench.measure import worker

load = worker.load_runtime

def load_twice(target, path, *rest, **options):
    runtime = load(target, path, *rest, **options)
    if path.stem == "twice":
        once = runtime.append
        runtime.append = lambda state, item: (once(state, item), once(state, item))[1]
    return runtime

worker.load_runtime = load_twice
sys.exit(worker.main())
"""


@pytest.fixture(scope="module")
def run_three(make_model, tmp_path_factory):
    """Run the bench on two alike and one of twice the work, in turn: a document of each."""
    pytest.importorskip("onnxruntime", reason="needs glint-edge[onnx]")
    from converters import convert

    target, path = find_target("onnx"), tmp_path_factory.mktemp("bundle")
    program = stream_program(make_model(items=200, d=128))
    # A bundle has one artifact of a precision; what keeps the three apart here is that label alone.
    labels = {"once": "fp32", "again": "fp16", "twice": "int8"}
    for name in labels:
        convert(program, target, path / f"{name}.onnx")
    bundle = Bundle(
        path=path, manifest={"name": "app", "window": "sliding", "checkpoint": {}},
        config=program.config, top_k=program.top_k, golden=golden_for(program, [[1, 2, 3]]),
        artifacts=tuple(
            Artifact("onnx", label, f"{file}.onnx", runtime={}) for file, label in labels.items()
        ),
        catalogue=catalogue_of(200),
    )  # fmt: skip
    settings = Settings(plan=Plan(runs=200, budget_ms=100), rounds=4)

    def run():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(python_runner, "WORKER", (sys.executable, "-c", TWICE))
            result = bench(bundle, checkpoint=None, held_out=None, settings=settings)
        assert result.ok, result.failures
        rows = [replace(row, precision="fp32") for row in result.rows]
        return [document([replace(result, rows=(row,))], settings, ["glint-edge"]) for row in rows]

    return run


def joined(first, second):
    """One document with the rounds of both."""
    (old,), (new,) = first["rows"], second["rows"]
    rounds = {
        part: {call: [*values, *new[part][call]] for call, values in old[part].items()}
        for part in ("medians_us", "calibrations_us", "cpu_us")
    }
    return {**first, "rows": [old | rounds]}


def append_of(difference):
    (change,) = (change for change in difference.changes if change.figure == "append µs")
    return change


def is_told_as_unsure(change):
    low, high = change.interval
    return change.verdict == ("slower" if low > 1 else "noise") and high >= 1


@pytest.mark.slow
@pytest.mark.alone
def test_a_run_is_no_regression_of_another_and_twice_the_work_is(run_three):
    """What the machine's noise hides, more rounds show; until then it is told as unsure.

    On a machine that scatters by half, four rounds each make a regression of one in some hundred
    alike, by chance: so more rounds clear that up too.
    """
    runs = run_three()
    for more in (True, True, False):
        # Of one run, in which they took turns: between two runs the machine changes its speed.
        once, again, twice = runs
        alike = [diff(old, new) for old, new in permutations((once, again))]
        alarms = [change for difference in alike for change in difference.regressions]
        changes = [append_of(diff(old, twice)) for old in (once, again)]
        missed = [change for change in changes if change.verdict != "regression"]
        assert all(map(is_told_as_unsure, missed)), missed
        if not missed and not alarms:
            return
        if more:
            runs = [joined(*pair) for pair in zip(runs, run_three(), strict=True)]
    assert not alarms, alarms
    low, high = append_of(alike[0]).interval
    if not 1 / TOLD_APART < low < high < TOLD_APART:
        pytest.skip(f"two alike are {low:.2f} to {high:.2f} times each other on this machine")
    pytest.fail(f"twice the work is not found: {missed}")
