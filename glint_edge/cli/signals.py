"""SIGTERM and SIGHUP: what is half done is cleaned up, as after Ctrl-C, before the program ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(BaseException):
    """A signal that ends programs came; no `except Exception` takes it for an error."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number  # as a shell says it


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Turn them into `Stopped` until the end of the block."""
    if threading.current_thread() is not threading.main_thread():  # where Python allows no handler
        yield
        return
    before = {number: signal.getsignal(number) for number in ENDING}
    # What was ignored stays so: nohup means that.
    handled = [number for number, how in before.items() if how == signal.SIG_DFL]
    for number in handled:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, before[number])


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    for each in ENDING:  # once: cleaning up is not to be cut short
        signal.signal(each, signal.SIG_IGN)
    raise Stopped(number)
