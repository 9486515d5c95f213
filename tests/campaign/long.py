"""The campaign's long form: each target in a process of its own, counts kept in JSON."""

import json
import logging
import multiprocessing
import os
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch

from tests.campaign.stops import jobs as stops
from tests.campaign.stops import outcomes
from tests.campaign.targets import TARGETS
from tests.campaign.trials import CRASH, DIED, FAULTS, HANG, SECONDS, judged, seeded

CHUNK = 500  # inputs of a process; then a new one begins
MEMORY = 12 << 30  # bytes that a process may have of its own: what asks for more is refused
PATIENCE = 3 * SECONDS  # native code takes no alarm


class Campaign:
    """A run that may come in parts.

    Attributes:
        counts: by target or writer, how many of each outcome.
    """

    def __init__(self, file=None, only="", until=float("inf")):
        self._file, self._only, self._until = file, only, until
        self.counts = json.loads(file.read_text()) if file and file.exists() else {}
        # Of a process that has imported all and run nothing: its libraries' threads are unborn.
        self._context = multiprocessing.get_context("fork")

    def run(self, inputs, kills):
        """All that is left of so many inputs and kills; gives the faults as they come."""
        for job, count in self._jobs(inputs, kills):
            yield from self._do(job, count)

    def repeat(self, number):
        """One input, or one stop of a writer."""
        (job, _), *_ = self._jobs(1, 1)
        return self._part(job, number, 1)[1]

    def _jobs(self, inputs, kills):
        shares = sum(target.share for target in TARGETS)
        for target in TARGETS:
            if self._is_asked_for(target.name):
                yield ("inputs", target.name), max(1, round(inputs * target.share / shares))
        for kind, name, count in stops(kills):
            if self._is_asked_for(name):
                yield (kind, name), count

    def _is_asked_for(self, name):
        return any(part in name for part in self._only.split(","))

    def _do(self, job, count):
        own = self.counts.setdefault(job[0], {}).setdefault(job[1], {})
        while (done := sum(own.values())) < count and time.monotonic() < self._until:
            counted, some = self._part(job, done, min(CHUNK, count - done))
            yield from some
            for word, number in counted.items():
                own[word] = own.get(word, 0) + number
            self._write()

    def _write(self):
        if self._file:
            self._file.write_text(json.dumps(self.counts, indent=1, ensure_ascii=False) + "\n")

    def _part(self, job, start, count):
        """Some inputs of a target in a process; one that dies or hangs ends it, and is counted."""
        ours, theirs = self._context.Pipe()
        child = self._context.Process(target=_work, args=(theirs, *job, start, count, self._until))
        child.start()
        theirs.close()
        counted, faults, number = Counter(), [], start
        while True:
            try:
                late = not ours.poll(PATIENCE if job[0] == "inputs" else 10 * PATIENCE)
                word, what = (HANG, "native code") if late else ours.recv()
            except EOFError:
                child.join()
                word, what = _death(job, child.exitcode)
            if word is None:
                break
            counted[word] += 1
            if what:
                faults.append((f"{job[1]} {word} {number}", what))
            number += 1
            if word in (HANG, CRASH, DIED):
                child.kill()
                break
        child.join()
        return counted, faults

    def total(self, kind):
        """How many of a kind, by outcome."""
        total = Counter()
        for own in self.counts.get(kind, {}).values():
            total.update(own)
        return total


def _death(job, code):
    may_die = any(target.may_die for target in TARGETS if target.name == job[1])
    # One that only fails has not begun: that is a fault of the campaign's.
    return (DIED, "") if may_die and code < 0 else (CRASH, f"exit code {code}")


def _work(pipe, kind, name, start, count, until):
    """In a process of its own."""
    _alone()
    with tempfile.TemporaryDirectory(prefix="campaign-") as place:
        os.chdir(place)
        os.environ["GLINT_EDGE_CACHE"] = f"{place}/cache"
        for outcome in _outcomes(kind, name, Path(place), start, count):
            pipe.send(outcome)
            if time.monotonic() > until:
                break
        os.chdir("/")
    pipe.send((None, ""))
    pipe.close()


def _outcomes(kind, name, place, start, count):
    if kind != "inputs":
        yield from outcomes(kind, name, place, start, count)
        return
    (target,) = (target for target in TARGETS if target.name == name)
    trial = target.prepare(place)
    for number in range(start, start + count):
        word, what = judged(trial, seeded(target, number))
        yield word, what if word in FAULTS else ""


def _alone():
    """What native code prints is nobody's, and no input may take all memory."""
    torch.set_num_threads(1)
    logging.getLogger("glint_edge").setLevel(logging.CRITICAL)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
