"""Items added and retired after training, in a checkpoint and in its stream."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from glint_edge.checkpoints.changes import NewItem, add_items, retire_items
from glint_edge.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from glint_edge.checkpoints.near_items import items_of_log, mean_of, read_rows
from glint_edge.data.log import load_log
from glint_edge.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    UnknownItemError,
)
from glint_edge.model.stream import stream_program
from quantization import quantize
from tests.checkpoints.changed import HISTORIES, ROW, lists

# ---- the float model ----------------------------------------------------------------------------


def test_ids_stay_and_new_items_come_last(trained, changed):
    assert changed.catalogue.keys == (*trained.catalogue.keys, "new")
    assert changed.catalogue.titles == {"k1": "One", "new": "A new one"}
    assert (changed.catalogue.added, changed.catalogue.version) == (1, 3)
    old, new = trained.model.embedding.weight, changed.model.embedding.weight
    assert torch.equal(new[:-1], old)
    direction = torch.cosine_similarity(new[-1], old[[2, 3]].mean(dim=0), dim=0)
    assert direction.item() == pytest.approx(1.0, abs=1e-6)
    assert new[-1].norm().item() == pytest.approx(0.8 * old[[2, 3]].norm(dim=1).mean().item())
    assert trained.model.config.items == 40 and not trained.model.retired
    # Figures of another catalogue are nobody's.
    assert changed.metrics == {}


def test_a_mean_may_be_left_as_it_comes_out(trained):
    rows = trained.model.embedding.weight
    assert torch.equal(mean_of(trained, ["k2", "k3"], 0.0), rows[[2, 3]].mean(dim=0))


def test_a_retired_item_serves_histories_and_is_in_no_list(trained, changed):
    items, lengths = torch.tensor([[7, 1, 7, 3]]), torch.tensor([4])
    before, after = (each.model.score(items, lengths) for each in (trained, changed))
    stays = [n for n in range(1, 41) if n not in (1, 7)]
    assert torch.equal(after[:, stays], before[:, stays])
    assert torch.isinf(after[:, [0, 1, 7]]).all()


def test_a_changed_checkpoint_is_stored_and_read_again(changed, tmp_path):
    save_checkpoint(changed, tmp_path / "run")
    again = load_checkpoint(tmp_path / "run")
    assert again.catalogue == changed.catalogue
    assert again.model.retired == (7, 1)
    assert torch.equal(again.model.embedding.weight, changed.model.embedding.weight)
    assert add_items(again, [NewItem("x", torch.ones(16))]).model.retired == (7, 1)


def test_a_retired_item_that_is_not_there_is_a_damaged_checkpoint(changed, tmp_path):
    broken = replace(changed, catalogue=replace(changed.catalogue, retired=("nobody",)))
    save_checkpoint(broken, tmp_path / "run")
    with pytest.raises(CheckpointError, match="nobody"):
        load_checkpoint(tmp_path / "run")


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ([], "no item was named"),
        ([NewItem("", ROW)], "key is empty"),
        ([NewItem("k3", ROW)], "'k3' is in the catalogue already;"),
        ([NewItem("k7", ROW)], "'k7' is in the catalogue already, and retired"),
        ([NewItem("x", ROW), NewItem("x", ROW)], "'x' is in the catalogue already"),
        ([NewItem("x", torch.ones(15))], "vector of 15 numbers, the model's have 16"),
        ([NewItem("x", ROW * torch.nan)], "not finite"),
        ([NewItem("x", ROW * torch.inf)], "not finite"),
        ([NewItem("x", ROW * 0)], "all zeros"),
    ],
)
def test_what_cannot_be_added(changed, items, says):
    with pytest.raises(ConfigError, match=says):
        add_items(changed, items)


@pytest.mark.parametrize(
    ("keys", "least", "error", "says"),
    [
        ([], 1, ConfigError, "no item was named"),
        (["nobody"], 1, UnknownItemError, "'nobody' is not in the catalogue"),
        (["k7"], 1, ConfigError, "retired already"),
        (["k3", "k3"], 1, ConfigError, "retired already"),
        (["new"], 39, ConfigError, "38 items would stay on offer, and a list holds 39"),
        ([*(f"k{n}" for n in range(2, 41) if n != 7), "new"], 1, ConfigError, "0 items would stay"),
    ],
)
def test_what_cannot_be_retired(changed, keys, least, error, says):
    with pytest.raises(error, match=says):
        retire_items(changed, keys, least=least)


# ---- from a log ---------------------------------------------------------------------------------


def test_new_items_of_a_log_are_the_mean_of_what_stands_near_them(trained, tmp_path):
    path = tmp_path / "new.txt"
    # Two places are near: a has k1 k2 before and k3 after it, and k2 once more; b knows nobody.
    path.write_text("u1 k9 k1 k2 a k3\nu2 a k2\nu3 b c\n")
    log = load_log(path, min_length=2).whole
    found, left_out = items_of_log(trained, log, within=2, strength=0.0)
    assert [item.key for item in found] == ["a"]
    assert sorted(left_out) == ["b", "c"]
    rows = trained.model.embedding.weight.detach()
    torch.testing.assert_close(found[0].row, rows[[1, 2, 2, 3]].mean(dim=0))
    near = items_of_log(trained, log, within=1, strength=1.0)[0][0].row
    mean = rows[[2, 2, 3]].mean(dim=0)
    torch.testing.assert_close(near, mean / mean.norm() * rows[[2, 2, 3]].norm(dim=1).mean())


@pytest.mark.parametrize(
    ("text", "says"),
    [("u k1 k2 k3\n", "every item .* already"), ("u a b c\n", "no new item .* known one")],
)
def test_a_log_that_brings_nothing(trained, tmp_path, text, says):
    path = tmp_path / "log.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=says):
        items_of_log(trained, load_log(path, min_length=2).whole)


@pytest.mark.parametrize("content", [np.array(["a"]), np.ones((1, 1, 16)), None])
def test_a_file_of_rows_that_is_none(tmp_path, content):
    path = tmp_path / "rows.npy"
    if content is None:
        path.write_bytes(b"no")
    else:
        np.save(path, content)
    with pytest.raises(DataError, match=r"rows\.npy"):
        read_rows(path)


# ---- the stream ---------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8-table", "int8"])
def test_spare_rows_change_no_list(make_model, precision):
    model = make_model()
    fixed = quantize(stream_program(model), precision)
    roomy = quantize(stream_program(model, spare_items=5), precision)
    for history in [[], *HISTORIES, [44], [45], [46], [10**9]]:
        items, scores = lists(fixed, history)
        again, scores_again = lists(roomy, history)
        assert again == items
        torch.testing.assert_close(scores_again, scores, rtol=0, atol=1e-5)


def test_the_stream_recommends_as_the_changed_model_does(changed):
    program = stream_program(changed.model, top_k=39, spare_items=3)
    assert set(lists(program, [])[0]) == set(range(1, 42)) - {1, 7}
    assert lists(program, [])[0] == [n for n in range(1, 42) if n not in (1, 7)]
    for history in ([41, 7], [1, 2, 3], [7]):
        items, scores = lists(program, history)
        wanted = changed.model.score(torch.tensor([history]), torch.tensor([len(history)]))
        torch.testing.assert_close(scores, wanted[0, items], rtol=1e-4, atol=1e-4)
        assert set(items) == set(range(1, 42)) - {1, 7}


def test_a_list_cannot_be_longer_than_what_is_on_offer(changed):
    with pytest.raises(ConfigError, match="between 1 and 39"):
        stream_program(changed.model, top_k=40)
