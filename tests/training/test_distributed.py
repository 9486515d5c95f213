"""Training in two processes, by torchrun, as a user starts it."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import load_file

from glint_edge.data.sequences import HeldOut
from glint_edge.errors import ConfigError
from glint_edge.evaluation.ranking import _part, target_ranks
from glint_edge.processes.distributed import Alone, find_device

pytestmark = pytest.mark.slow

SIZES = [
    "--width", "8", "--heads", "2", "--max-length", "12", "--batch-positions", "64",
    "--learning-rate", "0.01", "--embedding-dropout", "0", "--attention-dropout", "0",
    "--block-dropout", "0",
]  # fmt: skip


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("log") / "ring.txt"
    lines = []
    for user in range(60):
        start, length = rng.integers(20), rng.integers(5, 40)
        lines.append(f"{user} " + " ".join(f"i{(start + n) % 20}" for n in range(length)))
    path.write_text("\n".join(lines) + "\n")
    return path


def command(log, out, *options, processes=2):
    python = [sys.executable, "-m"]
    if processes > 1:
        python += ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    return [*python, "glint_edge", "train", "--data", str(log), "--out", str(out), *SIZES, *options]


def environment():
    return os.environ | {"OMP_NUM_THREADS": "1"}


def run(*arguments, **options):
    return subprocess.run(
        command(*arguments, **options), capture_output=True, text=True, check=False,
        env=environment(),
    )  # fmt: skip


def curve(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines], [line["validation_ndcg_at_10"] for line in lines]


def test_two_processes_take_the_steps_of_one(log, tmp_path):
    alone = run(log, tmp_path / "one", "--epochs", "4", "--json", processes=1)
    both = run(log, tmp_path / "two", "--epochs", "4", "--json")
    assert both.returncode == 0, both.stderr
    assert json.loads(both.stdout)["test"]["users"] == 60  # one object: rank 0 alone reports
    assert json.loads(alone.stdout)["test"].keys() == json.loads(both.stdout)["test"].keys()
    losses, ndcg = curve(tmp_path / "one")
    assert losses[0] - losses[-1] > 0.5  # it learns: equal curves say something
    assert curve(tmp_path / "two")[0] == pytest.approx(losses, rel=1e-4)
    assert curve(tmp_path / "two")[1] == pytest.approx(ndcg, abs=0.02)
    one, two = (load_file(tmp_path / n / "model.safetensors") for n in ("one", "two"))
    for name, weights in one.items():
        torch.testing.assert_close(two[name], weights, rtol=0.01, atol=0.003)


def killed(rank, log, out, *options):
    """A run one of whose two processes is killed after an epoch: exit code, our lines."""
    started = subprocess.Popen(
        command(log, out, "--epochs", "500", "--patience", "500", *options),
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    waited = time.monotonic() + 90
    while not (out / "metrics.jsonl").is_file() and time.monotonic() < waited:
        time.sleep(0.1)
    workers = {
        child.environ().get("RANK"): child for child in psutil.Process(started.pid).children()
    }
    workers[rank].send_signal(signal.SIGKILL)
    _, told = started.communicate(timeout=90)
    return started.returncode, errors(told)


def errors(told):
    return [line for line in told.splitlines() if line.startswith("error: ")]


def test_a_dead_process_is_one_line_and_loses_no_epoch(log, tmp_path):
    out = tmp_path / "run"
    code, (line,) = killed("1", log, out)
    assert code != 0
    assert "another process of this training died" in line
    assert "--resume" in line
    kept = len(curve(out)[0])
    assert kept >= 1
    # By one process: how many there are is no part of a run.
    rest = ("--epochs", str(kept + 1), "--patience", "500", "--resume")
    again = run(log, out, *rest, processes=1)
    assert again.returncode == 0, again.stderr
    assert len(curve(out)[0]) == kept + 1
    assert (out / "model.safetensors").is_file()


def test_the_first_process_dies_while_the_other_computes(log, tmp_path):
    # Steps so long that torchrun ends the other process before it misses the first.
    long = ("--width", "512", "--heads", "2", "--max-length", "38", "--batch-positions", "2400")
    code, (line,) = killed("0", log, tmp_path / "run", *long)
    assert code != 0
    assert "another process of this training died" in line


def test_what_all_processes_refuse_is_said_once(tmp_path):
    refused = run(tmp_path / "nothing.csv", tmp_path / "run")
    assert refused.returncode != 0
    assert len(errors(refused.stderr)) == 1
    assert "no such file" in errors(refused.stderr)[0]


def test_processes_with_different_data_are_refused(log, tmp_path):
    """As on two machines, each with a log of its own under one path."""
    script = tmp_path / "each.py"
    script.write_text(
        "import os, sys\n"
        "from pathlib import Path\n"
        "from glint_edge.cli.app import main\n"
        "if os.environ['RANK'] == '1':\n"
        "    at = sys.argv.index('--data') + 1\n"
        "    other = Path(sys.argv[at]).with_name('other.txt')\n"
        "    other.write_text(Path(sys.argv[at]).read_text().partition('\\n')[2])\n"
        "    sys.argv[at] = str(other)\n"
        "main()\n"
    )
    whole = command(log, tmp_path / "run")
    at = whole.index("glint_edge")
    refused = subprocess.run(
        [*whole[: at - 1], str(script), *whole[at + 1 :]], capture_output=True, text=True,
        check=False, env=environment(),
    )  # fmt: skip
    assert refused.returncode != 0
    assert len(errors(refused.stderr)) == 1
    assert "process 1 has other data" in errors(refused.stderr)[0]


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    assert find_device("cpu") == torch.device("cpu")
    with pytest.raises(ConfigError, match="choose one of cpu, cuda"):
        find_device("gpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ConfigError, match="finds no CUDA device"):
        find_device("cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ConfigError, match="process 2 has no GPU, there are 2"):
        find_device("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_takes_the_steps_of_the_cpu(log, tmp_path):
    for device in ("cpu", "cuda"):
        done = run(log, tmp_path / device, "--epochs", "3", "--device", device, processes=1)
        assert done.returncode == 0, done.stderr
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
        parts = [target_ranks(model, _part(users, Rank(r, size))) for r in range(size)]
        assert np.concatenate(parts).tolist() == target_ranks(model, users).tolist()
