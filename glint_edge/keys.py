"""Item keys as people pass them: texts, or whole numbers for their text."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from contextlib import suppress
from numbers import Real
from typing import SupportsIndex, TypeAlias

from glint_edge.errors import ConfigError

# The second: int, and numpy's integers; the third: of a column that lacked a value once.
Key: TypeAlias = str | SupportsIndex | float


def text_of_key(key: Key) -> str:
    """The key as the catalogue has it: 50 is "50", and so is 50.0.

    Raises:
        ConfigError: it is neither a text nor a whole number.
    """
    if isinstance(key, str):
        return str(key)
    # True is an int, and so is what it says of itself; no catalogue means it.
    if not isinstance(key, bool):
        with suppress(TypeError, ValueError, OverflowError):  # an array, or thousands of digits
            if hasattr(key, "__index__"):
                return str(operator.index(key))
            if isinstance(key, Real) and float(key).is_integer():
                return str(int(float(key)))
    raise ConfigError(f"an item's key is a text or a whole number, not {shown(key)}")


def texts_of_keys(keys: Iterable[Key]) -> list[str]:
    """The keys in their order.

    Raises:
        ConfigError: it is no list, or one text, which would be read letter by letter, or a key is
            no key.
    """
    if isinstance(keys, str | bytes):
        raise ConfigError(f"{keys!r} is one text, not a list of keys; write ['50', '181']")
    if not isinstance(keys, Iterable):
        raise ConfigError(f"{shown(keys)} is not a list of keys; write ['50', '181']")
    return [text_of_key(key) for key in keys]


def shown(value: object) -> str:
    """A value for a message."""
    try:
        return repr(value)
    except Exception:  # a number of thousands of digits, or an object of anybody's
        return f"a value of type {type(value).__name__}"
