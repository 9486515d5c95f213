"""A bundle in the folder that an app's server gives its users: docs/update.md."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from glint_edge.bundles.manifest import LATEST, MANIFEST
from glint_edge.files import new_folder, sha256, write_json

if TYPE_CHECKING:
    from glint_edge.bundles.bundle import Bundle


def publish(bundle: Bundle, out: Path) -> Path:
    """Copy a bundle into a server's folder, and then announce it there.

    Apps that are in the middle of an older one can still fetch its files: those stay.

    Args:
        bundle: a checked one.
        out: the folder that apps ask for latest.json; made if it is not there.

    Returns:
        The bundle's new folder, `bundles/` and the beginning of its manifest's sha256.
    """
    version = sha256(bundle.path / MANIFEST)
    place = out / "bundles" / version[:16]
    with new_folder(place) as work:
        shutil.copytree(bundle.path, work, dirs_exist_ok=True)
    write_json(
        out / LATEST,
        {
            "name": bundle.name,
            "path": place.relative_to(out).as_posix(),
            "manifest_sha256": version,
            "bytes": sum(path.stat().st_size for path in place.iterdir()),
        },
    )
    return place
