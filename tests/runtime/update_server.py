"""A server of bundles, and an app that asks it."""

import hashlib
import json

from glint_edge.bundles.manifest import digest_of
from glint_edge.runtime.app_bundle import check_listed, read_app_manifest

FILES = {"items.json": b'{"keys": ["a"]}', "golden.json": b"{}", "model.onnx": bytes(5000)}
BIAS = {"name": "bias", "dtype": "float32", "shape": [1, 5]}


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


def kept(store):
    return sorted(path.name for path in (store.folder / "versions").glob("*"))


def update(store, server, check=name_of):
    return store.update(server.fetch, check)
