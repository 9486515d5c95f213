"""Item keys as people pass them: texts, or whole numbers for their text."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import SupportsIndex, TypeAlias

from glint_edge.errors import ConfigError

Key: TypeAlias = str | SupportsIndex  # the latter: int, and numpy's integers


def text_of_key(key: Key) -> str:
    """The key as the catalogue has it: 50 is "50".

    Raises:
        ConfigError: it is neither a text nor a whole number.
    """
    if isinstance(key, str):
        return key
    # True is an int, and so is what it says of itself; no catalogue means it.
    if isinstance(key, bool) or not hasattr(key, "__index__"):
        raise ConfigError(f"an item's key is a text or a whole number, not {key!r}")
    return str(operator.index(key))


def texts_of_keys(keys: Iterable[Key]) -> list[str]:
    """The keys in their order.

    Raises:
        ConfigError: it is one text, which would be read letter by letter, or a key is no key.
    """
    if isinstance(keys, str | bytes):
        raise ConfigError(f"{keys!r} is one text, not a list of keys; write ['50', '181']")
    return [text_of_key(key) for key in keys]
