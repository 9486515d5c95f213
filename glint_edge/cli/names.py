"""What people type where several things may be given: by commas, by repeating the flag, or both."""

from __future__ import annotations

import csv
from collections.abc import Sequence

from glint_edge.errors import ConfigError


def several(values: Sequence[str] | None) -> list[str] | None:
    """Each value once, in order: `onnx,tflite`, or a flag given twice; None: none was given."""
    if not values:
        return None
    parts = (part.strip() for value in values for part in value.split(","))
    return list(dict.fromkeys(part for part in parts if part))


def keys(values: Sequence[str] | None) -> list[str] | None:
    """Items' keys: one value is KEY,KEY,…; of several each is one key, which may hold a comma.

    In one value a key with a comma stands in quotes, as in CSV: `"Alien, 1979",50`.

    Raises:
        ConfigError: it cannot be read as CSV.
    """
    if values and len(values) > 1:
        return list(values)
    if not values:
        return None
    try:
        parts = next(csv.reader([" ".join(values[0].splitlines())], skipinitialspace=True), [])
    except csv.Error as error:
        raise ConfigError(f"the keys {values[0][:50]!r} … cannot be read: {error}") from error
    return [part.strip() for part in parts if part.strip()]


def numbers(option: str, text: str) -> list[int]:
    """Whole numbers with commas between them, in ascending order.

    Raises:
        ConfigError: it is no such list.
    """
    try:
        return sorted({int(part) for part in text.split(",") if part.strip()})
    except ValueError as error:
        raise ConfigError(f"--{option} {text!r} is no list of whole numbers: 50,200") from error
