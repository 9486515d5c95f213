"""Files that a crash, a kill or a full disk leaves whole, and where the cache folder is."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def cache_folder() -> Path:
    """The user's cache folder for this tool; GLINT_EDGE_CACHE moves it."""
    import platformdirs  # of the toolkit: an application that only runs a bundle has none

    root = os.environ.get("GLINT_EDGE_CACHE") or platformdirs.user_cache_dir("glint-edge")
    return Path(root).expanduser()


def write_atomic(path: Path, data: bytes) -> None:
    """Write beside `path`, flush to the disk, then rename over it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp's 0600 is for secrets; these files are shared like any other
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401  # JSON is any of its types
    """Write a value as JSON, atomically, with one key a line so that diffs read well."""
    write_atomic(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary sibling that becomes `path` when the block ends well, and is gone otherwise.

    What stood at `path` is replaced, and put back if the replacing fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    old = work.with_name(work.name + ".old")
    try:
        work.chmod(0o755)
        yield work
        if path.exists():
            path.rename(old)
        work.rename(path)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        if old.exists():
            old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


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
