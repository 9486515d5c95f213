"""Checkpoints go to the Hugging Face Hub and come back, by its mixin's conventions.

No network: a folder stands in for the Hub, behind the two calls of the library that reach it.
"""

import json
import shutil
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

import glint_edge
from glint_edge.checkpoints.checkpoint import CONFIG, ITEMS, WEIGHTS, Checkpoint, load_checkpoint
from glint_edge.checkpoints.checkpoint import save_checkpoint as save
from glint_edge.config import TrainConfig
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.errors import BundleError, CheckpointError, HubError, MissingExtraError

pytest.importorskip("huggingface_hub", reason="needs glint-edge[hub]")

from huggingface_hub import errors as hub_errors

from glint_edge.checkpoints import hub

HISTORY = torch.tensor([[3, 1, 7]])


@pytest.fixture
def checkpoint(make_model):
    """Of an imported model's padding and a log somewhere on this machine."""
    model = make_model(variant="paper", padding="reference", max_length=9)
    with torch.no_grad():
        model.embedding.weight[0].normal_()
    keys = ("", *(f"key {number} é" for number in range(1, 41)))
    return Checkpoint(
        model,
        Catalogue(keys, {keys[1]: "One"}),
        DataSource("taps.csv", "/home/someone/private/taps.csv", attribution="Made by hand."),
        TrainConfig(),
        {"test": {"ndcg_at_10": 0.123456, "users": 30}},
    )


@pytest.fixture
def remote(tmp_path, monkeypatch):
    """What the Hub has, as folders; and each request."""
    root, requests = tmp_path / "remote", []

    class Api:
        def __init__(self, token=None):
            pass

        def create_repo(self, repo_id, private, exist_ok):
            requests.append(("create", repo_id, private))
            return SimpleNamespace(repo_id=repo_id)

        def upload_folder(self, repo_id, folder_path, **_):
            requests.append(("upload", repo_id, sorted(p.name for p in folder_path.iterdir())))
            shutil.copytree(folder_path, root / repo_id)
            return f"https://huggingface.co/{repo_id}/commit/1"

    def download(repo_id, allow_patterns, revision=None, **_):
        requests.append(("download", repo_id, revision))
        if not (root / repo_id).is_dir():
            raise hub_errors.LocalEntryNotFoundError("Cannot find it\nand more lines")
        cached = tmp_path / "cached"
        shutil.copytree(
            root / repo_id, cached, ignore=lambda _, names: set(names) - {*allow_patterns}
        )
        return str(cached)

    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", Api)
    monkeypatch.setattr(hub, "snapshot_download", download)
    return SimpleNamespace(root=root, requests=requests)


@pytest.fixture
def folder(checkpoint, tmp_path):
    save(checkpoint, tmp_path / "mine")
    return tmp_path / "mine"


def assert_same_model(loaded, checkpoint):
    assert loaded.model.config == checkpoint.model.config
    assert loaded.catalogue == checkpoint.catalogue
    for name, tensor in checkpoint.model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], tensor), name


# ---- a local folder -----------------------------------------------------------------------------


def test_a_saved_folder_loads_by_the_mixin_and_by_everything_else(checkpoint, tmp_path):
    path = tmp_path / "saved"
    hub.HubCheckpoint(checkpoint).save_pretrained(path)
    assert {p.name for p in path.iterdir()} == {CONFIG, WEIGHTS, ITEMS, "README.md"}
    assert_same_model(hub.HubCheckpoint.from_pretrained(path).checkpoint, checkpoint)
    assert_same_model(load_checkpoint(path), checkpoint)
    model = glint_edge.load_scorer(path)
    assert model.items == checkpoint.catalogue.keys
    with torch.no_grad():
        expected = checkpoint.model.score(HISTORY, torch.tensor([3]))
    assert torch.equal(model.score(HISTORY, torch.tensor([3])), expected)


def test_a_loaded_one_saves_the_same_again(checkpoint, tmp_path):
    hub.HubCheckpoint(checkpoint).save_pretrained(tmp_path / "a")
    hub.HubCheckpoint.from_pretrained(tmp_path / "a").save_pretrained(tmp_path / "b")
    for name in (CONFIG, WEIGHTS, ITEMS, "README.md"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_path_of_a_log_stays_here(checkpoint, tmp_path):
    hub.HubCheckpoint(checkpoint).save_pretrained(tmp_path)
    assert not any(b"private" in p.read_bytes() for p in tmp_path.iterdir())
    assert load_checkpoint(tmp_path).data.name == "taps.csv"


def test_the_paths_of_files_to_test_on_stay_here(checkpoint, tmp_path):
    options = {**checkpoint.data.options, "test": "/private/test.csv"}
    data = replace(checkpoint.data, options=options)
    hub.HubCheckpoint(replace(checkpoint, data=data)).save_pretrained(tmp_path)
    assert not any(b"private" in p.read_bytes() for p in tmp_path.iterdir())
    assert load_checkpoint(tmp_path).data.options["test"] == "test.csv"


def test_a_named_data_set_stays_named(tmp_path):
    hub.HubCheckpoint(load_checkpoint()).save_pretrained(tmp_path)
    assert load_checkpoint(tmp_path).data == load_checkpoint().data
    card = (tmp_path / "README.md").read_text()
    assert "MovieLens" in card
    assert f"{load_checkpoint().model.config.items:,} items" in card


def test_the_card_says_what_it_is(checkpoint, tmp_path):
    hub.HubCheckpoint(checkpoint).save_pretrained(tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert "library_name: glint-edge" in card
    assert "40 items, width 16" in card
    assert "Made by hand." in card
    assert "test: ndcg_at_10 0.1235, users 30" in card


def test_a_damaged_folder_is_one_line(checkpoint, tmp_path):
    hub.HubCheckpoint(checkpoint).save_pretrained(tmp_path)
    (tmp_path / WEIGHTS).write_bytes((tmp_path / WEIGHTS).read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="damaged"):
        hub.HubCheckpoint.from_pretrained(tmp_path)


# ---- the Hub ------------------------------------------------------------------------------------


def test_what_is_pushed_is_pulled(folder, checkpoint, remote, run, tmp_path):
    code, said, err = run("push", folder, "someone/shop", "--json")
    assert (code, err) == (0, "")
    assert json.loads(said)["commit"] == "https://huggingface.co/someone/shop/commit/1"
    assert remote.requests == [
        ("create", "someone/shop", True),
        ("upload", "someone/shop", ["README.md", CONFIG, ITEMS, WEIGHTS]),
    ]
    code, said, err = run("pull", "someone/shop@v1", "--out", tmp_path / "theirs", "--json")
    assert (code, err) == (0, "")
    assert json.loads(said)["model"] == checkpoint.model.config.to_dict()
    assert remote.requests[-1] == ("download", "someone/shop", "v1")
    assert_same_model(load_checkpoint(tmp_path / "theirs"), checkpoint)


def test_load_takes_an_address(folder, checkpoint, remote, run):
    assert run("push", folder, "someone/shop", "--public")[0] == 0
    assert remote.requests[0] == ("create", "someone/shop", False)
    assert glint_edge.load("hf://someone/shop").bundle.keys == checkpoint.catalogue.keys
    assert remote.requests[-1] == ("download", "someone/shop", None)


def test_a_pulled_checkpoint_goes_wherever_one_is_taken(folder, remote, run, tmp_path):
    run("push", folder, "someone/shop")
    run("pull", "someone/shop", "--out", tmp_path / "theirs")
    rows = "".join(f"u{n % 9},key {n % 40 + 1} é,{n}\n" for n in range(90))
    (tmp_path / "taps.csv").write_text("user,item,time\n" + rows)
    code, _, err = run("evaluate", tmp_path / "theirs", "--data", tmp_path / "taps.csv")
    assert code == 0, err
    code, _, err = run("evaluate", tmp_path / "theirs")
    assert code == 2
    assert "taps.csv, is not here; pass --data" in err


def test_nothing_is_fetched_unasked(remote, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match="is not a bundle"):
        glint_edge.load("someone/shop")
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        glint_edge.load_scorer("someone/shop")
    assert run("evaluate", "someone/shop")[0] == 2
    assert run("push", "nothing", "someone/shop")[0] == 2
    assert remote.requests == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("pull someone/else --out new", "someone/else was not fetched (Cannot find it)"),
        ("push mine someone/refused", "someone/refused was not pushed (no such owner)"),
        ("push mine not/a/name", "not/a/name was not pushed (Repo id must"),
        ("pull someone/shop --out mine", "exists and is not empty"),
    ],
)
def test_a_refusal_is_one_line(folder, remote, run, tmp_path, monkeypatch, line, says):
    def refuse(*_, **__):
        raise hub_errors.HTTPError("no such owner\nRequest ID: 1")

    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi.create_repo", refuse)
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*line.split())
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "glint_edge.checkpoints.hub")
    monkeypatch.delattr(glint_edge, "hub", raising=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'glint-edge\[hub\]'"):
        glint_edge.load("hf://someone/shop")


def test_errors_of_the_network_are_the_hubs(monkeypatch):
    def refuse(*_, **__):
        raise ConnectionError

    monkeypatch.setattr(hub, "snapshot_download", refuse)
    with pytest.raises(HubError, match=r"not fetched \(ConnectionError\)"):
        hub.fetch("someone/shop")
