"""A training whose numbers are none any more: it stops, says so, and keeps what was good."""

import copy
import json
import math
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from glint_edge.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from glint_edge.errors import CheckpointError, DivergedError
from glint_edge.training import epochs as loop
from tests.logs import write_ring
from tests.training.runs import run as train_ring
from tests.training.runs import spoil


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return write_ring(tmp_path_factory.mktemp("log") / "ring.txt")


def require_no_nan(folder):
    """In no JSON, and in no weights."""
    for path in folder.rglob("*"):
        lines = path.read_text().splitlines() if path.suffix in (".json", ".jsonl") else []
        for text in lines if path.suffix == ".jsonl" else ["".join(lines)] * bool(lines):
            json.loads(text, parse_constant=pytest.fail)
        if path.suffix == ".safetensors":
            assert all(tensor.isfinite().all() for tensor in load_file(path).values())


@pytest.fixture
def breaks_in(monkeypatch):
    """Makes the loss of the n-th epoch's second batch what it is not to be."""

    def breaks(epoch, value=math.nan):
        calls = {"epochs": 0}
        objective_of = loop.prefix_objective

        def make(config, counts):
            calls["epochs"] += 1
            now, batches, whole = calls["epochs"], iter(range(10**9)), objective_of(config, counts)

            def objective(*batch):
                loss = whole(*batch)
                return loss * value if (now, next(batches)) == (epoch, 1) else loss

            return objective

        monkeypatch.setattr(loop, "prefix_objective", make)

    return breaks


SIZES = ["--width", "8", "--heads", "2", "--max-length", "12", "--batch-positions", "64"]


@pytest.mark.parametrize(
    "levers",
    [[], ["--loss", "sampled-softmax", "--negatives", "8"], ["--precision", "bfloat16"]],
)
def test_a_loss_that_is_no_number_ends_the_command(log, run, tmp_path, monkeypatch, levers):
    monkeypatch.setattr(torch.optim.Adam, "step", spoil)  # a step that leaves float32
    out = tmp_path / "run"
    levers = ["--learning-rate", "9.9", *levers]
    code, said, err = run("train", "--data", log, "--out", out, "--epochs", "3", *SIZES, *levers)
    assert (code, said) == (2, "")
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert "in epoch 1" in line
    assert "than 9.9" in line
    assert ("or --precision float32" in line) == ("bfloat16" in levers)
    assert {path.name for path in out.iterdir()} == {"run.toml"}  # the folder is free again
    require_no_nan(out)


def test_the_epochs_before_are_kept_and_can_be_gone_on_from(log, tmp_path, breaks_in, monkeypatch):
    whole, out = train_ring(log, tmp_path / "whole", epochs=3), tmp_path / "run"
    breaks_in(3, math.inf)
    said = r"became inf at batch 2 in epoch 3; the best of .*run; .*--learning-rate than 0\.002"
    with pytest.raises(DivergedError, match=said):
        train_ring(log, out, epochs=3)
    require_no_nan(out)
    assert load_checkpoint(out).metrics["validation"]["ndcg_at_10"] > 0
    assert len((out / "metrics.jsonl").read_text().splitlines()) == 2
    monkeypatch.undo()
    assert train_ring(log, out, resume=True, epochs=3).metrics == whole.metrics
    assert not (out / "resume.safetensors").exists()


@pytest.mark.parametrize("name", ["embedding", "norm"])
def test_weights_that_the_last_step_broke_are_not_kept(log, tmp_path, monkeypatch, name):
    """No loss follows an epoch's last step; row 0 of the table even changes no score."""
    train_epoch = loop.train_epoch

    def broken(model, *arguments, **options):
        loss = train_epoch(model, *arguments, **options)
        getattr(model, name).weight.data[0] = math.nan
        return loss

    monkeypatch.setattr(loop, "train_epoch", broken)
    with pytest.raises(DivergedError, match="a weight became infinite or NaN in epoch 1"):
        train_ring(log, tmp_path / "run", neighbour_rows=0)  # a table whose rows can be broken
    require_no_nan(tmp_path / "run")


def test_a_run_that_an_older_version_trained_on_is_not_resumed(log, tmp_path, breaks_in):
    out = tmp_path / "run"
    breaks_in(2)
    with pytest.raises(DivergedError):
        train_ring(log, out, epochs=2)
    with safe_open(out / "resume.safetensors", "pt") as file:
        metadata = file.metadata()
    del metadata["digest"]  # older versions wrote none
    tensors = load_file(out / "resume.safetensors")
    tensors["model.norm.weight"][0] = math.nan
    save_file(tensors, out / "resume.safetensors", metadata)
    with pytest.raises(CheckpointError, match="not finite; start again"):
        train_ring(log, out, resume=True, epochs=2)


@pytest.fixture(scope="module")
def good(log, tmp_path_factory):
    return train_ring(log, tmp_path_factory.mktemp("good") / "run", epochs=1)


@pytest.fixture
def broken(good, tmp_path):
    """Saves a checkpoint with other weights, and digests that are right."""

    def save(name, value, rows=slice(None)):
        model = copy.deepcopy(good.model)
        model.get_parameter(name).data[rows] = value
        save_checkpoint(replace(good, model=model), tmp_path / "broken")
        return tmp_path / "broken"

    return save


@pytest.mark.parametrize(
    ("value", "protocol"),
    [(math.nan, "full"), (math.inf, "unseen"), (1e38, "full"), (1e38, "sampled-pop100")],
)
def test_evaluate_gives_no_figures_of_no_numbers(log, run, broken, value, protocol):
    folder = broken("norm.weight", value)
    code, said, err = run("evaluate", folder, "--data", log, "--protocol", protocol, "--json")
    assert (code, said) == (2, "")
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert "not finite" in line and "train" in line


def test_no_command_takes_such_a_checkpoint(broken):
    with pytest.raises(CheckpointError, match="holds numbers that are not finite; train again"):
        load_checkpoint(broken("embedding.weight", math.nan, rows=0))
