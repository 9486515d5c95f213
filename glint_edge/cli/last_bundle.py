"""The last bundle that was written, so that `glint-edge bench` needs no argument."""

from __future__ import annotations

from pathlib import Path

from glint_edge.errors import BundleError
from glint_edge.files import cache_folder, write_atomic


def remember_bundle(path: Path) -> None:
    """Note that a bundle was written."""
    write_atomic(cache_folder() / "last_bundle", f"{path.resolve()}\n".encode())


def last_bundle() -> Path:
    """The bundle written last.

    Raises:
        BundleError: there is none, or it is gone.
    """
    note = cache_folder() / "last_bundle"
    path = Path(note.read_text("utf-8").strip()) if note.is_file() else None
    if path is None or not path.is_dir():
        raise BundleError("no bundle was written yet, or it is gone; run glint-edge export first")
    return path
