"""The bundle written last, so that `glint-edge bench` needs no argument."""

from __future__ import annotations

import logging
from pathlib import Path

from glint_edge.bundles.manifest import MANIFEST, SCHEMA
from glint_edge.errors import BundleError, ConfigError
from glint_edge.files import cache_folder, write_atomic
from glint_edge.json_files import Fault

log = logging.getLogger(__name__)


def remember_bundle(path: Path) -> None:
    """Note for this user that a bundle was written, if the cache folder takes notes."""
    try:
        write_atomic(_note(), f"{path.resolve()}\n".encode())
    except (OSError, ConfigError) as error:  # the second: there is no home folder
        log.warning("`glint-edge bench` will need this bundle's name: no note is kept (%s)", error)


def last_bundle() -> Path:
    """The newest bundle in this folder, by its manifest's time; else the one this user wrote last.

    Raises:
        BundleError: there is none, or it is gone.
    """
    here = {path: _written(path) for path in Path().glob("*.glint")}
    if any(here.values()):
        return max(here, key=lambda path: here[path])
    remembered = _remembered()
    if remembered is None or not remembered.is_dir():
        raise BundleError("no bundle was written yet, or it is gone; run glint-edge export first")
    return remembered


def _remembered() -> Path | None:
    try:
        return Path(_note().read_text("utf-8").strip())
    except (OSError, ValueError, ConfigError):
        return None


def _note() -> Path:
    return cache_folder() / "last_bundle"


def _written(bundle: Path) -> tuple[str | int, ...]:
    """What sorts by the time a bundle was written; empty where its manifest does not say."""
    file = bundle / MANIFEST
    try:
        manifest = SCHEMA.load(file)
        # The manifest's time is in whole seconds.
        return str(manifest["created"]), file.stat().st_mtime_ns
    except (Fault, OSError, KeyError, TypeError):
        return ()
