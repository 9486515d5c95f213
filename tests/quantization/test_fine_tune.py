"""Quantization-aware training wins where int8 loses."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from glint_edge.config import ModelConfig, TrainConfig
from glint_edge.data.log import load_log
from glint_edge.errors import ConfigError, DivergedError, MissingExtraError
from glint_edge.evaluation.ranking import evaluate
from glint_edge.model.glint_ru import GlintRU
from glint_edge.model.stream import empty_state, stream_program
from quantization import quantize
from quantization.qat import fine_tune as qat
from quantization.qat.fine_tune import fine_tune
from tests.logs import write_ring
from tests.skips import needs

pytestmark = needs("torchao", "qat")

LARGER = 1000
CONFIG = TrainConfig(batch_positions=64, learning_rate=0.05)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """60 users who walk round a ring of 20 items: the next item is certain."""
    return load_log(write_ring(tmp_path_factory.mktemp("log") / "ring.txt")).split()


@pytest.fixture(scope="module")
def trained(parts):
    """A float model that knows the ring, in a form that int8 cannot hold.

    Three channels before the convolution and in the gated MLP are made much larger, and the weights
    that read them as much smaller: the same function in float, but the other channels now fall on
    a few of int8's levels.
    """
    from glint_edge.training.epochs import train_epoch

    torch.manual_seed(0)
    model = GlintRU(ModelConfig(items=20, d=16, heads=2, max_length=12))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    rng = np.random.default_rng(0)
    for _ in range(25):
        train_epoch(model, optimizer, parts, TrainConfig(batch_positions=64), rng)
    with torch.no_grad():
        for writes, reads in ((model.gru_in, model.conv_in), (model.mlp_in, model.mlp_out)):
            writes.weight[:3] *= LARGER
            writes.bias[:3] *= LARGER
            reads.weight[:, :3] /= LARGER
    return model.eval()


@pytest.fixture(scope="module")
def tuned(trained, parts):
    told = []
    before = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    found, report = fine_tune(trained, parts, CONFIG, epochs=3, on_progress=told.append)
    return found, report, told, before


def test_what_int8_lost_is_won_back(trained, parts, tuned, rounded):
    model, report, _, _ = tuned
    assert report.ndcg_before < 0.97 * report.ndcg_float, "else there is nothing to win"
    lost, left = report.ndcg_float - report.ndcg_before, report.ndcg_float - report.ndcg_after
    assert left < lost / 2
    assert report.best_epoch > 0
    assert evaluate(rounded(model), parts.validation()).ndcg == report.ndcg_after
    assert evaluate(trained, parts.validation()).ndcg == report.ndcg_float


def test_the_stream_has_what_the_report_says(parts, tuned):
    """Rank by rank on the exported form: what was measured in batch is what will run."""
    model, report, _, _ = tuned
    program = quantize(stream_program(model, top_k=10))
    held_out, gains = parts.validation(), []
    with torch.inference_mode():
        for user, target in enumerate(held_out.targets):
            history = held_out.ids[held_out.offsets[user] : held_out.offsets[user + 1]]
            state = empty_state(program.config)
            for item in history[-12:].tolist():
                state = program.append(state, torch.tensor([item]))
            ranked = program.recommend(state)[0][0].tolist()
            gains.append(1 / np.log2(ranked.index(target) + 2) if target in ranked else 0.0)
    assert np.mean(gains) == pytest.approx(report.ndcg_after, abs=0.02)


def test_the_given_model_stays_as_it_was(trained, tuned):
    assert not trained.training
    for name, tensor in trained.state_dict().items():
        assert torch.equal(tensor, tuned[3][name]), name
        assert tensor.grad is None


def test_progress_is_told_after_every_batch(tuned):
    told = tuned[2]
    assert [p.epoch for p in told] == sorted(p.epoch for p in told)
    assert {(p.epoch, p.epochs) for p in told} == {(1, 3), (2, 3), (3, 3)}
    for epoch in (1, 2, 3):
        batches = [(p.batch, p.batches) for p in told if p.epoch == epoch]
        assert batches == [(n, len(batches)) for n in range(1, len(batches) + 1)]


def test_the_report_is_json(tuned):
    report = tuned[1]
    assert json.loads(json.dumps(report.to_dict())) == vars(report)
    assert report.epochs == 3
    assert report.seconds > 0


def test_a_seed_decides_everything(trained, parts):
    one, other = (fine_tune(trained, parts, CONFIG, epochs=1)[0].state_dict() for _ in range(2))
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def test_it_never_ends_worse_than_plain_int8(trained, parts, monkeypatch):
    """Here every epoch is a disaster: the model comes back untouched."""
    monkeypatch.setattr(qat, "SLOWER", 4.0)
    model, report = fine_tune(trained, parts, CONFIG, epochs=2)
    assert (report.best_epoch, report.ndcg_after) == (0, report.ndcg_before)
    for name, tensor in trained.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name]), name


def test_a_loss_that_is_no_number_ends_it(trained, parts, monkeypatch, caplog):
    def diverge(*_):
        raise DivergedError("the loss became nan at batch 2", "")

    monkeypatch.setattr(qat, "train_epoch", diverge)
    model, report = fine_tune(trained, parts, CONFIG, epochs=2)
    assert (report.epochs, report.best_epoch, report.ndcg_after) == (0, 0, report.ndcg_before)
    assert torch.equal(model.embedding.weight, trained.embedding.weight)
    assert "became nan at batch 2 in epoch 1 of the fine-tuning, which ends here" in caplog.text


@pytest.mark.parametrize("epochs", [0, -1])
def test_no_epochs_are_refused(trained, parts, epochs):
    with pytest.raises(ConfigError, match="at least 1 epoch"):
        fine_tune(trained, parts, CONFIG, epochs=epochs)


def test_other_data_is_refused(model, parts):
    with pytest.raises(ConfigError, match="knows 40 items, the data has 20"):
        fine_tune(model, parts, CONFIG)


def test_a_model_in_training_is_refused(make_model, parts):
    with pytest.raises(ConfigError, match="training mode"):
        fine_tune(make_model(items=20).train(), parts, CONFIG)


def test_without_torchao_the_extra_is_named(make_model, parts, monkeypatch):
    monkeypatch.setattr(qat, "missing", lambda packages: packages)
    with pytest.raises(MissingExtraError, match=r"glint-edge\[qat\]"):
        fine_tune(make_model(items=20), parts, CONFIG)


@pytest.mark.full
def test_looking_at_it_imports_no_torchao_and_a_command_that_uses_it_prints_nothing():
    """torchao does, on import; `glint-edge export --json` must print one JSON object."""
    script = (
        "import sys; from glint_edge.config import ModelConfig;"
        "from glint_edge.model.glint_ru import GlintRU; from quantization.qat import fine_tune;"
        "from glint_edge.processes.native_output import command_line;"
        "print('torchao' in sys.modules); model = GlintRU(ModelConfig(items=3))\n"
        "with command_line(): fine_tune._rounded(model)\n"
        "print('torchao' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("False\nTrue\n", "")
