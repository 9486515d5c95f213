"""Copies of a bundle for others: what its manifest lists, and nothing else that lies there."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from glint_edge.bundles.bundle import Artifact, Bundle
from glint_edge.bundles.manifest import (
    GOLDEN,
    ITEMS,
    MANIFEST,
    PART_OF,
    check_file,
    read_manifest,
)
from glint_edge.data.neighbours_file import NEIGHBOURS
from glint_edge.errors import BundleError
from glint_edge.files import sha256, write_json


def copy_listed(bundle: Bundle, folder: Path) -> None:
    """Copy a bundle's files, as its manifest lists them, into a folder that is there.

    Raises:
        BundleError: a file is a link, which may lead anywhere, or changed since it was checked.
    """
    _copy(bundle, bundle.manifest["files"], folder)


def copy_part(
    bundle: Bundle, artifacts: Sequence[Artifact], folder: Path, *, neighbours: bool = True
) -> None:
    """Copy what runs some of a bundle's artifacts: these, items, golden vectors, neighbours.

    `neighbours`: false leaves those out. The manifest lists what is there alone, and keeps the
    bundle's digest, and with it the sessions.

    Raises:
        BundleError: as `copy_listed`.
    """
    listed = bundle.manifest
    optional = {NEIGHBOURS} & set(listed["files"]) if neighbours else set()
    names = {ITEMS, GOLDEN, *optional, *(artifact.file for artifact in artifacts)}
    _copy(bundle, names, folder)
    whole = {
        "manifest_sha256": sha256(folder / MANIFEST),
        "artifacts": listed["artifacts"],
        "files": listed["files"],
    }
    part = {
        **listed,
        "artifacts": [one for one in listed["artifacts"] if one["file"] in names],
        "files": {name: sums for name, sums in listed["files"].items() if name in names},
        PART_OF: listed.get(PART_OF, whole),  # one may be embedded out of an app
    }
    write_json(folder / MANIFEST, part)


def _copy(bundle: Bundle, names: Collection[str], folder: Path) -> None:
    for name in (MANIFEST, *names):
        source = bundle.path / name
        if source.is_symlink():
            raise BundleError(f"{source} is a link; put the file itself there")
        if not source.is_file():
            raise BundleError(f"{source} is missing; copy the whole bundle, or export it again")
        shutil.copyfile(source, folder / name)
    if read_manifest(folder)["digest"] != bundle.manifest["digest"]:
        raise BundleError(f"{bundle.path / MANIFEST} changed meanwhile; try again")
    for name in names:
        check_file(folder / name, bundle.manifest["files"][name])
