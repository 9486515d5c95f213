"""What the system refuses, as one line that ends in what to do about it."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from glint_edge.suggestions import did_you_mean, near_paths

# Ends the name of what is being written, beside its place (staging.py).
PART = ".glint-part"

FULL, FORBIDDEN = "free space or choose another place", "allow it or choose another place"
ADVICE = {
    "ENOSPC": FULL, "EDQUOT": FULL, "EACCES": FORBIDDEN, "EPERM": FORBIDDEN,
    "EROFS": "choose a place that can be written",
    "ENOENT": "check the path",
    "ENOTDIR": "a file stands where a folder is needed, choose another place",
    "EISDIR": "a folder stands where a file is needed, choose another place",
    "EEXIST": "remove it or choose another place", "ENOTEMPTY": "remove it or choose another place",
    "ELOOP": "its links lead in a circle, mend them or choose another place",
    "ENAMETOOLONG": "choose a shorter name",
    "EMFILE": "allow more open files (`ulimit -n`)",
    "ENFILE": "end other programs, or allow more open files",
    "ENOMEM": "end other programs, or use a machine with more memory",
    "EFBIG": "allow larger files (`ulimit -f`) or choose another place",
    "EIO": "the disk may be failing, choose another place",
    "EBUSY": "end what uses it or choose another place",
    "ETIMEDOUT": "try again",
}  # fmt: skip


def refusal(error: OSError, place: str | Path | None = None) -> str:
    """What was refused, where, and what to do, as in "Permission denied (/x); allow it or …".

    Args:
        error: the system's.
        place: what it is about; "": not to be said; None: as the error says.
    """
    number = _number(error)
    where = _place(error) if place is None else str(place)
    what = os.strerror(number) if number in errno.errorcode else " ".join(str(error).split())
    advice = ADVICE.get(errno.errorcode.get(number, ""))
    if number == errno.ENOENT and where:
        advice = did_you_mean(near_paths(where), advice or "")
    return f"{what}{f' ({where})' if where else ''}{f'; {advice}' if advice else ''}"


def _number(error: OSError) -> int:
    """Its errno; libraries of other languages say it in their text alone."""
    said = re.search(r"\(os error (\d+)\)", str(error))
    return error.errno or (int(said[1]) if said else 0)


def _place(error: OSError) -> str:
    """The file's name; for one under which something is being written, its folder."""
    name = error.filename2 or error.filename
    if not isinstance(name, (str, bytes, os.PathLike)):
        return ""
    path = Path(os.fsdecode(name))
    for above in (path, *path.parents):
        if above.name.endswith(PART):
            return str(above.parent)
    return str(path)
