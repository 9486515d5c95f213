"""Files and folders that a kill leaves whole: at every step of the system, and with two writers."""

import errno
import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

from glint_edge.errors import ConfigError, InUseError
from glint_edge.files import new_folder, scratch, write_atomic
from glint_edge.locks import acquire, release
from glint_edge.staging import recover, sweep

# Replaces the folder or file sys.argv[1]; dies before the n-th call that changes the disk.
KILLED = """
import os, signal, sys
from pathlib import Path
from glint_edge import exchange, files, staging

path, left, how = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
def step(*_):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
def audit(event, arguments):
    if event in ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"):
        step()
    if event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        step()
if how == "two renames":
    staging.exchange = lambda one, other: False
elif how == "one step":
    whole = staging.exchange
    staging.exchange = lambda *folders: (step(), whole(*folders), step())[1]
sys.addaudithook(audit)
if how == "file":
    files.write_atomic(path, b"new")
else:
    with files.new_folder(path) as work:
        (work / "one").write_text("new")
        (work / "two").write_text("new")
"""


def texts(path):
    return {file.name: file.read_text() for file in path.iterdir()}


def killed_at(moment, path, how):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(moment), how], capture_output=True, text=True
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


OLD, NEW = ({"one": text, "two": text} for text in ("old", "new"))


@pytest.mark.parametrize("how", ["one step", "two renames", "file"])
def test_a_kill_at_any_step_leaves_the_old_or_the_new_and_no_leftovers(tmp_path, how):
    path, moment, seen = tmp_path / "x.glint", 0, []
    while True:
        if how == "file":
            path.write_bytes(b"old")
        else:
            path.mkdir(exist_ok=True)
            for name in OLD:
                (path / name).write_text("old")
        died = killed_at(moment, path, how)
        if how == "two renames":
            recover(path)
        seen.append(path.read_text() if how == "file" else texts(path))
        sweep(tmp_path)
        assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
        if not died:
            break
        moment += 1
    values = ["old", "new"] if how == "file" else [OLD, NEW]
    swap = seen.index(values[1])
    assert seen == [values[0]] * swap + [values[1]] * (len(seen) - swap)
    assert swap > 2


def test_leftovers_of_others_in_a_folder_go_with_the_next_write(tmp_path):
    for name, moment, how in (("one", 4, "one step"), ("two", 2, "file")):
        (tmp_path / name).mkdir()
        killed_at(moment, tmp_path / name / name, how)
        (left,) = (tmp_path / name).iterdir()
        left.rename(tmp_path / left.name)
        (tmp_path / name).rmdir()
    (tmp_path / ".kept.part").touch()
    assert len(list(tmp_path.iterdir())) == 3
    write_atomic(tmp_path / "three", b"")
    assert {entry.name for entry in tmp_path.iterdir()} == {".kept.part", "three"}


def test_what_a_living_process_writes_stays(tmp_path):
    with new_folder(tmp_path / "one") as work, scratch() as other:
        sweep(tmp_path)
        sweep(other.parent.parent)
        write_atomic(tmp_path / "two", b"")
        assert work.is_dir() and other.is_dir()
    assert {entry.name for entry in tmp_path.iterdir()} == {"one", "two"}
    assert not other.exists()


def test_of_two_that_write_one_folder_the_second_is_refused_at_once(tmp_path):
    with new_folder(tmp_path / "x") as work:
        (work / "mine").touch()
        with (
            pytest.raises(InUseError, match=r"another process is writing .*x; wait"),
            new_folder(tmp_path / "x"),
        ):
            pytest.fail("two at once")
    assert [entry.name for entry in (tmp_path / "x").iterdir()] == ["mine"]


@pytest.mark.parametrize("stood", [False, True])
def test_what_came_meanwhile_is_not_replaced(tmp_path, stood):
    path = tmp_path / "x"
    if stood:
        path.mkdir()
        (path / "old").touch()
    with pytest.raises(InUseError, match=r"wrote .*x meanwhile"), new_folder(path):
        if stood:
            (path / "old").unlink()
        path.mkdir(exist_ok=True)
        (path / "other").touch()
    assert [entry.name for entry in path.iterdir()] == ["other"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


def test_an_empty_folder_is_nothing_and_another_is_no_new_one(tmp_path):
    (tmp_path / "x").mkdir()
    with new_folder(tmp_path / "x", stood=None) as work:
        (work / "mine").touch()
    with pytest.raises(InUseError), new_folder(tmp_path / "x", stood=None):
        pass
    assert [entry.name for entry in (tmp_path / "x").iterdir()] == ["mine"]


def test_an_error_leaves_what_stood_there(tmp_path):
    path = tmp_path / "x"
    path.mkdir()
    with pytest.raises(FileNotFoundError), new_folder(path) as work:
        (work / "nothing" / "there").touch()
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_one_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "file").write_text("old")
    (tmp_path / "name").symlink_to("file")
    with new_folder(tmp_path / "link") as work:
        (work / "new").touch()
    write_atomic(tmp_path / "name", b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "name").is_symlink()
    assert (tmp_path / "real" / "new").exists()
    assert (tmp_path / "file").read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077, 0o002])
def test_modes_follow_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_atomic(tmp_path / "file", b"")
        with new_folder(tmp_path / "folder") as work:
            (work / "inside").touch()
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("file", "folder")}
    assert modes == {"file": 0o666 & ~umask, "folder": 0o777 & ~umask}


def test_many_writers_of_one_file_leave_one_of_theirs_whole(tmp_path):
    values = [bytes([n]) * 10_000 for n in range(8)]
    threads = [threading.Thread(target=write_atomic, args=(tmp_path / "x", v)) for v in values]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "x").read_bytes() in values
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


def test_a_file_system_without_locks_is_written_to_and_never_swept(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    killed_at(3, tmp_path / "one", "one step")
    monkeypatch.setattr("fcntl.flock", refuse)
    write_atomic(tmp_path / "file", b"")
    with new_folder(tmp_path / "folder"):
        pass
    assert len(list(tmp_path.iterdir())) == 3


def test_a_lock_is_gone_with_who_had_it(tmp_path):
    lock = acquire(tmp_path / "new" / "lock", tmp_path)
    with pytest.raises(InUseError):
        acquire(tmp_path / "new" / "lock", tmp_path, patience=0)
    release(lock, tmp_path / "new" / "lock")
    assert list((tmp_path / "new").iterdir()) == []


def test_no_place_for_temporary_files_is_one_line(monkeypatch):
    def nowhere():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr("tempfile.gettempdir", nowhere)
    with pytest.raises(ConfigError, match="TMPDIR"), scratch():
        pytest.fail("there is none")


def test_a_temporary_folder_is_for_this_user_alone():
    with scratch() as folder:
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
