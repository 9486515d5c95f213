"""Two folders exchanged in one step, where the system has one: neither name is ever without."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

RENAME_EXCHANGE = RENAME_SWAP = 2  # linux/fs.h; macOS' sys/stdio.h
AT_FDCWD = -100  # linux/fcntl.h
# The C library, the kernel or the file system has no such call.
NONE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two folders of one file system; False where the system cannot.

    Raises:
        OSError: it could, but not these.
    """
    if os.name == "nt":
        return False
    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    try:
        if sys.platform == "darwin":
            failed = library.renamex_np(*names, RENAME_SWAP)
        else:
            failed = library.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE)
    except AttributeError:
        return False
    if failed and (number := ctypes.get_errno()) not in NONE:
        raise OSError(number, os.strerror(number), str(other))
    return not failed
