"""Versions of a bundle: which is announced, which are kept, and whether one is whole and newer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from glint_edge.bundles.manifest import LATEST, LATEST_SCHEMA
from glint_edge.errors import BundleError, UpdateError
from glint_edge.json_files import Fault
from glint_edge.runtime.app_bundle import check_listed, read_app_manifest

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")  # all sort as text


@dataclass(frozen=True)
class Latest:
    """What the server's latest.json says.

    Attributes:
        path: the bundle's folder, relative to latest.json.
        version: sha256 of its manifest.json.
        published: when it was announced, as `publish` writes it; None: unknown.
    """

    path: str
    version: str
    published: str | None = None


@dataclass(frozen=True)
class Pointer:
    """The versions kept; None: the one that the application came with.

    Attributes:
        current: in use.
        previous: the last good one before it.
        published: when the server announced the current one; None: unknown.
    """

    current: str | None = None
    previous: str | None = None
    published: str | None = None

    @property
    def kept(self) -> list[str]:
        """The versions, the current one first."""
        return [version for version in (self.current, self.previous) if version]


def parse_latest(data: bytes) -> Latest:
    """What the bytes of latest.json say.

    Raises:
        UpdateError: they are damaged, or name a folder outside of its own.
    """
    try:
        values = LATEST_SCHEMA.parse(data)
    except Fault as error:
        raise UpdateError(f"{LATEST} names no bundle below its folder; publish it again") from error
    return Latest(values["path"], values["manifest_sha256"], time_of(values.get("published")))


def time_of(value: object) -> str | None:
    """A time of the form that sorts as text; None: it is of another."""
    return value if isinstance(value, str) and TIME.fullmatch(value) else None


def created(bundle: Path) -> str | None:
    """When a bundle was made, as its manifest says; None: unknown."""
    try:
        return time_of(read_app_manifest(bundle).get("created"))
    except (BundleError, OSError):
        return None


def refuse_older(announced: str | None, since: str | None) -> None:
    """Hold what a server announces to what is in use; times of one form sort as text."""
    if announced and since and announced < since:
        raise UpdateError(
            f"the server announces a bundle of {announced}, older than that in use ({since}); "
            "publish the one that is wanted again, or ask for the older one"
        )


def check_files(bundle: Path) -> None:
    """Hold every file of a bundle to its manifest.

    Raises:
        BundleError: one is missing or damaged.
    """
    manifest = read_app_manifest(bundle)
    for name in manifest["files"]:
        check_listed(bundle, manifest, name)


def is_whole(bundle: Path) -> bool:
    """Whether every file of a bundle is as its manifest says."""
    try:
        check_files(bundle)
    except (BundleError, OSError):  # a failing disk's are the second
        return False
    return True
