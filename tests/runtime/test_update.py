"""Replacing a bundle over the air: damaged downloads, a kill at any moment, the way back."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from glint_edge.bundles.manifest import digest_of
from glint_edge.errors import BundleError, ConfigError, UpdateError
from glint_edge.files import sha256
from glint_edge.runtime import BundleStore
from glint_edge.runtime.app_bundle import check_listed, read_app_manifest

FILES = {"items.json": b'{"keys": ["a"]}', "golden.json": b"{}", "model.onnx": bytes(5000)}


def make_bundle(path, name, **more):
    """A bundle's folder as far as an update looks at it."""
    path.mkdir(parents=True)
    listed = {}
    for file, data in FILES.items():
        (path / file).write_bytes(data)
        listed[file] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    seal(
        path,
        {
            "schema_version": 2, "name": name, "model": {}, "window": "unbounded", "top_k": 10,
            "methods": {"recommend": {"inputs": [BIAS], "outputs": [BIAS]}},
            "artifacts": [], "files": listed, **more,
        },
    )  # fmt: skip
    return path


def seal(path, manifest):
    whole = manifest | {"digest": digest_of(manifest)}
    (path / "manifest.json").write_text(json.dumps(whole))


def version_of(bundle):
    return hashlib.sha256((bundle / "manifest.json").read_bytes()).hexdigest()


def name_of(path):
    """What `load` is here: all of a bundle is checked, and its name given."""
    manifest = read_app_manifest(path)
    for file in manifest["files"]:
        check_listed(path, manifest, file)
    return manifest["name"]


BIAS = {"name": "bias", "dtype": "float32", "shape": [1, 5]}


class Server:
    """A folder, as an app's server has it."""

    def __init__(self, folder):
        self.folder, self.asked = folder, []

    def publish(self, name, created=None, **other):
        more = {"created": created} if created else {}
        bundle = make_bundle(self.folder / "bundles" / name, name, **more)
        return self.announce(bundle, **other)

    def announce(self, bundle, **other):
        told = {
            "name": bundle.name, "path": f"bundles/{bundle.name}",
            "manifest_sha256": version_of(bundle), "bytes": 0,
        }  # fmt: skip
        (self.folder / "latest.json").write_text(json.dumps(told | other))
        return bundle

    def fetch(self, path):
        self.asked.append(path)
        return (self.folder / path).read_bytes()


@pytest.fixture
def server(tmp_path):
    (tmp_path / "server").mkdir()
    return Server(tmp_path / "server")


@pytest.fixture
def store(tmp_path):
    return BundleStore(tmp_path / "store", make_bundle(tmp_path / "app.glint", "built in"))


def kept(store):
    return sorted(path.name for path in (store.folder / "versions").glob("*"))


def update(store, server, check=name_of):
    return store.update(server.fetch, check)


def test_without_an_update_it_is_the_apps_own(store):
    assert store.open(name_of) == "built in"


def test_a_newer_bundle_is_taken_once_and_the_last_good_one_kept(store, server):
    bundles = []
    for name in ("one", "two", "three"):
        bundles.append(server.publish(name))
        assert update(store, server) is True
        assert update(store, server) is False
        assert store.open(name_of) == name
    assert kept(store) == sorted(version_of(bundle) for bundle in bundles[1:])


def test_going_back_needs_the_check_too(store, server):
    server.publish("one")
    update(store, server)
    server.publish("two")
    update(store, server)
    server.announce(server.folder / "bundles" / "one")

    def refuse(path):
        raise RuntimeError(name_of(path))

    with pytest.raises(RuntimeError, match="one"):
        update(store, server, refuse)
    assert store.open(name_of) == "two"
    assert len(kept(store)) == 2


def test_the_manifest_comes_first_and_what_is_here_is_not_asked_for_again(store, server):
    server.publish("one")
    update(store, server)
    assert server.asked[:2] == ["latest.json", "bundles/one/manifest.json"]
    assert set(server.asked[2:]) == {f"bundles/one/{name}" for name in FILES}
    server.asked.clear()
    update(store, server)
    server.announce(store.built_in)
    BundleStore(store.folder / "other", store.built_in).update(server.fetch, name_of)
    assert server.asked == ["latest.json"] * 2


def test_the_server_can_go_back_to_the_version_before(store, server):
    one = server.publish("one")
    for name in ("two", "three"):
        update(store, server)
        server.publish(name)
    update(store, server)
    server.announce(server.folder / "bundles" / "two")
    server.asked.clear()
    assert update(store, server) is True
    assert server.asked == ["latest.json"]  # it is still here
    assert store.open(name_of) == "two"
    server.announce(one)
    assert update(store, server) is True
    assert store.open(name_of) == "one"


@pytest.mark.parametrize("file", ["manifest.json", *FILES])
@pytest.mark.parametrize("harm", ["flipped", "cut", "empty"])
def test_a_damaged_download_is_refused_and_the_next_one_works(store, server, file, harm):
    server.publish("one")
    update(store, server)
    server.publish("two")

    def fetch(path):
        data = server.fetch(path)
        if not path.endswith(file):
            return data
        flipped = bytes([data[0] ^ 1]) + data[1:]
        return {"flipped": flipped, "cut": data[:-1], "empty": b""}[harm]

    with pytest.raises(UpdateError) as error:
        store.update(fetch, name_of)
    assert "\n" not in str(error.value)
    assert store.open(name_of) == "one"
    assert len(kept(store)) == 1
    assert update(store, server) is True
    assert store.open(name_of) == "two"


def test_a_whole_bundle_in_anothers_place_is_refused(store, server):
    announced = server.publish("one")
    manifest = (announced / "manifest.json").read_text()
    (announced / "manifest.json").write_text(manifest + "\n")  # just as good, but another
    with pytest.raises(UpdateError, match=r"the new manifest\.json is damaged on its way"):
        update(store, server)
    assert server.asked == ["latest.json", "bundles/one/manifest.json"]
    assert kept(store) == []


@pytest.mark.parametrize(
    "latest",
    [
        b"", b"[]", b'"text"', b'{"path": "bundles/one"}', b"\xff", 10**6 * b"[",
        *(json.dumps({"path": path, "manifest_sha256": 64 * "a"}).encode() for path in (
            "../one", "/etc", "bundles/../../one", "bundles//one", "C:\\one", "a\\b", ".hidden",
            "https://elsewhere.example/one", "", 7,
        )),
        b'{"path": "bundles/one", "manifest_sha256": "../one"}',
    ],
)  # fmt: skip
def test_a_broken_announcement_is_one_line(store, latest):
    with pytest.raises(UpdateError, match=r"latest\.json names no bundle below its folder"):
        store.update(lambda path: latest, name_of)
    assert store.open(name_of) == "built in"


@pytest.mark.parametrize("name", ["../evil.json", "/tmp/evil.json", ".bashrc", "a/b", "a\\b"])
def test_a_file_that_leads_out_of_its_folder_is_refused(store, server, name):
    bundle = server.publish("one")
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    manifest["files"][name] = {"bytes": 1, "sha256": 64 * "0"}
    seal(bundle, manifest)
    server.announce(bundle)
    with pytest.raises(UpdateError, match="has a file called"):
        update(store, server)
    assert name not in "".join(server.asked)


def test_what_the_check_or_the_network_raises_ends_the_update(store, server):
    server.publish("one")

    def refuse(path):
        assert name_of(path) == "one"
        raise RuntimeError("golden case 2 differs")

    with pytest.raises(RuntimeError, match="golden case 2"):
        update(store, server, refuse)
    assert kept(store) == []

    def gone(path):
        if path.endswith("items.json"):
            raise ConnectionError("no network")
        return server.fetch(path)

    with pytest.raises(ConnectionError):
        store.update(gone, name_of)
    assert kept(store) == []
    assert store.open(name_of) == "built in"


def test_a_bundle_of_a_later_version_is_not_taken(store, server):
    bundle = server.publish("one")
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    (bundle / "manifest.json").write_text(json.dumps(manifest | {"schema_version": 3}))
    server.announce(bundle)
    with pytest.raises(UpdateError, match="upgrade glint-edge"):
        update(store, server)


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


# ---- an old announcement -------------------------------------------------------------------------


def day(number):
    return f"2026-01-{number:02}T00:00:00+00:00"


def test_an_old_announcement_is_refused_unless_it_is_asked_for(store, server):
    old = server.publish("one", published=day(1))
    replayed = (server.folder / "latest.json").read_bytes()
    update(store, server)
    server.publish("two", published=day(2))
    update(store, server)
    (server.folder / "latest.json").write_bytes(replayed)
    with pytest.raises(UpdateError, match=r"announces a bundle of 2026-01-01.*older than that in"):
        update(store, server)
    assert store.open(name_of) == "two"
    assert store.update(server.fetch, name_of, older=True) is True
    assert store.open(name_of) == "one"
    server.publish("three", published=day(3))
    update(store, server)
    server.announce(old, published=day(4))  # the server goes back, and says so
    assert update(store, server) is True


def test_without_a_time_of_announcement_the_bundles_own_counts(store, server):
    server.publish("new", created=day(2))
    update(store, server)
    server.publish("old", created=day(1))
    with pytest.raises(UpdateError, match="older than that in use"):
        update(store, server)
    assert len(kept(store)) == 1
    assert store.update(server.fetch, name_of, older=True) is True


def test_an_announcement_before_the_apps_own_bundle_was_made_is_refused(server, tmp_path):
    built_in = make_bundle(tmp_path / "app.glint", "built in", created=day(3))
    store = BundleStore(tmp_path / "store", built_in)
    server.publish("one", published=day(2))
    with pytest.raises(UpdateError, match="older than that in use"):
        update(store, server)
    server.announce(server.folder / "bundles" / "one", published=day(4))
    assert update(store, server) is True


def test_the_same_bundle_announced_again_counts_from_then(store, server):
    server.publish("one", published=day(1))
    update(store, server)
    two = server.publish("two", published=day(2))
    replayed = (server.folder / "latest.json").read_bytes()
    server.announce(server.folder / "bundles" / "one", published=day(3))
    assert update(store, server) is False
    (server.folder / "latest.json").write_bytes(replayed)
    with pytest.raises(UpdateError, match="older than that in use"):
        update(store, server)
    server.announce(two, published="yesterday")  # no time: it is as if there were none
    assert update(store, server) is True


# ---- a power cut ---------------------------------------------------------------------------------

# Dies as the n-th of its system's calls that change what is on the disk begins.
KILLED = """
import os, signal, sys
from pathlib import Path
from glint_edge.runtime import BundleStore

folder, built_in, server, left = *map(Path, sys.argv[1:4]), int(sys.argv[4])
def audit(event, arguments):
    global left
    if event in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"):
        if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        if not any(str(folder) in str(part) for part in arguments):
            return
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
store = BundleStore(folder, built_in)
sys.addaudithook(audit)
store.update(lambda path: (server / path).read_bytes(), lambda path: None)
"""


def test_a_kill_at_any_write_leaves_a_good_bundle_and_no_leftovers(store, server, tmp_path):
    for name in ("one", "two"):
        server.publish(name)
        update(store, server)
    server.publish("three")
    before = shutil.copytree(store.folder, tmp_path / "before")
    seen, moment = [], 0
    while True:
        shutil.rmtree(store.folder)
        shutil.copytree(before, store.folder)
        words = [store.folder, store.built_in, server.folder, moment]
        done = subprocess.run(
            [sys.executable, "-c", KILLED, *map(str, words)], capture_output=True, text=True
        )
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        name = store.open(name_of)
        assert len(kept(store)) == 2
        assert {path.name for path in store.folder.iterdir()} == {
            "lock",
            "pointer.json",
            "versions",
        }
        seen.append(name)
        assert update(store, server) is (name == "two")
        assert store.open(name_of) == "three"
        if done.returncode == 0:
            break
        moment += 1
    # Killed before anything, in the middle of each file, on both sides of the pointer's swap.
    swap = seen.index("three")
    assert seen == ["two"] * swap + ["three"] * (len(seen) - swap)
    assert swap > 8 and len(seen) - swap > 1


def test_updates_at_once_take_turns(store, server):
    server.publish("one")
    both, asked = threading.Barrier(2), []

    def one_update():
        both.wait()
        asked.append(update(BundleStore(store.folder, store.built_in), server))

    threads = [threading.Thread(target=one_update) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(asked) == [False, True]
    assert server.asked.count("bundles/one/model.onnx") == 1


# A process that another thread forks during an update has the lock's file open, and lives on.
FORKED = """
import os, signal, sys
from pathlib import Path
from glint_edge.runtime import BundleStore

store, server, children = BundleStore(*sys.argv[1:3]), Path(sys.argv[3]), []
def fetch(path):
    if not children:
        children.append(os.fork())
        if children == [0]:
            signal.alarm(60)  # should nobody end it
            signal.pause()
    return (server / path).read_bytes()
try:
    print(store.update(fetch, lambda path: None))
    signal.alarm(20)
    print(store.update(fetch, lambda path: None))
finally:
    os.kill(children[0], signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_forked_during_an_update_holds_off_none(store, server):
    server.publish("one")
    words = [store.folder, store.built_in, server.folder]
    done = subprocess.run(
        [sys.executable, "-c", FORKED, *map(str, words)], capture_output=True, text=True
    )
    assert done.stdout.split() == ["True", "False"], done.stderr


def test_opening_waits_for_no_update_and_disturbs_none(store, server):
    server.publish("one")
    opened = []

    def fetch(path):
        opened.append(BundleStore(store.folder, store.built_in).open(name_of))
        return server.fetch(path)

    assert store.update(fetch, name_of) is True
    assert opened == ["built in"] * 5
    assert store.open(name_of) == "one"
