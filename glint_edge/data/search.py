"""What people type, looked up in a catalogue: keys, titles, fields and their values."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from glint_edge.data.catalogue import Catalogue
from glint_edge.errors import ConfigError, UnknownItemError
from glint_edge.suggestions import SUGGESTED, did_you_mean, folded, near

log = logging.getLogger(__name__)


def find_keys(catalogue: Catalogue, words: Iterable[str]) -> list[str]:
    """The keys that are meant: words that are keys, and of others, the items with that title.

    Raises:
        UnknownItemError: a word is neither, or the title of several items; it names what is near.
    """
    known = frozenset(catalogue.keys[1:])
    return [word if word in known else _titled(catalogue, word) for word in words]


def _titled(catalogue: Catalogue, word: str) -> str:
    wanted = folded(word)
    keys = [key for key, title in catalogue.titles.items() if folded(title) == wanted]
    if len(keys) == 1:
        log.info("%r is item %s", catalogue.titles[keys[0]], keys[0])
        return keys[0]
    if keys:
        shown = ", ".join(keys[:SUGGESTED]) + (" …" if len(keys) > SUGGESTED else "")
        raise UnknownItemError(f"{word!r} is the title of {len(keys)} items; say which: {shown}")
    raise UnknownItemError(f"no item {word!r}; {item_meant(catalogue, word)}")


def require_known(catalogue: Catalogue, keys: Iterable[str]) -> None:
    """Refuse keys that are in no catalogue.

    Raises:
        UnknownItemError: one is not; it names what is near.
    """
    known = frozenset(catalogue.keys[1:])
    for key in keys:
        if key not in known:
            raise UnknownItemError(
                f"item {key!r} is not in the catalogue; {item_meant(catalogue, key)}"
            )


def item_meant(catalogue: Catalogue, word: str) -> str:
    """As in "did you mean 183 Alien (1979)?", by key and title; else what a key is like."""
    names: dict[str, str] = {}
    for key in catalogue.keys[1:]:
        title = catalogue.titles.get(key, "")
        names[f"{key} {title}".strip()] = title or key
    return did_you_mean(near(word, names), _what_there_is(catalogue))


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
            known = ", ".join(catalogue.fields)
            rest = f"the fields are {known}" if known else "this bundle has no fields"
            hint = did_you_mean(near(name, list(catalogue.fields))[:1], rest)
            raise ConfigError(f"no item has the field {name!r}; {hint}")
        there = dict.fromkeys(catalogue.fields[name].values())
        for value in values:
            if value not in there:
                some = ", ".join(list(there)[:SUGGESTED])
                hint = did_you_mean(near(value, list(there)), f"there is {some} …")
                raise ConfigError(f"no item has the {name} {value!r}; {hint}")
