"""A bundle in the folder that an app's server gives its users: docs/update.md."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from glint_edge.bundles.bundle import Bundle, load_bundle
from glint_edge.bundles.copies import copy_listed
from glint_edge.bundles.manifest import LATEST, MANIFEST
from glint_edge.errors import BundleError
from glint_edge.files import new_folder, sha256, write_json
from glint_edge.staging import sweep


def publish(bundle: Bundle, out: Path) -> Path:
    """Copy a bundle into a server's folder, and then announce it there.

    Apps that are in the middle of an older one can still fetch its files: those stay.

    Args:
        bundle: a checked one.
        out: the folder that apps ask for latest.json; made if it is not there.

    Returns:
        The bundle's new folder, `bundles/` and the beginning of its manifest's sha256.

    Raises:
        BundleError: a file of the bundle is a link.
    """
    version = sha256(bundle.path / MANIFEST)
    place = out / "bundles" / version[:16]
    sweep(place.parent)
    if not _is_whole(place, version):  # one that apps may be fetching stays as it is
        with new_folder(place) as work:
            copy_listed(bundle, work)
    write_json(
        out / LATEST,
        {
            "name": bundle.name,
            "path": place.relative_to(out).as_posix(),
            "manifest_sha256": version,
            "published": _published(out / LATEST),
            "bytes": sum(path.stat().st_size for path in place.iterdir()),
        },
    )
    return place


def _published(latest: Path) -> str:
    """Now, and in any case later than what was published before: a clock may have been ahead."""
    now = datetime.now(UTC)
    try:
        before = datetime.fromisoformat(json.loads(latest.read_bytes())["published"])
        now = max(now, before + timedelta(microseconds=1))
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        pass  # there is none, or nobody can say
    return now.astimezone(UTC).isoformat(timespec="microseconds")


def _is_whole(place: Path, version: str) -> bool:
    try:
        return sha256(place / MANIFEST) == version and load_bundle(place).path == place
    except (BundleError, OSError):
        return False
