"""benchmarks/gpu.py tells a curve that is the CPU's from one that is not."""

import argparse
import importlib
import sys
from pathlib import Path

import pytest
import torch

from tests.logs import write_ring

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
gpu = importlib.import_module("gpu")


def test_the_cpu_trains_what_the_cpu_trains(tmp_path):
    log = write_ring(tmp_path / "ring.txt", items=30, longest=20)
    asked = argparse.Namespace(data=str(log), epochs=2, d=16, max_length=20, batch_positions=200)
    threads = torch.get_num_threads()
    found = gpu.measure(asked, "cpu")
    torch.set_num_threads(threads)
    same, low = found["compared"]
    assert same["difference"] == 0 and same["good"]
    assert 0 < low["difference"] <= low["tolerance"] and low["good"]
    assert found["items_per_second"] > 0
    assert len(found["curves"]) == 3 and len(found["curves"][0]["losses"]) == 2


@pytest.mark.parametrize(("losses", "good"), [((4.0, 3.001), True), ((4.0, 3.01), False),
                                              ((4.0, float("nan")), False)])  # fmt: skip
def test_a_curve_that_lies_too_far_off_fails(losses, good):
    first = gpu.Curve("cpu", "float32", [4.0, 3.0], 1.0)
    (row,) = gpu.compare([first, gpu.Curve("cuda", "float32", list(losses), 1.0)])
    assert row["good"] is good


def test_without_a_gpu_it_says_so_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    with pytest.raises(SystemExit) as exit_:
        gpu.main()
    assert exit_.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
