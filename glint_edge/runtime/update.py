"""Replacing a bundle over the air: docs/update.md.

Everything is fetched and checked beside the version in use, tried, and only then pointed to.
Whatever stops that half way, a kill or a power cut included, leaves the version in use as it was.

In the store's folder: `pointer.json`, and in `versions/` a bundle each, named by its manifest's
sha256. What the pointer does not name is never read, and deleted by the next call.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from glint_edge.errors import BundleError, UpdateError
from glint_edge.files import sha256, sync_folder, write_atomic, write_json
from glint_edge.manifest import MANIFEST
from glint_edge.runtime.app_bundle import check_listed, read_app_manifest

LATEST = "latest.json"
POINTER, VERSIONS, LOCK = "pointer.json", "versions", "lock"
# One folder or file name: nothing that leads out of a folder, on any system.
PLAIN = re.compile(r"(?!\.)[\w.+ -]+", re.ASCII)
VERSION = re.compile("[0-9a-f]{64}")

Loaded = TypeVar("Loaded")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Latest:
    """What the server's latest.json says.

    Attributes:
        path: the bundle's folder, relative to latest.json.
        version: sha256 of its manifest.json.
    """

    path: str
    version: str


@dataclass(frozen=True)
class Pointer:
    """The versions kept; None: the one that the application came with."""

    current: str | None = None
    previous: str | None = None


class BundleStore:
    """The newest good bundle of an application that began with one of its own.

    Safe to use from several threads and processes: updates take turns. `open` waits for none.
    """

    def __init__(self, folder: str | Path, built_in: str | Path) -> None:
        """Nothing is read or written yet.

        Args:
            folder: where versions are kept; the application's own, on one file system.
            built_in: the bundle that the application came with: what works if all else fails.
        """
        self.folder, self.built_in = Path(folder), Path(built_in)

    def open(self, load: Callable[[Path], Loaded]) -> Loaded:
        """Load the current version; if it is damaged, the last good one, then the built-in one.

        Args:
            load: such as `Recommender.load`.

        Raises:
            BundleError: the built-in bundle is damaged too.
        """
        with self._lock(wait=False) as locked:
            if locked:
                self._delete_unused()
        pointer = self._pointer()
        for version in (pointer.current, pointer.previous):
            if version is None:
                break
            try:
                return load(self._place(version))
            except BundleError as error:
                log.warning("an older bundle is used: %s", error)
        return load(self.built_in)

    def update(self, fetch: Callable[[str], bytes], check: Callable[[Path], None]) -> bool:
        """Look for a newer version, and take it if it passes.

        Args:
            fetch: gives a file of the server by its path, "latest.json" and what lies below its
                folder; what it raises ends the update.
            check: loads the new version and raises if it must not be used, say because
                `replay_golden` finds a difference.

        Returns:
            Whether there is a new version. `open` gives it; sessions begin from their histories.

        Raises:
            UpdateError: what the server gave is damaged, or there is no room for it.
        """
        with self._lock(wait=True):
            self._delete_unused()
            latest = _parse_latest(fetch(LATEST))
            before = self._pointer()
            good = [v for v in (before.current, before.previous) if v and self._is_whole(v)]
            current = good[0] if good else None
            if latest.version == (current or sha256(self.built_in / MANIFEST)):
                return False
            # No version is pointed to while it is being written.
            kept = [version for version in good if version != latest.version]
            self._point(Pointer(*kept[:2]))
            try:
                self._take(latest, fetch, check)
                self._point(Pointer(latest.version, *kept[:1]))
            finally:
                self._delete_unused()
            return True

    # ---- one version ---------------------------------------------------------------------------

    def _take(
        self, latest: Latest, fetch: Callable[[str], bytes], check: Callable[[Path], None]
    ) -> None:
        """Fetch a version, the manifest first, and hold each file to it."""
        place = self._place(latest.version)
        shutil.rmtree(place, ignore_errors=True)
        data = fetch(f"{latest.path}/{MANIFEST}")
        if hashlib.sha256(data).hexdigest() != latest.version:
            raise UpdateError(f"the new {MANIFEST} is damaged on its way; try again later")
        try:
            _write(place / MANIFEST, data)
            files = read_app_manifest(place)["files"]
            _require_room(place, sum(told["bytes"] for told in files.values()))
            for name in files:
                if not PLAIN.fullmatch(name):
                    raise UpdateError(f"the new bundle has a file called {name!r}; export it again")
                _write(place / name, fetch(f"{latest.path}/{name}"))
            self._check_files(latest.version)
        except BundleError as error:
            raise UpdateError(f"the new bundle is not taken: {error}") from error
        sync_folder(place)
        sync_folder(place.parent)
        check(place)

    def _is_whole(self, version: str) -> bool:
        try:
            self._check_files(version)
        except BundleError:
            return False
        return True

    def _check_files(self, version: str) -> None:
        place = self._place(version)
        manifest = read_app_manifest(place)
        for name in manifest["files"]:
            check_listed(place, manifest, name)

    def _place(self, version: str) -> Path:
        return self.folder / VERSIONS / version

    # ---- which one is used ---------------------------------------------------------------------

    def _pointer(self) -> Pointer:
        try:
            told = json.loads((self.folder / POINTER).read_bytes())
            versions = told["current"], told["previous"]
            if all(version is None or VERSION.fullmatch(version) for version in versions):
                return Pointer(*versions)
        except FileNotFoundError:
            return Pointer()
        except (ValueError, KeyError, TypeError):
            pass
        log.warning("%s is damaged; the application's own bundle is used", POINTER)
        return Pointer()

    def _point(self, pointer: Pointer) -> None:
        if pointer != self._pointer():
            told = {"current": pointer.current, "previous": pointer.previous}
            write_json(self.folder / POINTER, told)
            sync_folder(self.folder)

    def _delete_unused(self) -> None:
        """What an update left behind that was stopped half way, and versions out of use."""
        pointer = self._pointer()
        for path in (self.folder / VERSIONS).glob("*"):
            if path.name not in (pointer.current, pointer.previous):
                shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def _lock(self, *, wait: bool) -> Iterator[bool]:
        """Hold off other updates; the system lets go of a dead process's lock."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOCK).open("ab") as file:
            yield _locked(file, wait=wait)


def _locked(file: IO[bytes], *, wait: bool) -> bool:
    """Lock an open file until it is closed; False if another has it and none is to wait."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # the second is Windows' word for it
        return False
    return True


def _parse_latest(data: bytes) -> Latest:
    try:
        told = json.loads(data)
        path, version = told["path"], told["manifest_sha256"]
        whole = all(PLAIN.fullmatch(part) for part in path.split("/"))
        if whole and VERSION.fullmatch(version):
            return Latest(path, version)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise UpdateError(f"{LATEST} names no bundle below its folder; publish it again")


def _require_room(place: Path, wanted: int) -> None:
    free = shutil.disk_usage(place).free
    if free < wanted:
        raise UpdateError(f"the new bundle takes {wanted:,} bytes and {free:,} are free; make room")


def _write(file: Path, data: bytes) -> None:
    try:
        write_atomic(file, data)
    except OSError as error:
        raise UpdateError(f"{file} cannot be written: {os.strerror(error.errno or 0)}") from error
