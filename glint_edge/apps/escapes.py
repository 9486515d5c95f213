"""A value inside a text of a source file, by the language of the file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from xml.sax.saxutils import escape

import jinja2
from markupsafe import Markup

_QUOTES = {'"': "&quot;", "'": "&apos;", "\n": "&#10;", "\t": "&#9;"}


def _quoted(text: str) -> str:
    """What stands between quotes in Python, TypeScript and Swift, which read JSON's alike."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _kotlin(text: str) -> str:
    return _quoted(text).replace("$", "\\$")


def _xml(text: str) -> str:
    return escape(text, _QUOTES)


def _one_line(text: str) -> str:
    """What has no escapes: Markdown's code, and a line of requirements."""
    return " ".join(text.split())


# By the suffix of the file that a template becomes.
ESCAPES: Mapping[str, Callable[[str], str]] = {
    ".html": _xml, ".kts": _kotlin, ".md": _one_line, ".py": _quoted, ".swift": _quoted,
    ".ts": _quoted, ".txt": _one_line, ".webmanifest": _quoted, ".xml": _xml,
}  # fmt: skip


def environment_for(suffix: str) -> jinja2.Environment:
    """What fills templates of one language; a name that is left open is an error.

    Args:
        suffix: of the file that the template becomes, one of `ESCAPES`.
    """
    inside = ESCAPES[suffix]

    def escaped(value: object) -> str:
        # `tojson` has made a whole literal of it.
        return str(value) if isinstance(value, Markup) else inside(str(value))

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # `escaped` does it
        finalize=escaped,
    )
    environment.filters["java"] = json.dumps  # a literal of it, to be escaped once more
    return environment
