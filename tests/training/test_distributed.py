"""Training in two processes, as torchrun starts them."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import load_file

from glint_edge.checkpoints.checkpoint import load_checkpoint
from glint_edge.data.sequences import HeldOut
from glint_edge.errors import ConfigError
from glint_edge.evaluation.ranking import part_of_users, ranked
from glint_edge.processes.distributed import Alone, find_device
from tests.logs import write_ring
from tests.training.ranks import launch
from tests.training.runs import spoil_steps

pytestmark = pytest.mark.slow

SIZES = [
    "--width", "8", "--heads", "2", "--max-length", "12", "--batch-positions", "64",
    "--learning-rate", "0.01", "--embedding-dropout", "0", "--attention-dropout", "0",
    "--block-dropout", "0",
]  # fmt: skip


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return write_ring(tmp_path_factory.mktemp("log") / "ring.txt")


def words(log, out, *options):
    return ["train", "--data", str(log), "--out", str(out), *SIZES, *options]


def torchrun(log, out, *options):
    """The command by which a user starts two processes."""
    start = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]
    return [sys.executable, *start, "glint_edge", *words(log, out, *options)]


ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def curve(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines], [line["validation_ndcg_at_10"] for line in lines]


def test_two_processes_take_the_steps_of_one(log, run, tmp_path):
    items = tmp_path / "items.csv"
    items.write_text("item,third\n" + "".join(f"i{n},{n % 3}\n" for n in range(20)))
    asked = ["--epochs", "4", "--json", "--items", items, "--item-field", "third"]
    asked += ["--item-row-dropout", "0"]  # which each process would draw for itself
    code, out, err = run(*words(log, tmp_path / "one", *asked))
    assert code == 0, err
    both = launch(tmp_path, *[words(log, tmp_path / "two", *asked)] * 2)
    assert both.wait() == ([0, 0], [])
    first, second = ((tmp_path / f"{rank}.out").read_text() for rank in range(2))
    assert json.loads(first)["test"]["users"] == 60  # one object: rank 0 alone reports
    assert second == ""
    assert json.loads(out)["test"].keys() == json.loads(first)["test"].keys()
    losses, ndcg = curve(tmp_path / "one")
    assert losses[0] - losses[-1] > 0.5  # it learns: equal curves say something
    assert curve(tmp_path / "two")[0] == pytest.approx(losses, rel=1e-4)
    assert curve(tmp_path / "two")[1] == pytest.approx(ndcg, abs=0.02)
    one, two = (load_file(tmp_path / n / "model.safetensors") for n in ("one", "two"))
    for name, weights in one.items():
        torch.testing.assert_close(two[name], weights, rtol=0.01, atol=0.003)
    one, two = (load_checkpoint(tmp_path / name).vectors.rows for name in ("one", "two"))
    torch.testing.assert_close(two, one, rtol=0.01, atol=0.003)


@pytest.mark.full
def test_torchrun_starts_them(log, tmp_path):
    both = subprocess.run(
        torchrun(log, tmp_path / "two", "--epochs", "1", "--json"), capture_output=True, text=True,
        check=False, env=ENVIRONMENT,
    )  # fmt: skip
    assert both.returncode == 0, both.stderr
    assert json.loads(both.stdout)["test"]["users"] == 60


ENDLESS = ("--epochs", "500", "--patience", "500")


def await_an_epoch(out):
    waited = time.monotonic() + 300
    while not (out / "metrics.jsonl").is_file():
        assert time.monotonic() < waited
        time.sleep(0.05)


@pytest.mark.full
def test_a_dead_process_is_one_line_and_loses_no_epoch(log, run, tmp_path):
    out = tmp_path / "run"
    launched = launch(tmp_path, *[words(log, out, *ENDLESS)] * 2)
    await_an_epoch(out)
    launched.processes[1].kill()
    codes, (line,) = launched.wait()
    assert codes[0] not in (0, None)
    assert "another process of this training died" in line
    assert "--resume" in line
    kept = len(curve(out)[0])
    assert kept >= 1
    # By one process: how many there are is no part of a run.
    rest = ("--epochs", str(kept + 1), "--patience", "500", "--resume")
    code, _, err = run(*words(log, out, *rest))
    assert code == 0, err
    assert len(curve(out)[0]) == kept + 1
    assert (out / "model.safetensors").is_file()


@pytest.mark.full
def test_a_process_that_torchrun_ends_says_why(log, tmp_path):
    """It ends the others when one has died, often before they notice by themselves."""
    out = tmp_path / "run"
    launched = launch(tmp_path, *[words(log, out, *ENDLESS)] * 2)
    await_an_epoch(out)
    launched.processes[1].terminate()
    codes, (line,) = launched.wait()
    assert not {0, None} & {*codes}
    assert "another process of this training died" in line


@pytest.mark.full
def test_the_first_process_dies_while_the_other_computes(log, tmp_path):
    # Steps so long that torchrun ends the other process before it misses the first.
    long = ("--width", "512", "--heads", "2", "--max-length", "38", "--batch-positions", "2400")
    out = tmp_path / "run"
    started = subprocess.Popen(
        torchrun(log, out, *ENDLESS, *long),
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    await_an_epoch(out)
    for child in psutil.Process(started.pid).children():
        if child.environ().get("RANK") == "0":
            child.kill()
    _, said = started.communicate(timeout=90)
    assert started.returncode != 0
    (line,) = (line for line in said.splitlines() if line.startswith("error: "))
    assert "another process of this training died" in line


def test_what_all_processes_refuse_is_said_once(tmp_path):
    refused = words(tmp_path / "nothing.csv", tmp_path / "run")
    codes, (line,) = launch(tmp_path, refused, refused).wait()
    assert not {0, None} & {*codes}
    assert "no such file" in line


def test_processes_with_different_data_are_refused(log, tmp_path):
    """As on two machines, each with a log of its own under one path."""
    other = tmp_path / "other.txt"
    other.write_text(log.read_text().partition("\n")[2])
    launched = launch(tmp_path, *(words(each, tmp_path / "run") for each in (log, other)))
    codes, (line,) = launched.wait()
    assert not {0, None} & {*codes}
    assert "process 1 has other data" in line


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    assert find_device("cpu") == torch.device("cpu")
    with pytest.raises(ConfigError, match=r"unknown; did you mean cuda\?"):
        find_device("gpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ConfigError, match="finds no CUDA device"):
        find_device("cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ConfigError, match="process 2 has no GPU, there are 2"):
        find_device("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_takes_the_steps_of_the_cpu(log, run, tmp_path):
    for device in ("cpu", "cuda"):
        code, _, err = run(*words(log, tmp_path / device, "--epochs", "3", "--device", device))
        assert code == 0, err
    assert curve(tmp_path / "cuda")[0] == pytest.approx(curve(tmp_path / "cpu")[0], rel=1e-3)


class Rank(Alone):
    def __init__(self, rank, size):
        self.rank, self.size = rank, size


def test_the_parts_of_the_users_are_all_users_in_order(make_model):
    model = make_model()
    rng = np.random.default_rng(1)
    lengths = rng.integers(1, 9, 7)
    users = HeldOut(
        rng.integers(1, 41, lengths.sum()), np.cumsum([0, *lengths]), rng.integers(1, 41, 7)
    )
    for size in (1, 2, 3, 8):
        parts = [ranked(model, part_of_users(users, Rank(r, size))).ranks for r in range(size)]
        assert np.concatenate(parts).tolist() == ranked(model, users).ranks.tolist()


def test_a_loss_that_is_no_number_ends_all_and_one_says_so(log, tmp_path):
    one = words(log, tmp_path / "run")
    codes, lines = launch(tmp_path, one, one, prepare=spoil_steps).wait()
    assert codes == [2, 2]
    (line,) = lines
    assert "the loss became nan at batch 2 in epoch 1" in line
