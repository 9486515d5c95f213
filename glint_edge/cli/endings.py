"""What a command that is stopped keeps, and how it goes on: said in the line it ends with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from glint_edge.cli.signals import Stopped

NOTHING = "nothing is kept: start it again"


@contextmanager
def keeping(what: Callable[[], str] | str) -> Iterator[None]:
    """Should Ctrl-C or a signal end the block, note what is kept of it.

    Args:
        what: is kept, and how to go on; asked for when it is stopped.
    """
    try:
        yield
    except (KeyboardInterrupt, Stopped) as error:
        error.add_note(what if isinstance(what, str) else what())
        raise


def unwritten(out: Path | None) -> str:
    """Of what is written whole or not at all: that it was not.

    Args:
        out: where it would be; None: where nothing is yet.
    """
    stays = f"nothing is kept, and {out} is as it was" if out and out.exists() else ""
    return f"{stays}: start it again" if stays else NOTHING


def noted(message: str, error: BaseException) -> str:
    """A message, with what was noted of the error after it."""
    return "; ".join((message, *getattr(error, "__notes__", ())))
