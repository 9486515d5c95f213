"""Replacing a bundle over the air: which is taken, which is refused, the way back."""

import json

import pytest

from glint_edge.errors import UpdateError
from glint_edge.runtime import BundleStore
from tests.runtime.update_server import (
    FILES,
    kept,
    make_bundle,
    name_of,
    seal,
    update,
    version_of,
)


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
