"""The flags that say what may stand in a list; names of functions: `glint_edge.runtime.filters`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from glint_edge.cli.names import keys, several
from glint_edge.cli.options import flag
from glint_edge.errors import ConfigError
from glint_edge.json_files import Fault, parse
from glint_edge.keys import texts_of_keys

Filters: TypeAlias = dict[str, Any]  # a filter's words, as `api.recommend` takes them

STDIN = "-"
_PANEL = "What may stand in the list"


def _some(values: Sequence[str] | None) -> list[str] | None:
    """Keys of which there must be one: typer would take none for no option, and that for all."""
    named = keys(values)
    if values and not named:
        raise ConfigError(
            "--among names no item; leave it out, or pass --among-file where a list may be empty"
        )
    return named


# A parameter `filters` of a command stands for all of these (`manners.add`).
FILTERS = {
    "without": flag(list[str], "Items to leave out.", panel=_PANEL, metavar="KEY,…", callback=keys),
    "among": flag(list[str], "Items to choose from, such as those in stock. Here and above, keys "
                  "that are not in the catalogue say nothing.", panel=_PANEL, metavar="KEY,…",
                  callback=_some),
    "among_file": flag(str, "The same from a file, a key a line or a JSON list; - is stdin.",
                       panel=_PANEL, metavar="FILE"),
    "where": flag(list[str], "Items that have this value of a field, as in category=Chairs; of "
                  "several values of a field any, of several fields each.", panel=_PANEL,
                  metavar="FIELD=VALUE"),
    "boost": flag(list[str], "What is added to an item's score, as in 50=0.5.", panel=_PANEL,
                  metavar="KEY=NUMBER,…", callback=keys),
    "most_per": flag(list[str], "Most items of one value of a field, as in category=2.",
                     panel=_PANEL, metavar="FIELD=N,…", callback=several),
}  # fmt: skip  # a table


def filters(flags: dict[str, Any]) -> Filters:
    """What the options above say.

    Raises:
        ConfigError: one is not of its form, or the file cannot be read.
    """
    among: list[str] | None = flags["among"]
    if flags["among_file"] is not None:
        among = [*(among or ()), *read_keys("among-file", flags["among_file"])]
    where: dict[str, list[str]] = {}
    for text in flags["where"] or ():
        name, value = _parted("where", text, "category=Chairs", first=True)
        where.setdefault(name, []).append(value)
    boost = (_parted("boost", text, "50=0.5") for text in flags["boost"] or ())
    most_per = (_parted("most-per", text, "category=2") for text in flags["most_per"] or ())
    return {
        "without": flags["without"] or (), "among": among, "where": where,
        "boost": {key: _number("boost", float, by) for key, by in boost},
        "most_per": {name: _number("most-per", int, most) for name, most in most_per},
    }  # fmt: skip


def _parted(option: str, text: str, example: str, *, first: bool = False) -> tuple[str, str]:
    """What stands before and after the "=": the last one, as keys may hold some; or the first."""
    name, equals, value = text.partition("=") if first else text.rpartition("=")
    if not (name.strip() and equals and value.strip()):
        raise ConfigError(f"--{option} {text!r} is not of the form {example}")
    return name.strip(), value.strip()


def _number(option: str, kind: type[Any], text: str) -> Any:  # noqa: ANN401  # of that kind
    try:
        return kind(text)
    except ValueError as error:
        what = "whole number" if kind is int else "number"
        raise ConfigError(f"--{option}: {text!r} is no {what}") from error


def read_keys(option: str, file: str) -> list[str]:
    """Keys out of a file, a key a line or a JSON list; "-" is stdin.

    Raises:
        ConfigError: it is neither.
        OSError: it cannot be read.
    """
    data = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
    try:
        text = data.decode("utf-8-sig")
        if text.lstrip().startswith("["):
            return texts_of_keys(parse(text.encode()))
    except (Fault, UnicodeDecodeError, ConfigError) as error:
        raise ConfigError(
            f"--{option} {file}: neither a key a line nor a JSON list of keys ({error})"
        ) from error
    return [line.strip() for line in text.splitlines() if line.strip()]
