"""Writers stopped at each of their steps, and two at once."""

import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from functools import partial

from glint_edge.files import scratch, write_atomic
from glint_edge.refusals import PART
from tests.campaign.disturbances import SIGNALS, Disturbance, forked, in_child
from tests.campaign.trials import WRONG, Wrong, require
from tests.campaign.writers import AFTER, BEFORE

ENDED, FINISHED = "stopped", "finished all the same"


class Place:
    """A writer's folder, as it was before each run."""

    def __init__(self, writer, folder):
        self.writer, self.folder = writer, folder / "work"
        self.before = folder / "before"
        self.temporary = folder / "tmp"
        self.folder.mkdir()
        self.temporary.mkdir()
        with self._own_places():
            writer.prepare(self.folder)
        self.folder.rename(self.before)
        self.restore()

    def restore(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.before, self.folder, symlinks=True)

    def keep(self, name):
        """A file that is there from now on."""
        if (self.folder / name).exists():
            shutil.copyfile(self.folder / name, self.before / name)

    @contextmanager
    def _own_places(self):
        own = {"TMPDIR": str(self.temporary), "GLINT_EDGE_CACHE": str(self.temporary / "cache")}
        before = {name: os.environ.get(name) for name in own}
        os.environ.update(own)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value

    def run(self, disturbance=None, function=None):
        """The writer in a process of its own."""

        return forked(partial(self.work, function), self.folder.parent, disturbance)

    def work(self, function=None):
        """What is done in the child."""
        tempfile.tempdir = str(self.temporary)
        os.environ["GLINT_EDGE_CACHE"] = str(self.temporary / "cache")
        os.chdir(self.folder)
        (function or self.writer.run)(self.folder)

    def look(self):
        """What is there now, seen by a process of its own: this one's threads stay unborn."""
        seen = self.folder.parent / "seen.txt"
        seen.unlink(missing_ok=True)
        ended = self.run(function=lambda folder: seen.write_text(self.writer.look(folder)))
        require(ended.code == 0, f"what is there is not whole: {ended.said[-1500:]}")
        return seen.read_text()

    def leftovers(self):
        return [
            path for place in (self.folder, self.temporary) for path in place.rglob(f".*{PART}")
        ]


def steps_of(place):
    """How many steps an undisturbed run takes; and what is there then."""
    place.restore()
    ended = place.run(Disturbance(below=str(place.folder.parent)))
    require(ended.code == 0, f"undisturbed it fails: {ended.said[-1500:]}")
    require(place.look() == AFTER, "undisturbed it does nothing")
    place.keep("right.txt")
    return ended.steps


def stopped_at(place, kind, at):
    """Stop a writer at a step, and hold what is found then; a word, and what to say of it."""
    place.restore()
    ended = place.run(Disturbance(kind, at, str(place.folder.parent)))
    try:
        require(ended.code is not None, f"it hangs: {ended.said[-1500:]}")
        if kind != "SIGKILL":
            require_end(place, ended, 128 + SIGNALS[kind] if kind in SIGNALS else 2)
        require_whole(place)
    except Wrong as wrong:
        return WRONG, f"{wrong}\n{ended.code}: {ended.said[-800:]}"
    return (FINISHED if ended.code == 0 else ENDED), ""


def require_end(place, ended, code):
    """An end that cleans up, and says in a line why it came."""
    require("Traceback" not in ended.said, "a traceback")
    require(ended.code in (0, code), f"exit code {ended.code}")
    require(ended.code == 0 or ended.said.strip(), "it ends without a word")
    require(not place.leftovers(), f"leftovers: {place.leftovers()}")


def require_whole(place):
    seen = place.look()
    require(seen in (BEFORE, AFTER), f"what is there is {seen}")
    if seen == BEFORE:
        again = place.run()
        require(again.code == 0, f"it cannot be run again: {again.said[-1500:]}")
        require(place.look() == AFTER, "run again, it does nothing")
    _next_writes(place)
    require(not place.leftovers(), f"leftovers of a kill: {place.leftovers()}")


def _next_writes(place):
    """Whoever writes to the same folders next sweeps them."""
    for folder in {path.parent for path in place.leftovers()} - {place.temporary}:
        write_atomic(folder / "next", b"")
    before, tempfile.tempdir = tempfile.tempdir, str(place.temporary)
    try:
        with scratch():
            pass
    finally:
        tempfile.tempdir = before


def two_at_once(place):
    """Two of a writer in one place at the same moment: what is left is one's, and whole."""
    place.restore()
    gate = place.folder.parent / "gate"
    gate.unlink(missing_ok=True)

    def at_the_gate(folder):
        while not gate.exists():
            time.sleep(0.001)
        place.writer.run(folder)

    first, second = (_start(place, at_the_gate, name) for name in ("one", "two"))
    gate.touch()
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in (first, second)]
    said = [(place.folder.parent / name / "said.txt").read_text() for name in ("one", "two")]
    try:
        require(0 in codes, f"both fail: {said}")
        require(all(code in (0, 2) for code in codes), f"{codes}: {said}")
        require("Traceback" not in "".join(said), f"{said}")
        require(place.look() == AFTER, "what is there is of neither")
        require(not place.leftovers(), f"leftovers: {place.leftovers()}")
    except Wrong as wrong:
        return WRONG, str(wrong)
    return (FINISHED if codes == [0, 0] else ENDED), ""


def _start(place, function, name):
    own = place.folder.parent / name
    own.mkdir(exist_ok=True)
    child = os.fork()
    if not child:
        os._exit(in_child(partial(place.work, function), own / "said.txt"))
    return child
