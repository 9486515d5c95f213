"""Saved sessions, the store's pointer, and servers that lie."""

import hashlib
import json
import shutil
import struct
import zlib
from contextlib import suppress

import numpy as np

from glint_edge.bundles.manifest import digest_of
from glint_edge.checkpoints.checkpoint import Checkpoint, save_checkpoint
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.errors import GlintEdgeError, UpdateError
from glint_edge.runtime import BundleStore, Recommender
from glint_edge.runtime.session_bytes import CHECKSUM, HEAD
from tests.campaign.mutators import of_bytes, of_document, one_of
from tests.campaign.trials import Target, require
from tests.runtime.update_server import Server, make_bundle, name_of, version_of
from tests.small import tiny_model


def checked_name(path):
    """What an application's check is here; what it raises of its own is not the store's."""
    try:
        return name_of(path)
    except KeyError as error:
        raise UpdateError("a bundle without a name") from error


FLOATS = (float("nan"), float("inf"), -float("inf"), 3e38, -3e38, 1e-45, 0.0, 1.0)
NUMBERS = (0, 1, 2, 20, 21, 2**31 - 1, 2**31, 2**32 - 1)


def _session(folder):
    """A session's bytes, its checksum made right again for the most part."""
    catalogue = Catalogue(("", *(f"k{n}" for n in range(1, 21))), {})
    model = tiny_model(items=20, d=4, heads=2, max_length=6)
    save_checkpoint(Checkpoint(model, catalogue, DataSource("x", "x")), folder)
    loaded = Recommender.load(folder, threads=1)
    whole = loaded.start(["k1", "k2", "k3"]).save()

    def changed(rng):
        body = bytearray(whole[: -CHECKSUM.size])
        way = rng.integers(5)
        if way == 0:
            return of_bytes(whole, rng)
        if way == 1:
            body = bytearray(of_bytes(bytes(body), rng))
        elif way == 2:
            struct.pack_into("<I", body, int(one_of((8, 12, 48), rng)), one_of(NUMBERS, rng))
        elif way == 3:
            at = int(rng.integers(HEAD.size, len(body) - 16)) // 4 * 4
            struct.pack_into("<f", body, at, one_of(FLOATS, rng))
        else:
            at = len(body) - 4 * int(rng.integers(1, 4))
            struct.pack_into("<I", body, at, one_of(NUMBERS, rng))
        return bytes(body) + CHECKSUM.pack(zlib.crc32(body))

    def trial(rng):
        data = changed(rng)
        session = loaded.resume(data)
        require(session.save() == data, "what is saved again is not what was read")
        items = session.top(5)
        require(all(np.isfinite(one.score) for one in items), "scores that are no numbers")
        session.append("k4")
        session.top(5)

    return trial


def _store(folder, versions=2):
    """A store that has taken versions of a server."""
    (folder / "server").mkdir(parents=True)
    server = Server(folder / "server")
    store = BundleStore(folder / "store", make_bundle(folder / "app.glint", "built in"))
    names = ("one", "two", "three")[:versions]
    for name in names:
        server.publish(name)
        store.update(server.fetch, name_of)
    return server, store


def _copied(store, folder):
    shutil.rmtree(store.folder, ignore_errors=True)
    shutil.copytree(folder / "whole", store.folder)


def _pointer(folder):
    """A pointer of which nothing may be believed: what is whole is opened, and nothing lost."""
    server, store = _store(folder)
    shutil.copytree(store.folder, folder / "whole")
    document = json.loads((store.folder / "pointer.json").read_bytes())
    kept = {path.name for path in (store.folder / "versions").iterdir()}

    def trial(rng):
        _copied(store, folder)
        data = of_document(document, rng)
        (store.folder / "pointer.json").write_bytes(data)
        name = store.open(name_of)
        require(name in ("built in", "one", "two"), f"opened {name}")
        left = {path.name for path in (store.folder / "versions").iterdir()}
        told = _told(data)
        if told is None:  # it cannot be read
            require((name, left) == ("two", kept), f"opened {name}, {len(left)} versions left")
        else:
            require(left == kept & {told["current"], told["previous"]}, "others deleted or left")
        server.announce(server.folder / "bundles" / "two")
        store.update(server.fetch, name_of, older=True)
        require(store.open(name_of) == "two", "the next update does not mend it")

    return trial


def _told(data):
    """A pointer that means something."""
    from glint_edge.json_files import Fault
    from glint_edge.runtime.update import POINTER_SCHEMA

    with suppress(Fault):
        return POINTER_SCHEMA.parse(data)
    return None


def _lies(latest, files, rng):
    """What a server gives in place of latest.json, and of the files."""
    told, own = dict(latest), dict(files)
    names = tuple(sorted(own))
    way = rng.integers(6)
    if way == 0:
        return of_document(latest, rng), own
    if way == 1:
        name = one_of(names, rng)
        own[name] = of_bytes(own[name], rng)
    elif way == 2:
        own = {name: data for name, data in own.items() if rng.random() < 0.7}
    elif way == 3:
        own[one_of(names, rng)] = own[one_of(names, rng)]
    else:  # a manifest of another kind, and all digests right
        own["manifest.json"] = of_document(json.loads(own["manifest.json"]), rng, _sealed)
        told["manifest_sha256"] = hashlib.sha256(own["manifest.json"]).hexdigest()
    return json.dumps(told).encode(), own


def _server(folder):
    """A server that lies about one file; whatever it says, a whole version is opened after it."""
    server, store = _store(folder, 1)
    shutil.copytree(store.folder, folder / "whole")
    bundle = server.publish("two")
    files = {path.name: path.read_bytes() for path in bundle.iterdir()}
    latest = json.loads((server.folder / "latest.json").read_bytes())
    honest = version_of(bundle)

    def trial(rng):
        _copied(store, folder)
        announced, own = _lies(latest, files, rng)

        def fetch(path):
            if path == "latest.json":
                return announced
            if (name := path.rpartition("/")[2]) not in own:
                raise ConnectionError("404")
            return own[name]

        try:
            taken = store.update(fetch, checked_name)
        except (GlintEdgeError, ConnectionError):
            require(store.open(name_of) == "one", "a refused version is opened")
            raise
        else:
            opened = store.open(name_of)
            require(taken == (opened != "one") or opened == "one", f"taken {taken}: {opened}")
        finally:
            store.update(server.fetch, name_of, older=True)
            require(store.open(name_of) == "two", "an honest server cannot mend it")
            there = {path.name for path in (store.folder / "versions").iterdir()}
            require(honest in there, "the version in use is not there")
            require(len(there) <= 2, "versions out of use are left")

    def judged_trial(rng):
        with suppress(ConnectionError):
            trial(rng)

    return judged_trial


def _sealed(manifest):
    if isinstance(manifest, dict):
        with suppress(UnicodeEncodeError):
            return {**manifest, "digest": digest_of(manifest)}
    return manifest


TARGETS = (
    Target("saved session", _session),
    Target("store: pointer.json", _pointer, share=0.15),
    Target("store: lying servers", _server, share=0.15),
)
