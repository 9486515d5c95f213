"""What was meant by a name that nobody knows: of an item, a file, an option's value, a column."""

from __future__ import annotations

import difflib
import heapq
import os
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path

SUGGESTED = 3
LIKE = 0.6  # of 1: how alike two texts are that one was meant for the other
LOOKED_AT = 300  # texts that share the most with what was typed
PIECE = 2  # letters that near texts share
LESS_LIKELY = 0.1  # by so much, than the likeliest
PIECES = 12
LISTED = 12  # names that are also listed where some are near
MOST_FILES = 10_000  # of a folder that is looked through
BRACKETS = re.compile(r"\s*\([^()]*\)$")


def near(word: str, named: Mapping[str, str] | Iterable[str]) -> list[str]:
    """What somebody may have meant, the likeliest first.

    Args:
        word: as it was typed.
        named: what there is; of a mapping the keys, by what each is called.
    """
    called = named if isinstance(named, Mapping) else {name: name for name in named}
    wanted = folded(word)
    pieces = [wanted[at : at + PIECE] for at in range(max(1, len(wanted) - PIECE + 1))][:PIECES]
    shared = []
    for text, of in called.items():
        low = of.casefold()
        if count := sum([piece in low for piece in pieces]):
            shared.append((count, low, text))
    most = heapq.nlargest(LOOKED_AT, shared, lambda one: one[0])
    scored = [(_likeness(wanted, low), text) for _, low, text in most]
    likely = heapq.nlargest(SUGGESTED, scored, lambda one: one[0])
    return [text for score, text in likely if score >= max(LIKE, likely[0][0] - LESS_LIKELY)]


def folded(text: str) -> str:
    """A text without case, and with single blanks."""
    return " ".join(text.casefold().split())


def did_you_mean(meant: Iterable[str], rest: str) -> str:
    """As in "did you mean onnx?"; where nothing is near, the rest."""
    named = " or ".join(meant)
    return f"did you mean {named}?" if named else rest


def one_of(word: str, known: Iterable[str], way: str = "choose one of") -> str:
    """Of a few names the near ones, and the others: what ends the refusal of a name.

    Args:
        word: as it was typed.
        known: every name.
        way: what to do with these.
    """
    names = list(dict.fromkeys(known))
    meant = near(word, names)
    others = ", ".join(name for name in names if name not in meant)
    hint = did_you_mean(meant, "")
    if hint and len(names) > LISTED:
        return hint
    return " Or ".join(filter(None, (hint, others and f"{way} {others}")))


def no_file(path: str | Path, way_out: str, named: Iterable[str] = ()) -> str:
    """As in "no such file: tap.csv; did you mean taps.csv?".

    Args:
        path: that is not there.
        way_out: what to do, where nothing near it is there.
        named: what else could have been meant, as the names of public logs.
    """
    meant = [*near(str(path), list(named)), *near_paths(path)][:SUGGESTED]
    return f"no such file: {path}; {did_you_mean(meant, way_out)}"


def near_paths(path: str | Path) -> list[str]:
    """Paths like one that is not there: of its first part that is missing, what lies beside it."""
    path = Path(path)
    try:
        missing = path
        while not os.path.lexists(missing.parent):
            missing = missing.parent
        if os.path.lexists(missing):
            return []
        with os.scandir(missing.parent) as entries:
            names = [entry.name for entry in islice(entries, MOST_FILES)]
    except (OSError, ValueError):  # it is no folder, or may not be read
        return []
    seen = [name for name in sorted(names) if not name.startswith(".")]
    meant = [missing.with_name(name) for name in near(missing.name, seen)]
    whole = [place / path.relative_to(missing) for place in meant]
    return [str(place) for place in [one for one in whole if one.exists()] or meant]


def _likeness(wanted: str, of: str) -> float:
    """From 0 to 1; what stands in brackets at the end, or around what was typed, counts little."""
    part = 1.0 - LESS_LIKELY * max(0.0, 1 - len(wanted) / len(of)) if of else 0.0
    if wanted in of:
        return part
    forms = {of[: len(wanted)]: part, BRACKETS.sub("", of): 1.0, of: 1.0}
    return max(
        most * difflib.SequenceMatcher(None, form, wanted).ratio() for form, most in forms.items()
    )
