"""How long pieces of work took the last time on this machine: what a forecast is made of."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from statistics import fmean

from glint_edge.errors import GlintEdgeError
from glint_edge.files import cache_folder, write_json
from glint_edge.json_files import parse

WORTH_TELLING = 10.0  # seconds
MOST = 1000  # pieces that are remembered, the latest


class Durations:
    """Seconds by piece of work, kept in the cache; where that is not possible, for this process."""

    def __init__(self, kind: str) -> None:
        """Those of one kind of work: "bench"."""
        self._name = f"{kind}-seconds.json"
        self._seconds: dict[str, float] = {}
        with suppress(OSError, ValueError, GlintEdgeError):
            known = parse((cache_folder() / self._name).read_bytes())
            if isinstance(known, dict):
                self._seconds = {k: s for k, s in known.items() if isinstance(s, int | float)}

    @contextmanager
    def timed(self, piece: str) -> Iterator[None]:
        """Remember how long the block takes; not if it fails."""
        start = time.monotonic()
        yield
        self._seconds.pop(piece, None)
        self._seconds[piece] = round(time.monotonic() - start, 2)
        latest = dict(list(self._seconds.items())[-MOST:])
        with suppress(OSError, GlintEdgeError):
            write_json(cache_folder() / self._name, latest)

    def forecast(self, pieces: Sequence[str]) -> float | None:
        """Seconds that they will take, new ones as long as the others; None: all are new."""
        known = [self._seconds[piece] for piece in pieces if piece in self._seconds]
        return len(pieces) * fmean(known) if known else None

    def last_time(self, piece: str) -> str:
        """What follows a step's name: how long it took the last time, if that is worth a word."""
        seconds = self.forecast([piece]) or 0.0
        return f", {spoken(seconds)} the last time" if seconds >= WORTH_TELLING else ""


def spoken(seconds: float) -> str:
    """As in "about 3 min"."""
    return f"about {seconds:.0f} s" if seconds < 90 else f"about {seconds / 60:.0f} min"
