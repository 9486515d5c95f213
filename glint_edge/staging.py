"""Where files and folders are made: hidden beside their place, by one process at a time.

What is being written lies under a name that ends in `PART`, and is locked by its writer. So whoever
writes to the same folder next knows what a kill left there, and deletes it; and of two that write
one folder at once, the second is refused.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TypeAlias

from glint_edge.errors import InUseError
from glint_edge.exchange import exchange
from glint_edge.locks import PATIENCE, acquire, release, try_lock
from glint_edge.refusals import PART

LOCK, NEW, OLD = "lock", "new", "old"  # in a folder's
Identity: TypeAlias = tuple[int, int]


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
