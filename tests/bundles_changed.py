"""A bundle after a file of it was changed: the manifest says what lies there, and is whole."""

import hashlib
import json

from glint_edge.bundles.manifest import digest_of


def relist(folder, name):
    """Make the size, the sha256 and the manifest's own digest right again."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    data = (folder / name).read_bytes()
    told = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest["files"] |= {name: told}
    manifest["digest"] = digest_of(manifest)
    path.write_text(json.dumps(manifest), "utf-8")
