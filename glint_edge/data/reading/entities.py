"""HTML entities in texts of items, as shops' exports hold them: `&amp;`, `&uuml;`, `&#39;`."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

import polars as pl

# With the semicolon: "Q&sections" holds none.
_ENTITY = r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
_PATTERN = re.compile(_ENTITY)


def unescaped(texts: pl.Series) -> tuple[pl.Series, int]:
    """Texts with the characters that entities stand for, and how many texts have changed."""
    at = texts.str.contains(_ENTITY).fill_null(value=False).arg_true()
    before = texts.gather(at).to_list()
    after = [_PATTERN.sub(lambda entity: html.unescape(entity[0]), text).strip() for text in before]
    changed = sum(new != old for new, old in zip(after, before, strict=True))
    return (texts.scatter(at, [text or None for text in after]) if changed else texts), changed


def entity_note(counts: Mapping[str, int]) -> str | None:
    """Where entities were read, a sentence; None: nowhere.

    Args:
        counts: of texts that held some, by column.
    """
    held = ", ".join(f"{count:,} of {column}" for column, count in counts.items() if count)
    return f"HTML entities, as &amp; for &, are read as their characters: {held}" if held else None
