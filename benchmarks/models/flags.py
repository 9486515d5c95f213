"""Levers of a training on a benchmark's command line."""

from __future__ import annotations

import json
from collections.abc import Iterable

from glint_edge.levers import Setting


def levers_of(words: Iterable[str]) -> dict[str, Setting]:
    """The levers of words like "seen_margin=1"; a value that is no JSON is a text."""
    return {name: _value(text) for name, _, text in (word.partition("=") for word in words)}


def _value(text: str) -> Setting:
    try:
        value: Setting = json.loads(text)
    except ValueError:
        return text
    return value
