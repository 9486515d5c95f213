"""Documents of two runs: what is a regression, what is noise, and what is no document at all."""

import copy
import json
import subprocess
import sys
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from device_bench import document as document_module
from device_bench.document import document, read_document, write_document
from device_bench.entries import Settings
from device_bench.judge.diff import diff
from device_bench.judge.rows import BenchResult, Row
from device_bench.measure.machine import machine
from device_bench.measure.statistics import Latency
from device_bench.reports.terminal import render_diff
from glint_edge.cli import console
from glint_edge.errors import ConfigError


@pytest.fixture(autouse=True, scope="module")
def _one_look_at_the_machine():
    with pytest.MonkeyPatch.context() as patch:
        described = machine()
        patch.setattr(document_module, "machine", lambda: dict(described))
        yield


def row_of(medians, *, target="tflite", speeds=None, **figures):
    """A row whose rounds had these medians of `append`, in µs."""
    p50 = float(np.median(medians))
    speeds = speeds or [30.0] * len(medians)
    given = {"file_bytes": 1000, "ndcg_at_10": 0.06, "top10_overlap": 0.99, "ok": True} | figures
    return Row(
        target=target, precision="int8", threads=1, append_us=Latency(p50, p50, p50),
        medians_us={"append": list(medians)}, calibrations_us={"append": list(speeds)},
        rounds=len(medians), **given,
    )  # fmt: skip


def document_of(*rows, name="app"):
    return document([BenchResult(name, rows, 1, "")], Settings(), ["glint-edge", "bench"])


def verdicts(old, new):
    difference = diff(document_of(old), document_of(new))
    return {change.figure: change.verdict for change in difference.changes}


def test_twice_the_time_is_a_regression_and_half_an_improvement():
    once, twice = row_of([10, 10.4, 9.8]), row_of([20, 20.7, 19.6])
    assert verdicts(once, twice)["append µs"] == "regression"
    assert verdicts(twice, once)["append µs"] == "improvement"
    assert verdicts(once, once)["append µs"] == "noise"


def test_taps_beyond_the_window_are_compared_as_other_times():
    times = {"tap_beyond": [60.0, 61.0, 59.0], "tap_anew": [900.0, 910.0, 890.0]}
    old = replace(row_of([10.0] * 3), medians_us=times, tap_beyond_us=Latency(60, 60, 60),
                  tap_anew_us=Latency(900, 900, 900))  # fmt: skip
    slow = replace(old, medians_us=times | {"tap_beyond": [120.0, 122.0, 118.0]},
                   tap_beyond_us=Latency(120, 120, 120))  # fmt: skip
    assert verdicts(old, slow) == {
        "tap beyond µs": "regression", "tap anew µs": "noise", "file bytes": "same",
        "ndcg_at_10": "same", "top10_overlap": "same",
    }  # fmt: skip


def test_a_machine_at_half_its_speed_is_no_regression():
    slow = row_of([20, 20.7, 19.6], speeds=[60.0, 61.0, 59.0])
    assert verdicts(row_of([10, 10.4, 9.8]), slow)["append µs"] == "noise"


def test_a_machine_that_slows_down_for_one_method_is_no_regression_of_it():
    times, speeds = {"append": [10.0] * 3, "recommend": [20.0] * 3}, [30.0] * 3
    old = row_of([10.0] * 3)
    old = replace(old, medians_us=times, calibrations_us=dict.fromkeys(times, speeds))
    old = replace(old, recommend_us=old.append_us)
    slow = replace(old, medians_us=times | {"recommend": [40.0] * 3})
    assert verdicts(old, slow)["recommend µs"] == "regression"
    slow = replace(slow, calibrations_us={"append": speeds, "recommend": [60.0] * 3})
    assert verdicts(old, slow) == verdicts(old, old)


def test_an_artifact_that_follows_the_machine_by_half_is_no_regression():
    """It waits for memory: on a machine 1.4 times as fast it takes nearly as long as before."""
    old = row_of([10.0] * 3, speeds=[42.0] * 3)
    assert verdicts(old, row_of([10.0] * 3))["append µs"] == "noise"
    assert verdicts(row_of([10.0] * 3), old)["append µs"] == "noise"


def test_time_that_other_work_took_is_no_regression():
    old = row_of([4000.0] * 3, cpu_us={"append": [3900.0] * 3})
    new = row_of([8000.0] * 3, cpu_us={"append": [3800.0, 3900.0, 4000.0]})
    assert verdicts(old, new)["append µs"] == "noise"
    assert verdicts(old, replace(new, cpu_us={"append": [7900.0] * 3}))["append µs"] == "regression"


def test_rounds_that_differ_among_themselves_are_noise():
    assert verdicts(row_of([10, 18, 11]), row_of([19, 12, 21]))["append µs"] == "noise"


def test_one_slow_round_is_nobodys_fault():
    assert verdicts(row_of([10, 10, 10]), row_of([10, 30, 10]))["append µs"] == "noise"


@pytest.mark.parametrize("spread", [0.03, 0.08, 0.15])
def test_noise_is_never_reported_and_twice_the_work_is(spread):
    """Simulated: rounds of a machine whose speed drifts, and of processes that differ."""
    random = np.random.default_rng(0)

    def run(work):
        drift = 30 * np.exp(random.normal(0, 0.2))
        rounds = drift * np.exp(random.normal(0, spread, 3))
        return row_of((work * rounds).tolist(), speeds=[drift] * 3)

    fails = ("regression", "improvement")
    wrong = sum(verdicts(run(1), run(1))["append µs"] in fails for _ in range(500))
    seen = sum(verdicts(run(1), run(2))["append µs"] == "regression" for _ in range(100))
    assert wrong == 0
    assert seen == 100 or (spread == 0.15 and seen > 80)


def test_figures_without_noise_are_held_to_their_own_limits():
    old = row_of([10.0], peak_memory_bytes=10_000_000)
    assert set(verdicts(old, old).values()) == {"noise", "same"}
    for figure, change, name in [
        ("file_bytes", {"file_bytes": 1020}, "file bytes"),
        ("ndcg", {"ndcg_at_10": 0.0593}, "ndcg_at_10"),
        ("overlap", {"top10_overlap": 0.97}, "top10_overlap"),
        ("memory", {"peak_memory_bytes": 11_200_000}, "peak memory bytes"),
    ]:
        worse = replace(old, **change)
        assert verdicts(old, worse)[name] == "regression", figure
        assert verdicts(worse, old)[name] == "improvement", figure
    assert "ndcg_at_10" not in verdicts(old, replace(old, ndcg_at_10=None))


def test_a_row_that_fails_or_is_gone_is_a_regression_with_its_reason():
    old = row_of([10.0])
    failed = replace(old, ok=False, failures=("it died",), medians_us={}, append_us=None)
    (change,) = diff(document_of(old), document_of(failed)).regressions
    assert (change.row, change.why) == ("tflite int8", "it died")
    difference = diff(document_of(old), document_of(row_of([10.0], target="onnx")))
    (change,) = difference.regressions
    assert "now is not" in change.why
    assert difference.notes == ("onnx int8 is new",)
    assert diff(document_of(failed), document_of(old)).regressions == ()


def test_bundles_are_told_apart_where_there_are_several_and_renamed_where_there_is_one():
    row = row_of([10.0, 10.0, 10.0])
    assert not diff(document_of(row, name="a"), document_of(row, name="b")).regressions
    results = [BenchResult(name, (row,), 1, "") for name in ("a", "b")]
    two = document(results, Settings(), ["x"])
    assert len(diff(two, two).changes) == 2 * len(diff(document_of(row), document_of(row)).changes)


def test_times_of_another_machine_are_not_compared():
    old, new = document_of(row_of([10.0] * 3)), document_of(row_of([30.0] * 3))
    new["machine"]["cpu"] = "another"
    difference = diff(old, new)
    assert not difference.regressions
    assert "times are not compared" in difference.notes[0]


def test_the_table_shows_the_worst_first():
    old = [row_of([10.0] * 3), row_of([10.0] * 3, target="onnx")]
    new = [row_of([11.0] * 3), row_of([30.0] * 3, target="onnx")]
    with console.out.capture() as capture:
        console.show(render_diff(diff(document_of(*old), document_of(*new))))
    text = capture.get()
    assert text.index("regression") < text.index("slower")
    assert "3.00 (3.00–3.00)" in text


def test_what_else_differs_between_two_runs_is_said():
    old, new = document_of(row_of([10.0] * 3)), document_of(row_of([10.0] * 3))
    old["machine"] = new["machine"] | {"packages": {"onnxruntime": "1.31.0", "numpy": "2"}}
    new["machine"] = new["machine"] | {"packages": {"onnxruntime": "1.32.0", "torch": "2.13.0"}}
    new["settings"] = new["settings"] | {"rounds": 5}
    said = (
        "the runs differ by onnxruntime (1.31.0, then 1.32.0), numpy (2, then none), "
        "rounds (3, then 5), torch (none, then 2.13.0)"
    )
    assert diff(old, new).notes == (said,)
    assert diff(new, new).notes == ()


def test_large_figures_are_written_out():
    old, new = row_of([13_740.0] * 3, file_bytes=1_234_567), row_of([999.9] * 3, file_bytes=50)
    with console.out.capture() as capture:
        console.show(render_diff(diff(document_of(old), document_of(new))))
    text = capture.get()
    assert {"13,740", "999.9", "1,234,567", "50"} <= set(text.replace("│", " ").split())
    assert "e+" not in text


def test_a_clear_difference_short_of_the_bar_is_told_and_fails_nothing():
    old, new = row_of([20.3, 20.4, 20.5]), row_of([24.9, 25.0, 25.1])
    (change,) = (c for c in diff(document_of(old), document_of(new)).changes if c.interval)
    assert change.verdict == "slower"
    low, high = change.interval
    assert 1.2 < low < change.ratio < high < 1.25
    assert change.noise > high
    assert verdicts(new, old)["append µs"] == "faster"
    assert not diff(document_of(old), document_of(new)).regressions
    with console.out.capture() as capture:
        console.show(render_diff(diff(document_of(old), document_of(new))))
    assert "1.23 (1.21–1.24)" in capture.get()


def test_the_noise_of_several_runs_is_told(tmp_path):
    """Plain times that are the machine's speed are none once it is taken out."""
    paths = []
    for number, speed in enumerate([1.0, 1.1, 1.3]):
        row = row_of([10 * speed] * 3, speeds=[30 * speed] * 3)
        paths.append(tmp_path / f"{number}.json")
        write_document(document_of(row), paths[-1])
    command = [sys.executable, "benchmarks/noise.py", "--json", *map(str, paths)]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    values = json.loads(done.stdout)
    (sizes,) = values.pop("rows").values()
    assert sizes["plain"] == pytest.approx(np.log([1, 1.1, 1.3]).std())
    assert sizes["calibrated"] == pytest.approx(0, abs=1e-12)
    assert values == {"false_alarms": 0, "pairs": 6}


# ---- the command ----------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    def write(*rows, name):
        write_document(document_of(*rows), tmp_path / name)
        return tmp_path / name

    return write


def test_the_exit_code_is_for_ci(files, run):
    old, slow = files(row_of([10.0] * 3), name="old"), files(row_of([20.0] * 3), name="slow")
    assert run("bench", "diff", old, old)[0] == 0
    code, out, err = run("bench", "diff", old, slow)
    assert code == 1
    assert "tflite int8: append µs is 2.00 times what it was" in " ".join(err.split())
    code, out, _ = run("bench", "diff", old, slow, "--json")
    assert code == 1
    assert json.loads(out)["ok"] is False


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no such file"),
        ("", "is not JSON"),
        ("[]", "is no bench result"),
        ('{"rows": []}', "is no bench result"),
        ('{"schema": 99}', "newer glint-edge"),
        ('{"schema": 1}', "older glint-edge"),
    ],
)
def test_what_is_no_document_is_refused(tmp_path, run, files, text, words):
    path = tmp_path / "x.json"
    if text is not None:
        path.write_text(text)
    code, _, err = run("bench", "diff", path, files(row_of([1.0]), name="good"))
    assert code == 2
    assert words in " ".join(err.split())


def test_a_document_fits_its_schema_and_comes_back(tmp_path):
    value = document_of(row_of([10.0]), row_of([1.0], target="onnx", ok=False, failures=("x",)))
    write_document(value, tmp_path / "a.json")
    assert read_document(tmp_path / "a.json") == json.loads(json.dumps(value))
    broken = copy.deepcopy(value)
    broken["rows"][0]["append_us"] = {"p50": "fast"}
    (tmp_path / "b.json").write_text(json.dumps(broken))
    with pytest.raises(ConfigError, match="rows"):
        read_document(tmp_path / "b.json")
    assert document_module.SCHEMA.is_file()


def test_a_folder_that_is_not_there_is_said_before_it_matters(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write"):
        write_document(document_of(), tmp_path / "file" / "a.json")


# ---- recorded runs: of one artifact, and of one that does everything twice ----------------------


def recorded():
    """Runs on a busy machine: medians, the machine's speed, CPU time, all by round."""
    return json.loads(Path(__file__).with_name("recorded_runs.json").read_text("utf-8"))


def test_no_run_on_a_busy_machine_is_a_regression_of_another():
    runs = [{work: row_of(**figures) for work, figures in run.items()} for run in recorded()]
    for work in ("once", "twice"):
        found = {verdicts(old[work], new[work])["append µs"] for old, new in permutations(runs, 2)}
        assert found == {"noise"}
    # Other work took the half of both cores and more: twice the work is found, or not told apart.
    found = [verdicts(run["once"], run["twice"])["append µs"] for run in runs]
    assert {"regression"} < set(found) <= {"regression", "slower", "noise"}
    assert found.count("regression") >= 4
    back = [verdicts(run["twice"], run["once"])["append µs"] for run in runs]
    assert back == [
        {"regression": "improvement", "slower": "faster"}.get(one, one) for one in found
    ]
