"""What becomes of an imported checkpoint: its keys, its folder, a bundle."""

import json

import numpy as np
import pytest
import torch

import glint_edge
from glint_edge.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from glint_edge.checkpoints.recbole import import_recbole
from glint_edge.errors import ConfigError, DataError, UnknownItemError
from tests.checkpoints.foreign_files import (
    ATTACKS,
    SASREC,
    attack,
)
from tests.checkpoints.recbole_oracle import (
    EXACT,
    ITEMS,
    SETTINGS,
    WEIGHTS,
    N,
    assert_top_10,
    checkpoint_bytes,
    histories,
)
from tests.skips import require

# ---- the items' keys ----------------------------------------------------------------------------


KEYS = [f"B{number:03} é" for number in range(ITEMS, 0, -1)]


def test_without_a_map_the_ids_are_the_keys(save, whole):
    keys = import_recbole(save(whole)).catalogue.keys
    assert keys == ("", *map(str, range(1, ITEMS + 1)))


@pytest.mark.parametrize(
    "text",
    ["\n".join(KEYS), "\n".join(["[PAD]", *KEYS]) + "\n", "\ufeff" + "\r\n".join(KEYS) + "\r\n"],
    ids=["plain", "with the pad", "from Windows"],
)
def test_a_map_is_one_key_a_line(save, whole, tmp_path, text):
    (tmp_path / "items.txt").write_bytes(text.encode())
    imported = import_recbole(save(whole), tmp_path / "items.txt")
    assert imported.catalogue.keys == ("", *KEYS)


@pytest.mark.parametrize(
    "more",
    [
        {"field2id_token": {"item_id": np.array(["[PAD]", *KEYS])}},
        {"field2id_token": {"item_id": np.array(["[PAD]", *KEYS], dtype=object)}},
        {"field2id_token": {"item_id": ["[PAD]", *KEYS], "user_id": np.array([1.5])}},
        {"field2token_id": {"item_id": {key: n for n, key in enumerate(["[PAD]", *KEYS])}}},
    ],
    ids=["texts", "objects", "list", "dict"],
)
def test_a_map_in_the_checkpoint_is_used_unless_another_is_given(save, tmp_path, more):
    path = save(checkpoint_bytes(WEIGHTS, **more))
    assert import_recbole(path).catalogue.keys == ("", *KEYS)
    others = [key.lower() for key in KEYS]
    (tmp_path / "items.txt").write_text("\n".join(others))
    assert import_recbole(path, tmp_path / "items.txt").catalogue.keys == ("", *others)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (KEYS[:-1], "lists 39 items, the model has 40"),
        ([*KEYS, "more"], "lists 41 items"),
        ([], "lists 1 items"),
        ([*KEYS[:-1], KEYS[0]], "stands there twice"),
        ([*KEYS[:6], "", *KEYS[7:]], "item 7 has no key"),
    ],
)
def test_a_map_that_does_not_fit_is_one_clear_line(save, whole, tmp_path, keys, says):
    (tmp_path / "items.txt").write_text("\n".join(keys))
    with pytest.raises(DataError, match=says):
        import_recbole(save(whole), tmp_path / "items.txt")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"field2id_token": {"item_id": np.array(["[PAD]", *KEYS[1:]])}}, "lists 39 items"),
        ({"field2id_token": {"item_id": np.array([1.5] * 41)}}, "lists 0 items"),
        ({"field2id_token": {"item_id": ["[PAD]", *KEYS[:-1], None]}}, "lists 39 items"),
        ({"field2id_token": {"item_id": ["[PAD]", *KEYS[1:], KEYS[1]]}}, "stands there twice"),
        ({"field2token_id": {"item_id": {key: n for n, key in enumerate(KEYS)}}}, "are not 0 … 40"),
        ({"field2token_id": {"item_id": dict.fromkeys(["[PAD]", *KEYS], 1)}}, "are not 0 … 40"),
        ({"field2token_id": {"item_id": {"a": [1], "b": "1"}}}, "are not 0 … 40"),
        ({"field2token_id": {"item_id": "B001"}}, "are not 0 … 40"),
    ],
)
def test_a_map_in_the_checkpoint_that_does_not_fit_is_one_clear_line(save, more, says):
    with pytest.raises(DataError, match=says):
        import_recbole(save(checkpoint_bytes(WEIGHTS, **more)))


# ---- from the command line to a bundle, and from Python -----------------------------------------


@pytest.fixture
def folder(save, whole, run, tmp_path):
    """An imported checkpoint."""
    (tmp_path / "items.txt").write_text("\n".join(KEYS))
    out = tmp_path / "theirs"
    code, said, err = run(
        "import", save(whole), "--items", tmp_path / "items.txt", "--out", out, "--json"
    )
    assert (code, err) == (0, "")
    assert json.loads(said)["model"]["padding"] == "reference"
    return out


def test_the_folder_loads_as_any_checkpoint(folder, imported):
    loaded = load_checkpoint(folder)
    assert loaded.model.config == imported.config
    assert loaded.catalogue.keys == ("", *KEYS)
    assert torch.equal(loaded.model.embedding.weight, imported.embedding.weight)


def test_a_scorer_gives_items_and_the_authors_scores(folder, oracle):
    model = glint_edge.load_scorer(folder)
    assert model.items == ("", *KEYS)
    rows = [history + [0] * (N - length) for length in (1, N) for history in histories(length)]
    lengths = torch.tensor([1] * 3 + [N] * 3)
    scores = model.score(torch.tensor(rows), lengths)
    assert (scores[:, 0] == -torch.inf).all()
    expected = [oracle.scores(row[:n]) for row, n in zip(rows, lengths, strict=True)]
    torch.testing.assert_close(scores[:, 1:].double(), torch.stack(expected), atol=EXACT, rtol=0)
    hidden = model.encode(torch.tensor(rows), lengths)
    assert hidden.shape == (6, 16)
    own = hidden @ model.model.embedding.weight.T
    torch.testing.assert_close(own[:, 1:], scores[:, 1:])


@pytest.mark.parametrize(
    ("items", "lengths", "error"),
    [
        ([[1, 41]], [2], UnknownItemError),
        ([[1, -1]], [1], UnknownItemError),
        ([[1, 2]], [3], ConfigError),
        ([[1, 2]], [0], ConfigError),
        ([[1, 2]], [2, 1], ConfigError),
        ([1, 2], [2], ConfigError),
        ([[1.0, 2.0]], [2], ConfigError),
    ],
)
def test_impossible_histories_are_refused(folder, items, lengths, error):
    with pytest.raises(error):
        glint_edge.load_scorer(folder).score(torch.tensor(items), torch.tensor(lengths))


def test_a_scorer_without_a_path_is_the_shipped_model():
    model = glint_edge.load_scorer()
    assert model.score(torch.tensor([[1]]), torch.tensor([1])).shape == (1, len(model.items))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("import theirs.pth --out theirs", "exists and is not empty"),
        ("import nothing.pth --out new", "no such file"),
        ("import GLINTRU.pth --out new --items nothing.txt", "no such file"),
        ("evaluate theirs", "pass --data"),
        ("export theirs --target onnx --window unbounded", "--window sliding"),
        ("export theirs --target onnx --quantize int8-qat", "--quantize int8"),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_2(folder, run, tmp_path, monkeypatch, line, says):
    if line.startswith("export"):
        require("onnxscript", "onnx")
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*line.split())
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("data", "keys", "says"),
    [
        (checkpoint_bytes(SASREC, SETTINGS | {"model": "SASRec"}), KEYS, "GLINT-RU ('SASRec')"),
        (checkpoint_bytes(WEIGHTS)[:20_000], KEYS, "is truncated or damaged"),
        (attack(ATTACKS["os.system"]), KEYS, "is refused: reading it would call os.system"),
        (checkpoint_bytes(WEIGHTS), KEYS[:-1], "lists 39 items, the model has 40"),
        (checkpoint_bytes(WEIGHTS), [*KEYS[:-1], KEYS[0]], "stands there twice"),
    ],
    ids=["another model", "truncated", "malicious", "an item is lacking", "an item twice"],
)
def test_a_bad_file_is_one_line_exit_code_2_and_no_folder(save, run, tmp_path, data, keys, says):
    (tmp_path / "items.txt").write_text("\n".join(keys))
    out = tmp_path / "new"
    code, said, err = run("import", save(data), "--items", tmp_path / "items.txt", "--out", out)
    assert (code, said) == (2, "")
    assert says in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert not out.exists()


def test_the_summary_for_people(save, whole, run, tmp_path):
    code, out, _ = run("import", save(whole), "--out", tmp_path / "new")
    assert code == 0
    assert "reference: histories of up to 12 items" in out


@pytest.fixture
def taps(tmp_path, oracle):
    """What users did, in the checkpoint's keys; what the model thinks best comes next."""
    rows, draw = ["user_id:token\titem_id:token\ttimestamp:float"], np.random.default_rng(3)
    for user in range(60):
        history = draw.integers(1, ITEMS + 1, 2 + user % 20).tolist()
        history.append(int(oracle.scores(history[-N:]).argmax()) + 1)
        rows += [f"u{user}\t{KEYS[item - 1]}\t{at}" for at, item in enumerate(history)]
    path = tmp_path / "taps.inter"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.slow
def test_from_import_to_bench(folder, taps, run, tmp_path, monkeypatch, oracle, in_process):
    """The whole way: the bundle is judged good on users' data, and answers with their keys."""
    require("onnxscript", "onnx")
    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "theirs.glint"
    code, said, err = run(
        "export", folder, "--target", "onnx", "--quantize", "none", "--out", out, "--data", taps,
        "--json",
    )  # fmt: skip
    assert code == 0, err
    manifest = json.loads(said)
    assert manifest["no_history"] == "the first items of the imported catalogue"
    (check,) = manifest["checks"]
    assert check["ok"] and check["users"] == 60
    assert "first items of the imported catalogue" in (out / "README.md").read_text()

    code, said, err = run("bench", out, "--data", taps, "--rounds", "1", "--json")
    assert code == 0, err

    history = [9, 4, 30]
    keys = ",".join(KEYS[item - 1] for item in history)
    _, said, _ = run("recommend", out, "--history", keys, "--include-seen", "--json")
    values = json.loads(said)["items"]
    items = torch.tensor([KEYS.index(item["key"]) + 1 for item in values])
    assert_top_10(items, torch.tensor([i["score"] for i in values]), oracle.scores(history))
    _, said, _ = run("recommend", out)
    assert "no history: the first items" in said


def test_saving_again_keeps_the_padding(folder, tmp_path):
    save_checkpoint(load_checkpoint(folder), tmp_path / "again")
    assert load_checkpoint(tmp_path / "again").model.config.padding == "reference"
