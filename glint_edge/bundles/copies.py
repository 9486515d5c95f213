"""Copies of a bundle for others: what its manifest lists, and nothing else that lies there."""

from __future__ import annotations

import shutil
from pathlib import Path

from glint_edge.bundles.bundle import Bundle
from glint_edge.bundles.manifest import MANIFEST, check_file, read_manifest
from glint_edge.errors import BundleError


def copy_listed(bundle: Bundle, folder: Path) -> None:
    """Copy a bundle's files, as its manifest lists them, into a folder that is there.

    Raises:
        BundleError: a file is a link, which may lead anywhere, or changed since it was checked.
    """
    for name in (MANIFEST, *bundle.manifest["files"]):
        source = bundle.path / name
        if source.is_symlink():
            raise BundleError(f"{source} is a link; put the file itself there")
        if not source.is_file():
            raise BundleError(f"{source} is missing; copy the whole bundle, or export it again")
        shutil.copyfile(source, folder / name)
    if read_manifest(folder)["digest"] != bundle.manifest["digest"]:
        raise BundleError(f"{bundle.path / MANIFEST} changed meanwhile; try again")
    for name, expected in bundle.manifest["files"].items():
        check_file(folder / name, expected)
