"""The bundle written last, so that `glint-edge bench` needs no argument."""

from __future__ import annotations

from pathlib import Path

from glint_edge.bundles.manifest import MANIFEST, read_json
from glint_edge.errors import BundleError
from glint_edge.files import cache_folder, write_atomic


def remember_bundle(path: Path) -> None:
    """Note for this user that a bundle was written."""
    write_atomic(_note(), f"{path.resolve()}\n".encode())


def last_bundle() -> Path:
    """The newest bundle in this folder, by its manifest's time; else the one this user wrote last.

    Raises:
        BundleError: there is none, or it is gone.
    """
    here = {path: _written(path) for path in Path().glob("*.glint")}
    if any(here.values()):
        return max(here, key=lambda path: here[path])
    note = _note()
    remembered = Path(note.read_text("utf-8").strip()) if note.is_file() else None
    if remembered is None or not remembered.is_dir():
        raise BundleError("no bundle was written yet, or it is gone; run glint-edge export first")
    return remembered


def _note() -> Path:
    return cache_folder() / "last_bundle"


def _written(bundle: Path) -> tuple[str | int, ...]:
    """What sorts by the time a bundle was written; empty where its manifest does not say."""
    file = bundle / MANIFEST
    try:
        manifest = read_json(file)
        # The manifest's time is in whole seconds.
        return str(manifest["created"]), file.stat().st_mtime_ns
    except (BundleError, OSError, KeyError, TypeError):
        return ()
