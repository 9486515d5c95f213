"""The benchmark scripts run and print what others rely on; what they measure is docs/results.md."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def run(script, *arguments):
    command = [sys.executable, ROOT / "benchmarks" / script, "--json", *arguments]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # nothing else may be on stdout


def test_stock_export():
    pytest.importorskip("onnxruntime", reason="needs glint-edge[onnx]")
    pytest.importorskip("litert_torch", reason="needs glint-edge[litert]")
    # The quickest to convert.
    sizes = ("--target", "tflite", "--history", 50, "--width", 16, "--items", 200, "--seconds", 1)
    result = run("stock_export.py", *sizes)
    assert result["ratio"] == pytest.approx(result["stock_us"] / result["stream_us"])
    assert result["stock_overlap"] == 1


def test_cold_start():
    pytest.importorskip("onnxruntime", reason="needs glint-edge[onnx]")
    sizes = ("--histories", 5, 9, "--width", 16, "--items", 200, "--seconds", 0.2, "--sizes")
    result = run("cold_start.py", *sizes, "--target", "onnx")
    assert set(result["stock_us"]) == {"5", "9"}
    for length in ("5", "9"):
        mine = result["targets"]["onnx"][length]
        assert mine["ratio"] == pytest.approx(mine["us"] / result["stock_us"][length])
    assert result["targets"]["onnx"]["bytes"]["int8"] < result["targets"]["onnx"]["bytes"]["fp32"]


def test_training_speed_without_the_peer(ml_100k):
    result = run("training_speed.py", "--width", 8, "--length", 20)
    assert result["seconds_per_epoch"] > 0
    assert result["peer_seconds_per_epoch"] is None
    assert result["ratio"] is None


def test_new_items(ml_100k):
    result = run("new_items.py", "--seeds", 1, "--strengths", 0, 0.8)
    assert set(result) == {"trained", "strength 0", "strength 0.8"}
    # What the default strength is for: new items are found, and the others hardly less than before.
    (_, plain, *_), (_, new, _, others) = result["strength 0"], result["strength 0.8"]
    assert plain < 0.1 < 0.4 < new
    assert others > 0.85 * result["trained"][3]


@pytest.mark.alone
def test_native_loop(require_native):
    """The bars: below 12 MB, the whole process, and within 10 % of a loop written by hand."""
    require_native("executorch")
    results = []
    # What else a shared machine does only adds to a time: with more processes, both come down to
    # their own.
    for _ in range(3):
        # At the sizes they are stated for: d 128, 3,417 items.
        result = run("native_loop.py", "--rounds", 6, "--runs", 200)
        assert result.pop("memory")["peak_bytes"] < 12e6
        assert set(result) == {"append", "recommend", *(f"cold_start_{n}" for n in (20, 50, 200))}
        for found in result.values():
            assert found["ratio"] == pytest.approx(found["runner_us"] / found["loop_us"])
        results.append(result)
        runner, loop = (
            {method: min(one[method][side] for one in results) for method in result}
            for side in ("runner_us", "loop_us")
        )
        ratios = {method: runner[method] / loop[method] for method in result}
        if max(ratios.values()) < 1.1:
            return
    pytest.fail(f"the runner's times are these multiples of the loop's: {ratios}")


def test_large_log():
    sizes = ("--interactions", 40_000, "--items", 2000, "--parts", 2, "--minutes", 0.05)
    result = run("large_log.py", *sizes, "--width", 16, "--batch-positions", 1024)
    assert result["shard"]["items"] == 2000
    assert result["train"]["items_per_second"] > 0
    for step in ("generate", "shard", "train"):
        assert 1e7 < result[step]["peak_memory_bytes"] < 8e9


def test_instructions():
    pytest.importorskip("onnxruntime", reason="needs glint-edge[onnx]")
    from device_bench.runners import arm64

    if missing := [finding.what for finding in arm64.check() if not finding.ok]:
        pytest.skip(f"arm64 lacks {', '.join(missing)}")
    sizes = ("--width", 16, "--items", 200, "--precision", "fp32")
    (row,) = run("instructions.py", *sizes, "--target", "onnx", "--core", "cortex-a53")
    assert (row["target"], row["precision"], row["core"]) == ("onnx", "fp32", "cortex-a53")
    assert row["instructions"]["append"] < row["instructions"]["cold_start_20"]
