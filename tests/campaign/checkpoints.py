"""Checkpoints, unfinished runs, imported files and rows of numbers."""

import io
import json
import zipfile

import numpy as np
import safetensors
import safetensors.torch
import torch

from glint_edge.bundles.manifest import digest_of
from glint_edge.checkpoints.checkpoint import (
    Checkpoint,
    digest_of_folder,
    load_checkpoint,
    save_checkpoint,
)
from glint_edge.checkpoints.near_items import read_rows
from glint_edge.checkpoints.recbole import import_recbole
from glint_edge.config import ModelConfig, TrainConfig
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.log import load_log
from glint_edge.data.record import DataSource
from glint_edge.files import sha256
from glint_edge.training.begin import begin
from glint_edge.training.epochs import epochs
from glint_edge.training.field_rows import WITHOUT
from glint_edge.training.resume_file import _digest as resume_digest
from glint_edge.training.run_folder import RESUME, restore, save_run
from tests.campaign.mutators import of_bytes, of_document, of_pickle, one_of, opcodes_of
from tests.campaign.trials import Target, require
from tests.checkpoints.recbole_oracle import SETTINGS, checkpoint_bytes, weights
from tests.small import tiny_model

CONFIG, ITEMS, WEIGHTS = "config.json", "items.json", "model.safetensors"
SHAPE = {"items": 20, "d": 4, "heads": 2, "max_length": 6}


def _checkpoint(folder):
    catalogue = Catalogue(("", *(f"k{n}" for n in range(1, 21))), {"k1": "First"}, ("k20",), 1, 2)
    data = DataSource("x", "x.csv", {"columns": {"user": "u"}, "k_core": 5}, "me", {"users": 7})
    figures = {"test": {"ndcg_at_10": 0.5}}
    save_checkpoint(
        Checkpoint(tiny_model(**SHAPE), catalogue, data, TrainConfig(), figures), folder
    )
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def _put(folder, whole, name, data):
    """A file, and what config.json says of it."""
    for file, before in whole.items():
        (folder / file).write_bytes(before)
    (folder / name).write_bytes(data)
    if name != CONFIG:
        config = json.loads(whole[CONFIG])
        config["sha256"][name] = sha256(folder / name)
        (folder / CONFIG).write_text(json.dumps(_sealed(config)))


def _sealed(config):
    if not isinstance(config, dict):
        return config
    try:
        return {**config, "digest": digest_of(config)}
    except UnicodeEncodeError:
        return config


def _load(folder):
    loaded = load_checkpoint(folder)
    require(loaded.digest == digest_of_folder(folder), "two digests of one checkpoint")
    return loaded


def _config(folder):
    whole = _checkpoint(folder)
    current = json.loads(whole[CONFIG])
    older = {name: value for name, value in current.items() if name != "digest"}
    documents = (current, current, older | {"format_version": 2}, older | {"format_version": 1})

    def trial(rng):
        data = of_document(one_of(documents, rng), rng, _sealed)
        _put(folder, whole, CONFIG, data)
        loaded, value = _load(folder), json.loads(data)
        told = loaded.model.config.to_dict()
        require(told == told | value["model"], "another model")
        require(loaded.metrics == value["metrics"], "other figures")

    return trial


def _items(folder):
    whole = _checkpoint(folder)
    document = json.loads(whole[ITEMS])

    def trial(rng):
        data = of_document(document, rng)
        _put(folder, whole, ITEMS, data)
        loaded = _load(folder)
        keys = list(map(str, json.loads(data)["keys"]))
        require(list(loaded.catalogue.keys[1:]) == keys, "other keys than the file's")

    return trial


def of_safetensors(data, rng):
    """A safetensors file, its header a changed document or its bytes others."""
    if rng.random() < 0.4:
        return of_bytes(data, rng)
    length = int.from_bytes(data[:8], "little")
    header = of_document(json.loads(data[8 : 8 + length]), rng)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def _weights(folder):
    whole = _checkpoint(folder)

    def trial(rng):
        data = of_safetensors(whole[WEIGHTS], rng)
        _put(folder, whole, WEIGHTS, data)
        loaded = _load(folder)
        stored = safetensors.torch.load(data)
        for name, tensor in loaded.model.state_dict().items():
            require(torch.equal(tensor, stored[name].to(tensor.dtype)), f"another {name}")

    return trial


def _damaged(folder):
    whole = _checkpoint(folder)

    def trial(rng):
        name = one_of(tuple(sorted(whole)), rng)
        data = of_bytes(whole[name], rng)
        (folder / name).write_bytes(data)
        try:
            _load(folder)
            same = data == whole[name]
            same |= name == CONFIG and json.loads(data) == json.loads(whole[name])
            require(same, f"a damaged {name} is read without a word: {data[:300]!r}")
        finally:
            (folder / name).write_bytes(whole[name])

    return trial


def _resumed(folder):
    """What an unfinished run left; the run goes on with what was read."""
    model, training = ModelConfig(**SHAPE), TrainConfig(epochs=2, batch_positions=64, threads=1)
    split = load_log([[f"i{(n + m) % 20}" for m in range(8)] for n in range(20)]).split()
    settings = {
        "model": model.to_dict(), "training": training.to_dict(), "log": {"digest": "of a log"},
        "ranking": {"protocol": "full"}, "features": WITHOUT,
    }  # fmt: skip
    run = begin(model, training, split)
    next(epochs(run, split, training))
    save_run(run, folder, settings)
    whole = (folder / RESUME).read_bytes()
    length = int.from_bytes(whole[:8], "little")
    texts = json.loads(whole[8 : 8 + length])["__metadata__"]
    del texts["digest"]
    tensors = safetensors.torch.load(whole)

    def changed(rng):
        told, own = dict(texts), dict(tensors)
        if rng.random() < 0.3:
            return of_safetensors(whole, rng)
        name = one_of(tuple(sorted(own)), rng)
        way = rng.integers(8)
        if way == 0:
            del own[name]
        elif way == 1:
            own[one_of((f"{name}.x", "model.x", "adam.99.step", "adam.x.y", "x"), rng)] = own[
                name
            ].clone()
        elif way == 2:
            own[name] = own[name].reshape(-1)[:1].clone()
        elif way == 3:
            own[name] = own[name].to(one_of((torch.float64, torch.int32, torch.bfloat16), rng))
        else:
            part = one_of(tuple(texts), rng)
            text = of_document(json.loads(texts[part]), rng)
            told[part] = text.decode("utf-8", errors="replace")
        return safetensors.torch.save(own, {**told, "digest": resume_digest(own, told)})

    def trial(rng):
        again = begin(model, training, split, resumed=True)
        restore(again, changed(rng), folder / RESUME, settings)
        require(len(again.history) >= 1, "no epoch")
        for _ in epochs(again, split, training):
            pass

    return trial


def _pickles(folder):
    """RecBole's own file, its pickle changed by opcodes; both ways that torch writes one."""
    path = folder / "GLINTRU.pth"
    state = weights(items=10, d=4)
    archive = zipfile.ZipFile(io.BytesIO(checkpoint_bytes(state)))
    entries = {name: archive.read(name) for name in archive.namelist()}
    (pickled,) = (name for name in entries if name.endswith("data.pkl"))
    parts = opcodes_of(entries[pickled])
    calls = [n for n, part in enumerate(parts) if part[:1] in (b"c", b"\x93", b"R", b"\x81", b"b")]

    def trial(rng):
        at = int(one_of(calls, rng))  # where code would be called, more often
        near = parts[max(at - 8, 0) : at + 8]
        whole = rng.random() < 0.5
        middle = of_pickle(parts if whole else near, rng)
        rest = (
            (b"", b"") if whole else (b"".join(parts[: max(at - 8, 0)]), b"".join(parts[at + 8 :]))
        )
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as out:
            for name, data in entries.items():
                out.writestr(name, rest[0] + middle + rest[1] if name == pickled else data)
        path.write_bytes(file.getvalue())
        _imported(path, state)

    return trial


def _imported(path, state):
    table = import_recbole(path).model.state_dict()["embedding.weight"]
    require(table.shape[1:] == state["item_embedding.weight"].shape[1:], "another width")
    require(bool(table.isfinite().all()), "numbers that are none")


def _import_bytes(folder):
    path, state = folder / "GLINTRU.pth", weights(items=10, d=4)
    files = [checkpoint_bytes(state, legacy=legacy) for legacy in (False, True)]

    def trial(rng):
        path.write_bytes(of_bytes(one_of(files, rng), rng))
        _imported(path, state)

    return trial


def _import_items(folder):
    path, items = folder / "GLINTRU.pth", folder / "items.txt"
    path.write_bytes(checkpoint_bytes(weights(items=10, d=4), SETTINGS))
    lines = "\n".join(["[PAD]", *(f"film {n}" for n in range(10))]).encode()

    def trial(rng):
        items.write_bytes(of_bytes(lines, rng))
        keys = import_recbole(path, items).catalogue.keys
        require(len(set(keys)) == 11, f"keys that are not those of ten items: {keys}")

    return trial


def _rows(folder):
    """A `.npy` of new items' vectors."""
    path = folder / "rows.npy"
    wholes = []
    for dtype in ("<f4", "<f8", "<i8"):
        file = io.BytesIO()
        np.save(file, np.arange(12).reshape(3, 4).astype(dtype))
        wholes.append(file.getvalue())

    def trial(rng):
        path.write_bytes(of_bytes(one_of(wholes, rng), rng))
        require(read_rows(path).ndim == 2, "no rows")

    return trial


TARGETS = (
    Target("checkpoint: config.json", _config),
    Target("checkpoint: items.json", _items),
    Target("checkpoint: weights", _weights),
    Target("checkpoint: any file, damaged", _damaged),
    Target("unfinished run", _resumed, share=0.3),
    Target("import: opcodes", _pickles),
    Target("import: bytes", _import_bytes, share=0.7),
    Target("import: items", _import_items, share=0.2),
    Target("vectors of new items", _rows, share=0.5),
)
