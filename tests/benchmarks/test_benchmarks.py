"""The benchmark scripts run and print what others rely on; what they measure is docs/results.md."""

import importlib
import json
import runpy
import subprocess
import sys
import warnings
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest
import torch

import glint_edge.api as ge
from device_bench.measure.runtimes import replay
from glint_edge.config import ModelConfig
from glint_edge.model.stream import CHUNK
from glint_edge.runtime.engines import find_engine
from tests import conversions

ROOT = Path(__file__).parents[2]
# For good: scripts find their neighbours by name.
sys.path.append(str(ROOT / "benchmarks"))

pytestmark = pytest.mark.slow


def run(script, *arguments):
    """In a process of its own, for a script that starts others or takes CPUs away from itself."""
    command = [sys.executable, ROOT / "benchmarks" / script, "--json", *arguments]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # nothing else may be on stdout


@pytest.fixture
def run_here(monkeypatch, capfd):
    """As `run`, in this process, which has torch imported."""

    def run(script, *arguments):
        path = ROOT / "benchmarks" / script
        monkeypatch.setattr(sys, "argv", [str(path), "--json", *map(str, arguments)])
        threads = torch.get_num_threads()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            runpy.run_path(str(path), run_name="__main__")
        torch.set_num_threads(threads)
        return json.loads(capfd.readouterr().out)

    return run


@pytest.mark.full
def test_stock_export(run_here):
    pytest.importorskip("onnxruntime", reason="needs glint-edge[onnx]")
    pytest.importorskip("onnxscript", reason="needs glint-edge[onnx]")
    # The quickest to convert.
    sizes = ("--target", "onnx", "--history", 5, "--width", 16, "--items", 200, "--seconds", 0.2)
    result = run_here("stock_export.py", *sizes)
    assert result["ratio"] == pytest.approx(result["stock_us"] / result["stream_us"])
    assert result["stock_overlap"] == 1
    assert result["target"] == "onnx"


def test_cold_start(run_here, tmp_path):
    pytest.importorskip("onnxruntime", reason="needs glint-edge[onnx]")
    pytest.importorskip("onnxscript", reason="needs glint-edge[onnx]")
    sizes = ("--histories", 3, 5, "--width", 16, "--items", 200, "--seconds", 0.2, "--sizes")
    out = tmp_path / "cold.json"
    result = run_here("cold_start.py", *sizes, "--target", "onnx", "--out", out)
    assert set(result["stock_us"]) == {"3", "5"}
    for length in ("3", "5"):
        mine = result["targets"]["onnx"][length]
        assert mine["ratio"] == pytest.approx(mine["us"] / result["stock_us"][length])
        assert mine["tap_ratio"] == pytest.approx(mine["tap_us"] / result["stock_us"][length])
    assert result["targets"]["onnx"]["bytes"]["int8"] < result["targets"]["onnx"]["bytes"]["fp32"]
    written = json.loads(out.read_text())
    assert written["machine"]["cpus"] and written["busy"] in (True, False)
    text = runpy.run_path(str(ROOT / "scripts/docs_tables.py"))["KINDS"]["starts"](out)
    assert "a first start, N 5" in text and text.count("| ONNX Runtime int8 |") == 1


@pytest.mark.full
def test_app_tap(require_native, tmp_path):
    require_native("c")
    bundle, out = tmp_path / "films.glint", tmp_path / "app-tap.json"
    ge.export(out=bundle, targets=["c"])
    result = run("app_tap.py", bundle, "--sessions", 3, "--rounds", 2, "--out", out)
    assert result["neighbours"] == 8
    for row in result["rows"]:
        assert row["artifact_us"] < row["without_us"] < row["with_us"]
    text = runpy.run_path(str(ROOT / "scripts/docs_tables.py"))["KINDS"]["app-taps"](out)
    assert "with the neighbours" in text and "the C++ module" in text


@pytest.mark.full
def test_filters(run_here, tmp_path):
    pytest.importorskip("onnxruntime", reason="needs glint-edge[onnx]")
    words = ("--quick", "--items", 60, 300, "--target", "onnx", "--files", tmp_path)
    result = run_here("filters.py", *words, "--out", tmp_path / "filters.json")
    assert result == json.loads((tmp_path / "filters.json").read_text())
    (row,) = result["rows"]
    assert (row["target"], row["items"]) == ("onnx", 60)
    assert row["bytes"] == (tmp_path / "with/60.onnx").stat().st_size
    assert min(row["plain_us"], row["left_out_us"], row["similar_us"]) > 0
    assert row["before_bytes"] is row["before_us"] is None


def test_training_speed_without_the_peer(run_here, tmp_path):
    log = tmp_path / "ring.txt"
    lines = (f"{user} " + " ".join(f"i{(user + n) % 30}" for n in range(9)) for user in range(60))
    log.write_text("\n".join(lines) + "\n")
    out = tmp_path / "speed.json"
    words = ("--data", log, "--width", 8, "--length", 20, "--out", out)
    result = run_here("training_speed.py", *words)
    run_here("training_speed.py", *words, "--batch-positions", 99)
    run_here("training_speed.py", *words)  # in the place of the first
    rows = json.loads(out.read_text())["rows"]
    assert [row["batch_positions"] for row in rows] == [99, 3200]
    text = runpy.run_path(str(ROOT / "scripts/docs_tables.py"))["KINDS"]["training"](out)
    assert "| ring, d 8, N 20, float32, 99 positions a step |" in text
    assert result["seconds_per_epoch"] > 0
    assert result["peer_seconds_per_epoch"] is None
    assert result["ratio"] is None


@pytest.mark.full
def test_neighbours(ml_100k, run_here, tmp_path):
    out = tmp_path / "neighbours.json"
    result = run_here("neighbours.py", "--neighbours", 8, "--reaches", 10, "--out", out)
    assert json.loads(out.read_text()) == result
    alone, added, mixed = (
        result["rows"][name]["validation_unseen"]
        for name in ("the model alone", "added, 32 neighbours", "mixed, 32 neighbours")
    )
    # The additive form keeps what a mixture wins, which needs the scores of all items.
    assert min(added, mixed) > alone and added > mixed - 0.3 * (mixed - alone)


@pytest.mark.full
def test_new_items(ml_100k, run_here):
    result = run_here("new_items.py", "--seeds", 1, "--strengths", 0, 0.8)
    assert set(result) == {"trained", "strength 0", "strength 0.8"}
    # What the default strength is for: new items are found, and the others hardly less than before.
    (_, plain, *_), (_, new, _, others) = result["strength 0"], result["strength 0.8"]
    assert plain < 0.1 < 0.4 < new
    assert others > 0.85 * result["trained"][3]


@pytest.fixture(scope="module")
def usual():
    """The `.pte` at the sizes that the bars below are stated for, its chunk that of an export."""
    pytest.importorskip("executorch", reason="needs glint-edge[executorch]")
    script = runpy.run_path(str(ROOT / "benchmarks" / "native_loop.py"))
    program = script["program"](ModelConfig(items=3416, d=128), CHUNK)
    return program, conversions.converted(program, "executorch")


@pytest.mark.full
def test_a_chunk_of_the_usual_size_is_as_many_appends(usual):
    program, path = usual
    runtime = find_engine("executorch").load(path, program.config, program.top_k, 1)
    items = [(n * 7) % 40 + 1 for n in range(2 * CHUNK + 3)]
    at_once = runtime.append_many(runtime.empty_state(), items)
    one_by_one = replay(runtime, items)
    actual, expected = map(runtime.to_numpy, (at_once, one_by_one))
    np.testing.assert_allclose(actual, expected, atol=0.02 * np.abs(expected).max())


@pytest.mark.full
@pytest.mark.alone
def test_native_loop(require_native, usual):
    """The bars: below 12 MB, the whole process, and within 10 % of a loop written by hand."""
    require_native("executorch")
    # What else a shared machine does only adds to a time: with more processes, both come down to
    # their own.
    rounds = ("--rounds", 4, "--most-rounds", 18, "--runs", 200)
    result = run("native_loop.py", *rounds, "--artifact", usual[1])
    assert result.pop("memory")["peak_bytes"] < 12e6
    assert set(result) == {"append", "recommend", *(f"cold_start_{n}" for n in (20, 50, 200))}
    for found in result.values():
        assert found["ratio"] == pytest.approx(found["runner_us"] / found["loop_us"])
    ratios = {method: found["ratio"] for method, found in result.items()}
    assert max(ratios.values()) < 1.1, ratios


def test_large_log(monkeypatch, capfd):
    large_log = importlib.import_module("large_log")  # by its name: processes are spawned from it
    alone, threads = large_log.alone, torch.get_num_threads()

    def step(function, *arguments):
        if function is not large_log.train:
            return alone(function, *arguments)
        queue = SimpleQueue()  # torch is imported here
        large_log._measured(queue, function, arguments)
        return queue.get()

    monkeypatch.setattr(large_log, "alone", step)
    sizes = ("--interactions", 20_000, "--items", 2000, "--parts", 2, "--minutes", 0.01)
    words = (*sizes, "--width", 16, "--batch-positions", 512, "--json")
    monkeypatch.setattr(sys, "argv", ["large_log.py", *map(str, words)])
    large_log.main()
    torch.set_num_threads(threads)
    result = json.loads(capfd.readouterr().out)
    assert result["shard"]["items"] == 2000
    assert result["train"]["items_per_second"] > 0
    for step in ("generate", "shard", "train"):
        assert 1e7 < result[step]["peak_memory_bytes"] < 8e9


def test_reading():
    result = run("reading.py", "--rows", 20_000, "--repeats", 1)
    assert result["rows"] == 20_000
    assert result["times"] > 0 and result["columns_bytes"] == 20_000 * (16 + 16 + 8)


def test_instructions(arm64_set_up, run_here):
    pytest.importorskip("onnxruntime", reason="needs glint-edge[onnx]")
    sizes = ("--width", 16, "--items", 200, "--precision", "fp32")
    (row,) = run_here("instructions.py", *sizes, "--target", "onnx", "--core", "cortex-a53")
    assert (row["target"], row["precision"], row["core"]) == ("onnx", "fp32", "cortex-a53")
    assert row["instructions"]["append"] < row["instructions"]["cold_start_20"]
