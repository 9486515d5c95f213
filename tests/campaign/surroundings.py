"""Places in which a writer has to live: no output, no home, no temporary folder, a full disk."""

import os
import pwd
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace

from tests.campaign.disturbances import forked
from tests.campaign.kills import ENDED, FINISHED, require_end, require_whole
from tests.campaign.trials import WRONG, Wrong, require

NOT_HERE = "not to be had here"


def _closed(*descriptors):
    def change(place):
        for number in descriptors:
            setattr(sys, ("stdin", "stdout", "stderr")[number], None)
            os.close(number)

    return change


def _full_output(place):
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


def _home(value):
    def change(place):
        for name in ("GLINT_EDGE_CACHE", "XDG_CACHE_HOME", "HOME"):
            os.environ.pop(name, None)
        if value is not None:
            os.environ["HOME"] = value

        def nobody(*_):
            raise KeyError("getpwuid(): uid not found")

        pwd.getpwuid = pwd.getpwnam = nobody

    return change


def _cache_is_a_file(place):
    os.environ["GLINT_EDGE_CACHE"] = __file__


def _no_temporary_folder(place):
    def nowhere():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp', '/var/tmp']")

    tempfile.tempdir = None
    tempfile.gettempdir = tempfile._get_default_tempdir = nowhere


def _no_working_folder(place):
    gone = place.temporary / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()


def _few_files(place):
    there = os.dup(0)  # the least that is free
    os.close(there)
    resource.setrlimit(resource.RLIMIT_NOFILE, (there + 5, there + 5))


def _short_files(size):
    def change(place):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return change


SURROUNDINGS = {
    "no stdout": _closed(1),
    "no streams": _closed(0, 1, 2),
    "a full stdout": _full_output,
    "no home": _home(None),
    "a home that is a file": _home("/dev/null"),
    "a cache that is a file": _cache_is_a_file,
    "no temporary folder": _no_temporary_folder,
    "no working folder": _no_working_folder,
    "few open files": _few_files,
    "files of 100 bytes": _short_files(100),
    "files of 3,000 bytes": _short_files(3000),
    "a disk with 0 KB left": 0,
    "a disk with 8 KB left": 8,
    "a disk with 24 KB left": 24,
    "a disk with 64 KB left": 64,
}


def surrounded(place, name):
    """Run a writer somewhere, and hold what is found then; a word, and what to say of it."""
    place.restore()
    change = SURROUNDINGS[name]
    if isinstance(change, int):
        return _on_a_full_disk(place, change)
    return _judged(place, name, change)


def _judged(place, name, change, before_looking=lambda: None):
    def there():
        place.work(lambda folder: (change(place), place.writer.run(folder)))

    ended = forked(there, place.folder.parent)
    before_looking()
    try:
        require(ended.code is not None, f"it hangs: {ended.said[-1500:]}")
        silent = ended.code == 2 and name == "no streams"
        require_end(place, replace(ended, said="-") if silent else ended, 2)
        require_whole(place)
    except Wrong as wrong:
        return WRONG, f"{name}: {wrong}\n{ended.code}: {ended.said[-1200:]}"
    return (FINISHED if ended.code == 0 else ENDED), ""


def _on_a_full_disk(place, kilobytes):
    """A file system of its own, so small that it is full on the way."""
    shutil.rmtree(place.folder)
    place.folder.mkdir()
    if not _mount(place, "size=64m"):
        place.folder.rmdir()
        return NOT_HERE, ""
    try:
        shutil.copytree(place.before, place.folder, symlinks=True, dirs_exist_ok=True)
        used = shutil.disk_usage(place.folder).used // 1024
        _mount(place, f"remount,size={used + kilobytes}k")
        return _judged(
            place, f"{kilobytes} KB", lambda _: None, lambda: _mount(place, "remount,size=64m")
        )
    finally:
        subprocess.run(["umount", "-l", place.folder], check=False)


def _mount(place, options):
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place.folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
