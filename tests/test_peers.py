"""The peers of benchmarks/accuracy.py are the models they are called after."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def load_peers():
    spec = importlib.util.spec_from_file_location("peers", BENCHMARKS / "peers.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["peers"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


peers = load_peers()


@pytest.fixture(params=["SASRec", "GRU4Rec"])
def peer(request):
    torch.manual_seed(1)
    made = getattr(peers, request.param)(peers.PeerConfig(items=30, d=8, max_length=9))
    with torch.no_grad():  # 0.02 would hide a forgotten part
        for parameter in made.parameters():
            parameter.normal_(std=0.5)
    return made.eval()


def test_each_row_of_prefixes_is_that_prefix_encoded(peer):
    items = torch.randint(1, 31, (4, 9))
    whole = peer.prefixes(items, torch.full((4,), 9))
    for n in range(9):
        alone = peer.encode(items[:, : n + 1], torch.full((4,), n + 1))
        torch.testing.assert_close(whole[:, n], alone)


def test_order_matters_and_padding_does_not(peer):
    items = torch.tensor([[3, 7, 9, 0], [7, 3, 9, 0], [3, 7, 9, 30]])
    hidden = peer.encode(items, torch.tensor([3, 3, 3]))
    assert (hidden[0] - hidden[1]).abs().max() > 1e-3
    torch.testing.assert_close(hidden[0], hidden[2])


def run(*arguments):
    command = [sys.executable, BENCHMARKS / "accuracy.py", *arguments]
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("model", ["glint", "sasrec", "gru4rec"])
def test_a_certain_next_item_is_learnt_by_each(tmp_path, model):
    rng = np.random.default_rng(0)
    log = tmp_path / "ring.txt"
    lines = []
    for user in range(60):
        start, length = rng.integers(30), rng.integers(5, 20)
        lines.append(f"{user} " + " ".join(f"i{(start + n) % 30}" for n in range(length)))
    log.write_text("\n".join(lines) + "\n")
    sizes = ("--d", 16, "--dropout", 0.1, "--learning-rate", 0.02, "--batch-positions", 64)
    done = run("--data", log, "--model", model, "--epochs", 12, "--minutes", 1, "--json", *sizes)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {"ndcg_at_10", "recall_at_10", "mrr_at_10", "minutes", "epochs"} <= set(told)
    assert told["protocol"] == "unseen"  # nobody takes an item twice
    assert told["ndcg_at_10"] > 0.7
    assert told["full_ndcg_at_10"] <= told["ndcg_at_10"]


def test_a_log_that_is_not_there_is_one_line():
    done = run("--data", "no/such/log.txt", "--json")
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "no/such/log.txt" in done.stderr
