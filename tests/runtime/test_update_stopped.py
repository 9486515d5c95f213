"""An update that is killed at any moment, and several at once."""

import os
import shutil
import signal
import subprocess
import sys
import threading

import pytest

from glint_edge.runtime import BundleStore
from tests.runtime.update_server import kept, name_of, update

# Dies as the n-th of its system's calls that change what is on the disk begins.
KILLED = """
import os, signal, sys
from pathlib import Path
from glint_edge.runtime import BundleStore

folder, built_in, server, left = *map(Path, sys.argv[1:4]), int(sys.argv[4])
def audit(event, arguments):
    global left
    if event in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"):
        if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        if not any(str(folder) in str(part) for part in arguments):
            return
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
store = BundleStore(folder, built_in)
sys.addaudithook(audit)
store.update(lambda path: (server / path).read_bytes(), lambda path: None)
"""


def test_a_kill_at_any_write_leaves_a_good_bundle_and_no_leftovers(store, server, tmp_path):
    for name in ("one", "two"):
        server.publish(name)
        update(store, server)
    server.publish("three")
    before = shutil.copytree(store.folder, tmp_path / "before")
    seen, moment = [], 0
    while True:
        shutil.rmtree(store.folder)
        shutil.copytree(before, store.folder)
        words = [store.folder, store.built_in, server.folder, moment]
        done = subprocess.run(
            [sys.executable, "-c", KILLED, *map(str, words)], capture_output=True, text=True
        )
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        name = store.open(name_of)
        assert len(kept(store)) == 2
        assert {path.name for path in store.folder.iterdir()} == {
            "lock",
            "pointer.json",
            "versions",
        }
        seen.append(name)
        assert update(store, server) is (name == "two")
        assert store.open(name_of) == "three"
        if done.returncode == 0:
            break
        moment += 1
    # Killed before anything, in the middle of each file, on both sides of the pointer's swap.
    swap = seen.index("three")
    assert seen == ["two"] * swap + ["three"] * (len(seen) - swap)
    assert swap > 8 and len(seen) - swap > 1


def test_updates_at_once_take_turns(store, server):
    server.publish("one")
    both, asked = threading.Barrier(2), []

    def one_update():
        both.wait()
        asked.append(update(BundleStore(store.folder, store.built_in), server))

    threads = [threading.Thread(target=one_update) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(asked) == [False, True]
    assert server.asked.count("bundles/one/model.onnx") == 1


# A process that another thread forks during an update has the lock's file open, and lives on.
FORKED = """
import os, signal, sys
from pathlib import Path
from glint_edge.runtime import BundleStore

store, server, children = BundleStore(*sys.argv[1:3]), Path(sys.argv[3]), []
def fetch(path):
    if not children:
        children.append(os.fork())
        if children == [0]:
            signal.alarm(60)  # should nobody end it
            signal.pause()
    return (server / path).read_bytes()
try:
    print(store.update(fetch, lambda path: None))
    signal.alarm(20)
    print(store.update(fetch, lambda path: None))
finally:
    os.kill(children[0], signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_forked_during_an_update_holds_off_none(store, server):
    server.publish("one")
    words = [store.folder, store.built_in, server.folder]
    done = subprocess.run(
        [sys.executable, "-c", FORKED, *map(str, words)], capture_output=True, text=True
    )
    assert done.stdout.split() == ["True", "False"], done.stderr


def test_opening_waits_for_no_update_and_disturbs_none(store, server):
    server.publish("one")
    opened = []

    def fetch(path):
        opened.append(BundleStore(store.folder, store.built_in).open(name_of))
        return server.fetch(path)

    assert store.update(fetch, name_of) is True
    assert opened == ["built in"] * 5
    assert store.open(name_of) == "one"
