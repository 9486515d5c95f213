"""An update on a disk that is full, or that damages what it keeps."""

import json
import os
import shutil
from pathlib import Path

import pytest

from glint_edge.errors import BundleError, ConfigError, UpdateError
from glint_edge.files import sha256
from glint_edge.runtime import BundleStore
from tests.runtime.update_server import (
    FILES,
    kept,
    make_bundle,
    name_of,
    update,
    version_of,
)


def test_no_room_is_one_line(store, server, monkeypatch):
    server.publish("one")
    usage = shutil.disk_usage(store.built_in)._replace(free=4000)
    monkeypatch.setattr("glint_edge.runtime.update.shutil.disk_usage", lambda path: usage)
    with pytest.raises(UpdateError, match="and 4,000 are free; make room"):
        update(store, server)
    assert kept(store) == []


def test_a_full_disk_is_one_line(store, server, monkeypatch):
    server.publish("one")
    update(store, server)
    server.publish("two")

    def full(file, data):
        if file.name == "model.onnx":
            raise OSError(28, "No space left on device")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    monkeypatch.setattr("glint_edge.runtime.update.write_atomic", full)
    with pytest.raises(UpdateError, match="No space left on device"):
        update(store, server)
    assert store.open(name_of) == "one"


def test_a_disk_that_is_full_at_the_swap_is_one_line(store, server, monkeypatch):
    server.publish("one")

    def full(file, value):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("glint_edge.runtime.update.write_json", full)
    with pytest.raises(UpdateError, match=r"pointer\.json cannot be written: No space left"):
        update(store, server)
    assert kept(store) == []


def test_a_folder_that_cannot_be_written_is_no_obstacle_to_opening(store, server, caplog):
    server.publish("one")
    update(store, server)
    (store.folder / "lock").unlink()
    (store.folder / "lock").mkdir()  # not even the superuser can write there
    assert store.open(name_of) == "one"
    assert "lock cannot be written" in caplog.text
    with pytest.raises(UpdateError, match="lock cannot be written"):
        update(store, server)
    nowhere = BundleStore(store.built_in / "items.json" / "store", store.built_in)
    assert nowhere.open(name_of) == "built in"


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ConfigError("no runtime")])
def test_a_version_that_cannot_be_loaded_gives_way(store, server, error):
    server.publish("one")
    update(store, server)

    def load(path):
        if path != store.built_in:
            raise error
        return name_of(path)

    assert store.open(load) == "built in"


def test_a_version_that_the_disk_no_longer_reads_is_fetched_again(store, server, monkeypatch):
    server.publish("one")
    update(store, server)
    place = store.folder / "versions" / kept(store)[0]
    unreadable = [place / "items.json"]

    def failing(path):
        if path in unreadable:
            raise OSError(5, "Input/output error")
        return sha256(path)

    monkeypatch.setattr("glint_edge.bundles.manifest.sha256", failing)
    assert store.open(name_of) == "built in"

    def fetch(path):
        if path.endswith("items.json"):
            unreadable.clear()  # another file will be there
        return server.fetch(path)

    assert store.update(fetch, name_of) is True
    assert store.open(name_of) == "one"


@pytest.mark.parametrize("file", ["manifest.json", *FILES])
def test_a_damaged_app_is_mended_by_its_own_version(store, server, file):
    server.announce(make_bundle(server.folder / "bundles" / "one", "built in"))
    assert update(store, server) is False
    (store.built_in / file).unlink()
    assert update(store, server) is True
    assert store.open(name_of) == "built in"


@pytest.mark.parametrize("file", ["manifest.json", *FILES])
def test_a_version_that_the_disk_damaged_gives_way_and_is_fetched_again(store, server, file):
    first = server.publish("one")
    update(store, server)
    second = server.publish("two")
    update(store, server)
    (store.folder / "versions" / version_of(second) / file).write_bytes(b"{ }")
    assert store.open(name_of) == "one"
    (store.folder / "versions" / version_of(first) / file).unlink()
    assert store.open(name_of) == "built in"
    assert update(store, server) is True
    assert store.open(name_of) == "two"


def test_a_version_fetched_again_is_not_used_if_the_check_refuses_it(store, server):
    server.publish("one")
    update(store, server)
    (store.folder / "versions" / kept(store)[0] / "items.json").unlink()

    def refuse(path):
        raise RuntimeError(name_of(path))

    with pytest.raises(RuntimeError, match="one"):
        update(store, server, refuse)
    assert kept(store) == []
    assert store.open(name_of) == "built in"


def test_what_stands_in_a_files_place_is_no_obstacle(store, server):
    server.publish("one")
    update(store, server)
    file = store.folder / "versions" / kept(store)[0] / "items.json"
    file.unlink()
    file.mkdir()
    assert store.open(name_of) == "built in"
    assert update(store, server) is True
    assert store.open(name_of) == "one"


def test_leftovers_go_before_anything_is_fetched(store, server):
    server.publish("one")
    update(store, server)
    good = kept(store)
    (store.folder / "versions" / (64 * "f")).mkdir()
    left = []

    def fetch(path):
        left.extend(kept(store))
        return server.fetch(path)

    assert store.update(fetch, name_of) is False
    assert left == good


def test_leftovers_that_stay_are_no_obstacle_to_opening(store, monkeypatch, caplog):
    def failing(self):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(BundleStore, "_delete_unused", failing)
    assert store.open(name_of) == "built in"
    assert "Input/output error" in caplog.text


def test_nothing_is_left_if_all_are_damaged(store, server):
    (store.built_in / "items.json").unlink()
    with pytest.raises(BundleError, match=r"items.json is missing"):
        store.open(name_of)


UNREADABLE = ["", "{", "[]", '{"current": "../app.glint", "previous": null}', None]


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_pointer_that_cannot_be_read_costs_no_version(store, server, text, monkeypatch, caplog):
    for name in ("one", "two"):
        server.publish(name)
        update(store, server)
    before = kept(store)
    for place in before:  # the file system may keep whole seconds
        file = store.folder / "versions" / place / "manifest.json"
        os.utime(file, (1, 1 + (json.loads(file.read_bytes())["name"] == "two")))
    pointer = store.folder / "pointer.json"
    if text is None:
        pointer.unlink()
        pointer.mkdir()
    else:
        pointer.write_text(text)
    assert store.open(name_of) == "two"
    assert "pointer.json cannot be read" in caplog.text
    assert kept(store) == before
    if text is None:
        return
    assert update(store, server) is False  # and points to what is here again
    assert kept(store) == before
    caplog.clear()
    assert store.open(name_of) == "two"
    assert not caplog.text


def test_one_failed_read_of_the_pointer_deletes_nothing(store, server, monkeypatch):
    server.publish("one")
    update(store, server)
    whole = Path.read_bytes

    def failing(path):
        if path.name == "pointer.json":
            raise OSError(5, "Input/output error")
        return whole(path)

    with monkeypatch.context() as disk:
        disk.setattr(Path, "read_bytes", failing)
        assert store.open(name_of) == "one"
    assert store.open(name_of) == "one"


@pytest.mark.parametrize(
    "error", [RuntimeError("of a runtime"), MemoryError(), KeyError("a"), RecursionError()]
)
def test_open_goes_on_whatever_is_raised(store, server, error):
    for name in ("one", "two"):
        server.publish(name)
        update(store, server)

    def load(path):
        if name_of(path) == "two":
            raise error
        return name_of(path)

    assert store.open(load) == "one"
    assert len(kept(store)) == 2
