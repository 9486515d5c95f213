import json
import signal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from glint_edge.checkpoints.checkpoint import load_checkpoint
from glint_edge.config import ModelConfig, TrainConfig
from glint_edge.data.batches import batches, windows
from glint_edge.data.log import load_log
from glint_edge.data.sharded.sharding import make_shards
from glint_edge.errors import CheckpointError, ConfigError, DataError
from glint_edge.evaluation.ranking import evaluate
from glint_edge.training.objective import prefix_objective
from glint_edge.training.resume_file import ABOUT, packed, unpacked
from glint_edge.training.train import train
from tests import forked
from tests.logs import write_ring
from tests.training.runs import run, run_to_a_kill


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """60 users who walk round a ring of 20 items: the next item is certain."""
    return write_ring(tmp_path_factory.mktemp("log") / "ring.txt")


def lines_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_certain_next_item_is_learnt(log, tmp_path):
    checkpoint = run(log, tmp_path / "run", epochs=20, learning_rate=2e-2)
    assert checkpoint.metrics["test"]["ndcg_at_10"] > 0.8
    losses = [line["loss"] for line in lines_of(tmp_path / "run")]
    assert losses[0] > 2 > losses[-1]


def test_what_a_run_leaves(log, tmp_path):
    made = run(log, tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "config.json", "items.json", "model.safetensors", "metrics.jsonl", "curves.png",
        "run.toml",
    }  # fmt: skip
    assert (tmp_path / "run/curves.png").read_bytes().startswith(b"\x89PNG")
    assert [line["epoch"] for line in lines_of(tmp_path / "run")] == [1, 2, 3, 4]
    loaded = load_checkpoint(tmp_path / "run")
    for name, tensor in made.model.state_dict().items():
        assert torch.equal(tensor, loaded.model.state_dict()[name])
    assert loaded.metrics == made.metrics
    assert loaded.data.summary == {
        "users": 60,
        "items": 20,
        "interactions": len(load_log(log).whole.ids),
    }


def test_the_best_epoch_is_kept_not_the_last(log, tmp_path):
    checkpoint = run(log, tmp_path / "run", epochs=8, learning_rate=3e-2)
    best = max(line["validation_ndcg_at_10"] for line in lines_of(tmp_path / "run"))
    parts = load_log(log).split()
    assert evaluate(checkpoint.model, parts.validation()).ndcg == pytest.approx(best)
    assert checkpoint.metrics["test"] == evaluate(checkpoint.model, parts.test()).to_dict()


def test_patience_ends_a_run(log, tmp_path):
    # A step size too small to change any rank: the first epoch stays the best.
    run(log, tmp_path / "run", epochs=50, patience=2, learning_rate=1e-12)
    lines = lines_of(tmp_path / "run")
    assert [line["best_epoch"] for line in lines] == [1, 1, 1]


def test_a_seed_decides_everything(log, tmp_path):
    weights = [
        run(log, tmp_path / name, seed=seed).model.state_dict()["embedding.weight"]
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_killed_run_resumes_to_the_same_result(log, tmp_path):
    whole = run(log, tmp_path / "whole")
    killed = forked.start(run_to_a_kill, log, tmp_path / "killed")
    killed.join(300)
    assert killed.exitcode == -signal.SIGKILL
    assert not (tmp_path / "killed/config.json").exists()
    assert [line["epoch"] for line in lines_of(tmp_path / "killed")] == [1, 2]

    resumed = run(log, tmp_path / "killed", resume=True)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name
    assert resumed.metrics == whole.metrics
    assert without_time(tmp_path / "killed") == without_time(tmp_path / "whole")


def without_time(folder):
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines_of(folder)]


def interrupted(log, out):
    """A run stopped after two epochs."""

    def stop(progress):
        if progress.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(log, out, on_progress=stop)
    return out


def test_a_folder_in_use_is_refused_with_the_way_out(log, tmp_path):
    unfinished = interrupted(log, tmp_path / "run")
    with pytest.raises(ConfigError, match="--resume"):
        run(log, unfinished)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").touch()
    with pytest.raises(ConfigError, match="another --out"):
        run(log, tmp_path / "other")
    with pytest.raises(ConfigError, match="no unfinished run"):
        run(log, tmp_path / "new", resume=True)


def test_a_run_that_ended_in_its_first_epoch_can_be_started_again(log, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(log, tmp_path / "run", on_progress=interrupt)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.toml"]
    run(log, tmp_path / "run", epochs=1)


def interrupt(progress):
    raise KeyboardInterrupt


def test_resuming_with_other_settings_names_them(log, tmp_path):
    unfinished = interrupted(log, tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"learning_rate 0.002 then, 0.5 now; pass those of"):
        run(log, unfinished, resume=True, learning_rate=0.5)


@pytest.mark.parametrize("change", [lambda t: t.pop("average"), lambda t: t.update(crop=0.0)])
def test_resuming_a_run_of_another_version_says_what_to_do(log, tmp_path, change):
    unfinished = interrupted(log, tmp_path / "run")
    path = unfinished / "resume.safetensors"
    tensors, about = unpacked(path.read_bytes(), path)
    change(about["settings"]["training"])
    path.write_bytes(packed(tensors, {name: about[name] for name in ABOUT}))
    with pytest.raises(CheckpointError) as error:
        run(log, unfinished, resume=True)
    assert str(error.value) == (
        f"{path} was started by another version of glint-edge; finish it with that one, or start "
        "again without --resume in another --out"
    )


def test_resuming_with_a_log_that_changed_is_refused(log, tmp_path):
    own = tmp_path / "ring.txt"
    own.write_text(log.read_text())
    unfinished = interrupted(own, tmp_path / "run")
    # The same items as often, so that no size tells: two keys change places everywhere.
    swapped = own.read_text().replace("i3 ", "i_ ").replace("i4 ", "i3 ").replace("i_ ", "i4 ")
    own.write_text(swapped)
    with pytest.raises(CheckpointError, match="with another log, or this one has changed since"):
        run(own, unfinished, resume=True)
    own.write_text(log.read_text())
    run(own, unfinished, resume=True)


def test_a_run_that_was_saved_without_its_log_s_digest_is_resumed(log, tmp_path):
    unfinished = interrupted(log, tmp_path / "run")
    path = unfinished / "resume.safetensors"
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no dict
    settings = json.loads(metadata["settings"])
    del settings["log"]
    before = {"history", "rng.numpy"}  # there was no digest, either
    kept = {name: text for name, text in metadata.items() if name in before}
    save_file(tensors, path, {**kept, "settings": json.dumps(settings)})
    run(log, unfinished, resume=True)


def test_a_log_that_leaves_nothing_to_learn_is_refused_before_any_work(tmp_path):
    (tmp_path / "log.txt").write_text("a x y z\nb y z x\n")
    with pytest.raises(DataError, match=r"log\.txt: each user has three items, of which two"):
        run(tmp_path / "log.txt", tmp_path / "run")
    assert not (tmp_path / "run").exists()
    (tmp_path / "same.txt").write_text("a x x x x\nb x x x x\n")
    with pytest.raises(DataError, match="with one item, so that there is nothing to learn; see"):
        run(tmp_path / "same.txt", tmp_path / "run")
    shards = make_shards(tmp_path / "log.txt", tmp_path / "shards", parts=1)
    with pytest.raises(DataError, match="nothing is left to learn"):
        train(
            shards, ModelConfig(items=3), TrainConfig(), tmp_path / "run",
            source=load_log(shards.folder).source,
        )  # fmt: skip


def test_resuming_with_fewer_epochs_ends_the_run(log, tmp_path):
    unfinished = interrupted(log, tmp_path / "run")
    run(log, unfinished, resume=True, epochs=2)
    assert len(lines_of(unfinished)) == 2
    assert load_checkpoint(unfinished).metrics


def test_a_damaged_run_says_so(log, tmp_path):
    unfinished = interrupted(log, tmp_path / "run")
    whole = (unfinished / "resume.safetensors").read_bytes()
    (unfinished / "resume.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="damaged"):
        run(log, unfinished, resume=True)


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=12),
    st.integers(1, 15),
    st.integers(0, 2**32 - 1),
)
def test_windows_make_every_item_but_the_first_a_target_once(lengths, max_length, seed):
    offsets = np.cumsum([0, *lengths])
    starts, sizes = windows(offsets, max_length, np.random.default_rng(seed))
    assert (sizes >= 1).all()
    assert (sizes <= max_length).all()
    targets = sorted(t for s, n in zip(starts, sizes, strict=True) for t in range(s + 1, s + n + 1))
    expected = sorted(set(range(offsets[-1])) - set(offsets[:-1].tolist()))
    assert targets == expected


def test_the_phase_of_a_long_sequence_changes():
    offsets = np.array([0, 100])
    rng = np.random.default_rng(0)
    assert len({tuple(windows(offsets, 10, rng)[0]) for _ in range(20)}) > 5


def test_batches_hold_each_prediction_once_and_little_padding(log):
    parts = load_log(log).split()
    rng = np.random.default_rng(0)
    pairs, padded = [], 0
    for items, lengths, targets in batches(parts.train_ids, parts.train_offsets, 12, 64, rng):
        assert items.shape == targets.shape
        assert items.numel() <= 64
        padded += items.numel()
        for row, (length, target) in enumerate(zip(lengths, targets, strict=True)):
            pairs += list(zip(items[row, :length].tolist(), target[:length].tolist(), strict=True))
    ids, offsets = parts.train_ids, parts.train_offsets
    expected = [
        (ids[n], ids[n + 1]) for n in range(len(ids) - 1) if n + 1 not in set(offsets.tolist())
    ]
    assert sorted(pairs) == sorted(expected)
    assert padded < 1.3 * len(pairs)


def test_the_loss_is_that_of_each_prefix_alone(make_model):
    model = make_model()
    items = torch.randint(1, 41, (3, 7))
    targets = torch.randint(1, 41, (3, 7))
    lengths = torch.tensor([7, 1, 4])
    losses = []
    for row in range(3):
        for n in range(int(lengths[row])):
            scores = model.score(items[row : row + 1, : n + 1], torch.tensor([n + 1]))
            losses.append(-scores.log_softmax(-1)[0, targets[row, n]])
    loss = prefix_objective(TrainConfig(), np.ones(41, np.int64))(model, items, lengths, targets)
    assert loss.item() == pytest.approx(torch.stack(losses).mean().item(), abs=1e-5)


@pytest.mark.parametrize("has", [{"avx2": True}, {"avx2": True, "amx_bf16": True}])
def test_bfloat16_that_this_cpu_emulates_is_warned_of(log, tmp_path, monkeypatch, caplog, has):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    run(log, tmp_path / "run", epochs=1, precision="bfloat16")
    run(log, tmp_path / "float", epochs=1)
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == ("amx_bf16" not in has)


def test_progress_is_reported_after_each_batch_and_each_epoch(log, tmp_path):
    reports = []
    run(log, tmp_path / "run", epochs=2, on_progress=reports.append)
    first = [p for p in reports if p.epoch == 1]
    batches = first[0].batches
    assert [p.batch for p in first] == [*range(1, batches + 1), batches]
    assert [p.last and p.last.epoch for p in first] == [*[None] * batches, 1]
    assert reports[-1].last.epoch == 2
    assert {p.epochs for p in reports} == {2}
