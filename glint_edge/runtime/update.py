"""Replacing a bundle over the air: docs/update.md.

Everything is fetched and checked beside the version in use, tried, and only then pointed to.
Whatever stops that half way, a kill or a power cut included, leaves the version in use as it was.

In the store's folder: `pointer.json`, and in `versions/` a bundle each, named by its manifest's
sha256. What the pointer does not name is deleted by the next call; while the pointer cannot be
read, nothing is, and what is whole is used.
"""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, TypeVar

from glint_edge.bundles.manifest import LATEST, MANIFEST, PART_OF
from glint_edge.errors import BundleError, UpdateError
from glint_edge.files import sha256, sync_folder, write_atomic, write_json
from glint_edge.json_files import Fault, Schema
from glint_edge.locks import try_lock, unlock
from glint_edge.refusals import refusal
from glint_edge.runtime.app_bundle import read_app_manifest
from glint_edge.runtime.versions import (
    Latest,
    Pointer,
    check_files,
    created,
    is_whole,
    parse_latest,
    refuse_older,
    time_of,
)

POINTER, VERSIONS, LOCK = "pointer.json", "versions", "lock"
POINTER_SCHEMA = Schema(Path(__file__).with_name("pointer.schema.json"), most_bytes=1 << 20)
VERSION = re.compile("[0-9a-f]{64}")
LOCK_POLL = 0.1  # seconds

Loaded = TypeVar("Loaded")
log = logging.getLogger(__name__)


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
        """Load the current version; if it cannot be, the last good one, then the built-in one.

        A folder that is full, or another user's, is read as it is.

        Args:
            load: such as `Recommender.load`. Whatever it raises, the next version is tried; what it
                raises for the built-in one is for the caller.
        """
        try:
            with self._lock(wait=False) as locked:
                if locked:
                    self._delete_unused()
        except (UpdateError, OSError) as error:
            log.warning("nothing is deleted: %s", error)
        for version in self._kept():
            try:
                return load(self._place(version))
            except Exception as error:  # whatever a damaged file makes of a runtime
                log.warning("an older bundle is used: %s", error)
        return load(self.built_in)

    def update(
        self,
        fetch: Callable[[str], bytes],
        check: Callable[[Path], None],
        *,
        older: bool = False,
    ) -> bool:
        """Look for a newer version, and take it if it passes.

        Args:
            fetch: gives a file of the server by its path, "latest.json" and what lies below its
                folder; what it raises ends the update.
            check: loads the new version and raises if it must not be used, say because
                `replay_golden` finds a difference.
            older: also take what was announced before the version in use was.

        Returns:
            Whether there is a new version. `open` gives it; sessions begin from their histories.

        Raises:
            UpdateError: what the server gave is damaged, or older, or there is no room for it.
        """
        with self._lock(wait=True):
            self._delete_unused()
            latest = parse_latest(fetch(LATEST))
            pointer = self._pointer()
            good = [version for version in self._kept() if is_whole(self._place(version))][:2]
            first, second = (*good, None, None)[:2]
            newest = pointer.published if pointer else None
            if latest.version == (first or self._built_in_version()):
                announced = max(filter(None, (newest, latest.published)), default=None)
                self._point(Pointer(first, second, announced))
                return False
            since = newest or created(self._place(first) if first else self.built_in)
            if not older:
                refuse_older(latest.published, since)
            # No version is pointed to while it is being written.
            self._point(Pointer(first, second, newest))
            try:
                if latest.version not in good:
                    self._take(latest, fetch)
                if not (older or latest.published):
                    refuse_older(created(self._place(latest.version)), since)
                check(self._place(latest.version))
                self._point(Pointer(latest.version, first, latest.published))
            finally:
                self._delete_unused()
            return True

    # ---- one version ---------------------------------------------------------------------------

    def _take(self, latest: Latest, fetch: Callable[[str], bytes]) -> None:
        """Fetch a version, the manifest first, and hold each file to it."""
        place = self._place(latest.version)
        shutil.rmtree(place, ignore_errors=True)
        data = fetch(f"{latest.path}/{MANIFEST}")
        if hashlib.sha256(data).hexdigest() != latest.version:
            raise UpdateError(f"the new {MANIFEST} is damaged on its way; try again later")
        try:
            _write(place / MANIFEST, data)
            files = read_app_manifest(place)["files"]
            _require_room(place, sum(listed["bytes"] for listed in files.values()))
            for name in files:
                _write(place / name, fetch(f"{latest.path}/{name}"))
            with _one_line(place):
                check_files(place)
                sync_folder(place)
                sync_folder(place.parent)
        except BundleError as error:
            raise UpdateError(f"the new bundle is not taken: {error}") from error

    def _built_in_version(self) -> str | None:
        """As latest.json names it; None: it is damaged, or not there."""
        if not is_whole(self.built_in):
            return None
        part: dict[str, str] = read_app_manifest(self.built_in).get(PART_OF, {})
        return part.get("manifest_sha256") or sha256(self.built_in / MANIFEST)

    def _place(self, version: str) -> Path:
        return self.folder / VERSIONS / version

    # ---- which one is used ---------------------------------------------------------------------

    def _kept(self) -> list[str]:
        """The versions to try, the current one first; all that are here if none is pointed to."""
        pointer = self._pointer()
        if pointer is not None:
            return pointer.kept
        log.warning("%s cannot be read; what is whole is used", POINTER)
        whole = []
        with suppress(OSError):
            for path in (self.folder / VERSIONS).iterdir():
                if VERSION.fullmatch(path.name) and is_whole(path):
                    whole.append(((path / MANIFEST).stat().st_mtime_ns, path.name))
        return [name for _, name in sorted(whole, reverse=True)]

    def _pointer(self) -> Pointer | None:
        """What the pointer says; None: it is there and cannot be read."""
        try:
            values = POINTER_SCHEMA.read(self.folder / POINTER)
            return Pointer(values["current"], values["previous"], time_of(values.get("published")))
        except FileNotFoundError:
            return Pointer()
        except (OSError, Fault):
            pass
        return None

    def _point(self, pointer: Pointer) -> None:
        if pointer != self._pointer():
            with _one_line(self.folder / POINTER):
                write_json(self.folder / POINTER, asdict(pointer))
                sync_folder(self.folder)

    def _delete_unused(self) -> None:
        """What an update left behind that was stopped half way, and versions out of use."""
        pointer = self._pointer()
        if pointer is None:  # which versions are in use is not known
            return
        for path in (self.folder / VERSIONS).glob("*"):
            if path.name not in pointer.kept:
                shutil.rmtree(path, ignore_errors=True)
        for path in self.folder.glob(f".{POINTER}.*"):
            with suppress(OSError):
                path.unlink()

    @contextmanager
    def _lock(self, *, wait: bool) -> Iterator[bool]:
        """Hold off other updates; gives False if another has the lock and none is to wait."""
        with _open_lock(self.folder / LOCK) as file:
            with _one_line(self.folder / LOCK):
                while not (locked := try_lock(file)) and wait:
                    time.sleep(LOCK_POLL)
            try:
                yield locked
            finally:
                if locked:
                    unlock(file)


def _open_lock(file: Path) -> IO[bytes]:
    with _one_line(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        return file.open("ab")


def _require_room(place: Path, wanted: int) -> None:
    free = shutil.disk_usage(place).free
    if free < wanted:
        raise UpdateError(f"the new bundle takes {wanted:,} bytes and {free:,} are free; make room")


def _write(file: Path, data: bytes) -> None:
    with _one_line(file):
        write_atomic(file, data)


@contextmanager
def _one_line(file: Path) -> Iterator[None]:
    """What the system refuses, as an error of this project."""
    try:
        yield
    except OSError as error:
        raise UpdateError(f"{file} cannot be written: {refusal(error, '')}") from error
