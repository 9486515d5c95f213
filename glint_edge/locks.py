"""A lock on an open file, between processes: the system lets go of a dead one's."""

from __future__ import annotations

import errno
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from glint_edge.errors import InUseError

PATIENCE, POLL = 0.5, 0.05  # seconds: who only tidies up holds a lock for a moment
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


def try_lock(file: IO[bytes], *, without: bool = True) -> bool:
    """Lock an open file, if no other has it.

    Args:
        file: open for writing.
        without: what is said where the file system has no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # the second is Windows' word for it
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return without
    return True


def unlock(file: IO[bytes]) -> None:
    """Closing is not enough: a process that was forked meanwhile has the file open too."""
    if file.closed:
        return
    with suppress(OSError):
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_UN)


def is_at(file: IO[bytes], path: Path) -> bool:
    """Whether an open file still has this name: who had its lock before may have deleted it."""
    try:
        there = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(file.fileno()), there)


def acquire(path: Path, what: Path, *, mode: int = 0o777, patience: float = PATIENCE) -> IO[bytes]:
    """Make a lock file, and its folder, and lock it.

    Args:
        path: the lock file's.
        what: is written meanwhile, for the error.
        mode: of the folder, before the umask.
        patience: seconds.

    Raises:
        InUseError: another process has it.
    """
    until = time.monotonic() + patience
    while True:
        path.parent.mkdir(mode, exist_ok=True)
        with suppress(FileNotFoundError):  # who had it before deleted the folder meanwhile
            file = path.open("ab")
            try:
                if try_lock(file, without=patience > 0) and is_at(file, path):
                    return file
            except BaseException:  # whoever it holds up next must not wait for this process' end
                file.close()
                raise
            file.close()
        if time.monotonic() >= until:
            raise InUseError(
                f"another process is writing {what}; wait for its end, or choose another place"
            )
        time.sleep(POLL)


def release(file: IO[bytes], path: Path) -> None:
    """Delete a lock file that `acquire` gave, and let go of it."""
    if os.name != "nt":  # where an open file stays
        path.unlink(missing_ok=True)
    unlock(file)
    file.close()
    if os.name == "nt":
        with suppress(OSError):
            path.unlink()
