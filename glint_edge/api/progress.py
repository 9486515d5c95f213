"""Where a slow function says how far it is: to who calls it, or where somebody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeAlias, TypeVar

OnStep: TypeAlias = Callable[[str], None]

P = ParamSpec("P")
T = TypeVar("T")


def silent(step: str) -> None:
    """What is called where nobody is to be told."""


def shows(parameter: str, bar: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Fill a callback that is not passed with a bar of the console, where somebody looks."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            terminal = sys.stderr is not None and sys.stderr.isatty()
            if parameter in kwargs or not (terminal or "ipykernel" in sys.modules):
                return function(*args, **kwargs)
            from glint_edge.cli import console

            with getattr(console, bar)() as callback:
                kwargs[parameter] = callback
                return function(*args, **kwargs)

        return call

    return decorate
