"""Files and folders that a crash, a kill or a full disk leaves whole, and where the cache is.

What is being written lies beside its place until it is whole (`glint_edge.staging`).
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

from glint_edge.errors import ConfigError
from glint_edge.locks import is_at, try_lock
from glint_edge.refusals import PART, refusal
from glint_edge.staging import NEW, Identity, identity, put, staging, sweep

NOW: Identity = (-1, -1)


def cache_folder() -> Path:
    """The user's cache folder for this tool; GLINT_EDGE_CACHE moves it.

    Raises:
        ConfigError: there is no home folder that it could be in.
    """
    import platformdirs  # of the toolkit: an application that only runs a bundle has none

    try:
        root = os.environ.get("GLINT_EDGE_CACHE") or platformdirs.user_cache_dir("glint-edge")
        return Path(root).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            "this user has no home folder to keep a cache in; name a folder for it by the variable "
            "GLINT_EDGE_CACHE"
        ) from error


def write_atomic(path: Path, data: bytes) -> None:
    """Write beside `path`, flush to the disk, then rename over it; a link stays one."""
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    while not _write(path, path.with_name(f".{path.name}.{token_hex(4)}{PART}"), data):
        pass


def _write(path: Path, part: Path, data: bytes) -> bool:
    """One attempt; it fails if another process took the new file for what a kill left."""
    try:
        with part.open("xb") as file:
            if not (try_lock(file) and is_at(file, part)):
                return False
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            if os.name == "nt":  # which renames no open file
                file.close()
            part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return True


def require_place(path: Path, *, inside: bool = False) -> None:
    """Refuse, before any work, a path that could not be written after it.

    Args:
        path: a file or a folder that is to be.
        inside: what is written lies in it, where it is a folder that exists.

    Raises:
        ConfigError: its folder cannot be made or written, or its name is too long.
    """
    real = Path(os.path.realpath(path))
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            real.with_name(f".{real.name}.{token_hex(4)}{PART}").lstat()  # its name beforehand
        above = real if inside and real.is_dir() else real.parent
        while not os.path.lexists(above):
            above = above.parent
        with tempfile.TemporaryFile(dir=above):
            pass
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {refusal(error, '')}") from error


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401  # JSON is any of its types
    """Write a value as JSON, atomically, with one key a line so that diffs read well."""
    write_atomic(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


@contextmanager
def new_folder(path: Path, stood: Identity | None = NOW) -> Iterator[Path]:
    """A folder that becomes `path` when the block ends well, and is gone otherwise.

    What stood at `path` is replaced in one step; if `path` is a link, what it leads to.

    Args:
        path: the folder.
        stood: by `identity`, what may be replaced; None: nothing, or an empty folder; `NOW`: what
            stands there when the block begins.

    Raises:
        InUseError: another process is writing `path`, or did meanwhile.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    with staging(path) as part:
        before = identity(path) if stood == NOW else stood
        new = part / NEW
        new.mkdir()
        yield new
        put(new, path, before)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A file that becomes `path` when the block ends well, and is gone otherwise; a link stays one.

    It lies in a folder of its own beside `path`, where other files may be kept for a while.

    Raises:
        InUseError: another process is writing `path`.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    with staging(path) as part:
        new = part / NEW
        new.mkdir()
        file = new / path.name
        yield file
        with file.open("rb+") as written:
            os.fsync(written.fileno())
        file.replace(path)
    sync_folder(path.parent)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder of this user alone, for a while, where the system keeps temporary files.

    Raises:
        ConfigError: there is no such place.
    """
    try:
        place = Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        raise ConfigError(
            "no folder for temporary files can be written; name one by the variable TMPDIR"
        ) from error
    sweep(place)
    with staging(place / f"glint-edge-{token_hex(8)}", mode=0o700) as part:
        new = part / NEW
        new.mkdir()
        yield new


def sync_folder(path: Path) -> None:
    """Flush a folder's entries to the disk: what was renamed into it survives a power cut."""
    if os.name == "nt":  # which cannot open folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
