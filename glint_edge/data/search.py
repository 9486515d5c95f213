"""What people type, looked up in a catalogue: keys, titles, fields and their values."""

from __future__ import annotations

import difflib
import heapq
import logging
import re
from collections.abc import Iterable, Mapping, Sequence

from glint_edge.data.catalogue import Catalogue
from glint_edge.errors import ConfigError, UnknownItemError

SUGGESTED = 3
LIKE = 0.6  # of 1: how alike two texts are that one was meant for the other
LOOKED_AT = 300  # texts that share the most with what was typed
PIECE = 2  # letters that near texts share
LESS_LIKELY = 0.1  # by so much, than the likeliest
PIECES = 12
BRACKETS = re.compile(r"\s*\([^()]*\)$")

log = logging.getLogger(__name__)


def find_keys(catalogue: Catalogue, words: Iterable[str]) -> list[str]:
    """The keys that are meant: words that are keys, and of others, the items with that title.

    Raises:
        UnknownItemError: a word is neither, or the title of several items; it names what is near.
    """
    known = frozenset(catalogue.keys[1:])
    return [word if word in known else _titled(catalogue, word) for word in words]


def _titled(catalogue: Catalogue, word: str) -> str:
    wanted = _plain(word)
    keys = [key for key, title in catalogue.titles.items() if _plain(title) == wanted]
    if len(keys) == 1:
        log.info("%r is item %s", catalogue.titles[keys[0]], keys[0])
        return keys[0]
    if keys:
        shown = ", ".join(keys[:SUGGESTED]) + (" …" if len(keys) > SUGGESTED else "")
        raise UnknownItemError(f"{word!r} is the title of {len(keys)} items; say which: {shown}")
    titles = dict.fromkeys(catalogue.keys[1:], "") | dict(catalogue.titles)
    texts = {f"{key} {title}".strip(): (title or key) for key, title in titles.items()}
    meant = near(word, texts)
    hint = f"did you mean {' or '.join(meant)}?" if meant else _what_there_is(catalogue)
    raise UnknownItemError(f"no item {word!r}; {hint}")


def _what_there_is(catalogue: Catalogue) -> str:
    kind = "a key or a title" if catalogue.titles else "a key, as there are no titles"
    return f"pass {kind}, such as {catalogue.keys[1]}"


def require_values(catalogue: Catalogue, where: Mapping[str, Sequence[str]]) -> None:
    """Refuse fields and values that no item has: who types them means one that there is.

    Raises:
        ConfigError: no item has it; it names what is near.
    """
    for name, values in where.items():
        if name not in catalogue.fields:
            meant, known = near(name, _by_name(catalogue.fields)), ", ".join(catalogue.fields)
            rest = f"the fields are {known}" if known else "this bundle has no fields"
            hint = f"did you mean {meant[0]}?" if meant else rest
            raise ConfigError(f"no item has the field {name!r}; {hint}")
        there = dict.fromkeys(catalogue.fields[name].values())
        for value in values:
            if value not in there:
                meant, some = near(value, _by_name(there)), ", ".join(list(there)[:SUGGESTED])
                hint = f"did you mean {' or '.join(meant)}?" if meant else f"there is {some} …"
                raise ConfigError(f"no item has the {name} {value!r}; {hint}")


def near(word: str, named: Mapping[str, str]) -> list[str]:
    """What somebody may have meant, the likeliest first, by what each is called."""
    wanted = _plain(word)
    pieces = [wanted[at : at + PIECE] for at in range(max(1, len(wanted) - PIECE + 1))][:PIECES]
    shared = []
    for text, of in named.items():
        plain = of.casefold()
        if count := sum([piece in plain for piece in pieces]):
            shared.append((count, plain, text))
    most = heapq.nlargest(LOOKED_AT, shared, lambda one: one[0])
    scored = [(_likeness(wanted, plain), text) for _, plain, text in most]
    likely = heapq.nlargest(SUGGESTED, scored, lambda one: one[0])
    return [text for score, text in likely if score >= max(LIKE, likely[0][0] - LESS_LIKELY)]


def _likeness(wanted: str, plain: str) -> float:
    """From 0 to 1; what stands in brackets at the end, or around what was typed, counts little."""
    if wanted in plain:
        return 1.0 - LESS_LIKELY * (1 - len(wanted) / len(plain))
    forms = {plain, BRACKETS.sub("", plain), plain[: len(wanted)]}
    return max(difflib.SequenceMatcher(None, form, wanted).ratio() for form in forms)


def _by_name(names: Iterable[str]) -> dict[str, str]:
    return {name: name for name in names}


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
