"""One input at a time: drawn, read, and judged.

A target is a kind of file and what reads it. Its trial draws an input, lets it be read, and holds
what was read against the input. Of an input may come an error of this project in one line, or the
right answer, within `SECONDS`; all else is a fault.
"""

import signal
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glint_edge.errors import GlintEdgeError

SECONDS = 10
MOST_LETTERS = 2500  # of an error, with its paths
READ, REFUSED, DIED = "read", "refused", "ended its own process"
FAULTS = TRACEBACK, HANG, WRONG, CRASH, WORDS = (
    "traceback", "hang", "wrong answer", "crash", "no plain line",
)  # fmt: skip


class Wrong(AssertionError):
    """What was read is not what the input says, or something was lost."""


class Late(BaseException):
    """An input is read for too long; no `except Exception` takes it for an error."""


@dataclass(frozen=True)
class Target:
    """A kind of input.

    Attributes:
        name: of it.
        prepare: of a folder of its own, gives the trial: what draws an input and reads it.
        share: how many inputs it gets, beside the others.
        may_die: native code reads it, which is why nothing but a child does.
    """

    name: str
    prepare: Callable[[Path], Callable[[np.random.Generator], None]]
    share: float = 1.0
    may_die: bool = False


def require(holds, what):
    if not holds:
        raise Wrong(what)


def seeded(target, number, seed=0):
    """The generator of a target's input with this number, in whatever part of a run it comes."""
    return np.random.default_rng([seed, *target.name.encode(), number])


def judged(trial, rng):
    """What came of an input: a word, and where it is a fault what to say of it."""
    try:
        with _alarm():
            trial(rng)
    except GlintEdgeError as error:
        return _line(str(error), error)
    except Late as late:
        return HANG, "".join(traceback.format_tb(late.__traceback__)[-3:])
    except Wrong as wrong:
        return WRONG, str(wrong)[:2000]
    except Exception as error:  # whatever else it is, it is a fault
        shown = traceback.format_exception(error)
        return TRACEBACK, "".join(shown)[-2500:]
    return READ, ""


def _line(text, error):
    plain = text.isprintable() and 0 < len(text) < MOST_LETTERS
    return (REFUSED, "") if plain else (WORDS, f"{type(error).__name__}: {text[:2000]!r}")


@contextmanager
def _alarm():
    def late(*_):
        raise Late

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
