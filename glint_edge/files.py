"""Files and folders that a crash, a kill or a full disk leaves whole, and where the cache is.

What is being written lies beside its place, hidden, under a name that ends in `PART`, and is locked
by its writer. So whoever writes to the same folder next knows what a kill left there, and deletes
it; and of two that write one folder at once, the second is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import IO, Any, TypeAlias

from glint_edge.errors import ConfigError, InUseError
from glint_edge.exchange import exchange
from glint_edge.locks import PATIENCE, acquire, is_at, release, try_lock
from glint_edge.refusals import PART, refusal

LOCK, NEW, OLD = "lock", "new", "old"  # in a folder's

Identity: TypeAlias = tuple[int, int]
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


@contextmanager
def staging(path: Path, *, mode: int = 0o777, patience: float = PATIENCE) -> Iterator[Path]:
    """A hidden folder beside `path` in which this process alone makes it; gone at the end.

    Args:
        path: what is made.
        mode: of the hidden folder, before the umask.
        patience: seconds to wait for another process.

    Raises:
        InUseError: another process is writing `path`.
    """
    part = path.with_name(f".{path.name}{PART}")
    lock = _acquire(part, path, mode, patience)
    try:
        _tidy(part, path)
        yield part
    finally:
        try:
            _leave(part, path, lock)
        except BaseException:  # a signal that ends programs came meanwhile: to the end all the same
            _leave(part, path, lock)
            raise


def _acquire(part: Path, path: Path, mode: int, patience: float) -> IO[bytes]:
    try:
        return acquire(part / LOCK, path, mode=mode, patience=patience)
    except InUseError:
        raise
    except BaseException:  # the same: what was begun is not left behind
        with suppress(InUseError, OSError):
            if part.is_dir():
                _leave(part, path, acquire(part / LOCK, path, patience=0))
        with suppress(OSError):
            part.rmdir()  # an empty one has no lock
        raise


def _leave(part: Path, path: Path, lock: IO[bytes]) -> None:
    with suppress(OSError):
        _tidy(part, path)
    release(lock, part / LOCK)
    with suppress(OSError):
        part.rmdir()


def put(new: Path, path: Path, before: Identity | None) -> None:
    """Rename a folder to `path`, in place of what stood there.

    Args:
        new: in a `staging` folder.
        path: of the same file system.
        before: what stood there; None: nothing, or an empty folder.

    Raises:
        InUseError: something else stands there by now.
    """
    with suppress(OSError):
        path.rmdir()  # an empty one is in nobody's way
    now = identity(path)
    if now is not None and now != before:
        raise InUseError(f"another process wrote {path} meanwhile; look at it, then try again")
    if now is not None:
        if exchange(new, path):
            return
        path.rename(new.with_name(OLD))  # a kill here: `_tidy` puts it back
    new.rename(path)


def recover(path: Path) -> None:
    """Put back what a kill took away, where folders cannot be exchanged in one step."""
    if not os.path.lexists(path) and path.with_name(f".{path.name}{PART}").is_dir():
        with suppress(InUseError, OSError), staging(path, patience=0):
            pass


def sweep(place: Path) -> None:
    """Delete what processes of this user left in a folder that were killed as they wrote."""
    with suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if entry.name.startswith(".") and entry.name.endswith(PART) and _is_own(entry):
                with suppress(InUseError, OSError):
                    _sweep(Path(entry.path))


def _sweep(part: Path) -> None:
    if part.is_dir():
        with staging(part.with_name(part.name[1 : -len(PART)]), patience=0):
            return
    with part.open("rb+") as file:
        if try_lock(file, without=False):
            part.unlink()


def _is_own(entry: os.DirEntry[str]) -> bool:
    there = entry.stat(follow_symlinks=False)
    return not entry.is_symlink() and (os.name == "nt" or there.st_uid == os.geteuid())


def _tidy(part: Path, path: Path) -> None:
    """Delete all but the lock; what a kill left half replaced comes back before."""
    if (part / OLD).exists() and not os.path.lexists(path):
        (part / OLD).rename(path)
    for left in part.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        elif left.name != LOCK:
            left.unlink()


def identity(path: Path) -> Identity | None:
    """Tells a folder, or what a link leads to, from what came in its place."""
    try:
        there = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return there.st_ino, there.st_mtime_ns


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
