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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TypeVar

from glint_edge.bundles.manifest import LATEST, LATEST_SCHEMA, MANIFEST, PART_OF
from glint_edge.errors import BundleError, UpdateError
from glint_edge.files import sha256, sync_folder, write_atomic, write_json
from glint_edge.json_files import Fault, Schema
from glint_edge.locks import try_lock, unlock
from glint_edge.refusals import refusal
from glint_edge.runtime.app_bundle import check_listed, read_app_manifest

POINTER, VERSIONS, LOCK = "pointer.json", "versions", "lock"
POINTER_SCHEMA = Schema(Path(__file__).with_name("pointer.schema.json"), most_bytes=1 << 20)
VERSION = re.compile("[0-9a-f]{64}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")  # all sort as text
LOCK_POLL = 0.1  # seconds

Loaded = TypeVar("Loaded")
log = logging.getLogger(__name__)


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
            latest = _parse_latest(fetch(LATEST))
            pointer = self._pointer()
            good = [version for version in self._kept() if _is_whole(self._place(version))][:2]
            first, second = (*good, None, None)[:2]
            newest = pointer.published if pointer else None
            if latest.version == (first or self._built_in_version()):
                announced = max(filter(None, (newest, latest.published)), default=None)
                self._point(Pointer(first, second, announced))
                return False
            since = newest or _created(self._place(first) if first else self.built_in)
            if not older:
                _refuse_older(latest.published, since)
            # No version is pointed to while it is being written.
            self._point(Pointer(first, second, newest))
            try:
                if latest.version not in good:
                    self._take(latest, fetch)
                if not (older or latest.published):
                    _refuse_older(_created(self._place(latest.version)), since)
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
                _check_files(place)
                sync_folder(place)
                sync_folder(place.parent)
        except BundleError as error:
            raise UpdateError(f"the new bundle is not taken: {error}") from error

    def _built_in_version(self) -> str | None:
        """As latest.json names it; None: it is damaged, or not there."""
        if not _is_whole(self.built_in):
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
                if VERSION.fullmatch(path.name) and _is_whole(path):
                    whole.append(((path / MANIFEST).stat().st_mtime_ns, path.name))
        return [name for _, name in sorted(whole, reverse=True)]

    def _pointer(self) -> Pointer | None:
        """What the pointer says; None: it is there and cannot be read."""
        try:
            values = POINTER_SCHEMA.read(self.folder / POINTER)
            return Pointer(values["current"], values["previous"], _time(values.get("published")))
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


def _check_files(bundle: Path) -> None:
    manifest = read_app_manifest(bundle)
    for name in manifest["files"]:
        check_listed(bundle, manifest, name)


def _is_whole(bundle: Path) -> bool:
    try:
        _check_files(bundle)
    except (BundleError, OSError):  # a failing disk's are the second
        return False
    return True


def _parse_latest(data: bytes) -> Latest:
    try:
        values = LATEST_SCHEMA.parse(data)
    except Fault as error:
        raise UpdateError(f"{LATEST} names no bundle below its folder; publish it again") from error
    return Latest(values["path"], values["manifest_sha256"], _time(values.get("published")))


def _created(bundle: Path) -> str | None:
    """When a bundle was made, as its manifest says; None: unknown."""
    try:
        return _time(read_app_manifest(bundle).get("created"))
    except (BundleError, OSError):
        return None


def _time(value: object) -> str | None:
    return value if isinstance(value, str) and TIME.fullmatch(value) else None


def _refuse_older(announced: str | None, since: str | None) -> None:
    """Hold what a server announces to what is in use; times of one form sort as text."""
    if announced and since and announced < since:
        raise UpdateError(
            f"the server announces a bundle of {announced}, older than that in use ({since}); "
            "publish the one that is wanted again, or ask for the older one"
        )


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
