"""A hook of mkdocs: the command line, written from the commands themselves.

`<!-- commands -->` on a page stands for every command of glint-edge: what it does, its example, and
its options as `--help` has them. Options that several commands share stand at the end, once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import typer

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

PLACE = "<!-- commands -->"
PANEL = "Options"  # of an option that names none
EVERYWHERE = ("--verbose", "--help")

Command: TypeAlias = Any  # typer's click is its own
Panels: TypeAlias = dict[str, tuple[str, ...]]


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page, with the commands in their place."""
    return markdown.replace(PLACE, commands()) if PLACE in markdown else markdown


def commands() -> str:
    """All commands as Markdown, in the order of `glint-edge --help`."""
    from glint_edge.cli.app import app

    all_of_them = list(_walk(typer.main.get_command(app), ()))
    panels = {words: _panels(command) for words, command in all_of_them}
    uses = Counter(panel for own in panels.values() for panel in own.items())
    shared = {panel: rows for (panel, rows), count in uses.items() if count > 1 and panel != PANEL}
    sections = [_section(words, command, panels[words], shared) for words, command in all_of_them]
    ends = [f"## {panel}\n\n{_table('', rows)}" for panel, rows in shared.items()]
    return "\n\n".join([*sections, *ends])


def _walk(group: Command, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Command]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _walk(command, (*words, name))
        else:
            yield (*words, name), command


def _panels(command: Command) -> Panels:
    """By panel of the help, the rows of a table of its options."""
    context = command.make_context("", [], resilient_parsing=True)
    rows: dict[str, list[str]] = {}
    for option in command.get_params(context):
        record = option.get_help_record(context)
        if record is None or option.opts[0] in EVERYWHERE:
            continue
        name, text = record
        name = re.sub(r" <[^>]*>", "", name)  # its type
        row = f"| `{name}` | {_cell(text)} |"
        rows.setdefault(option.rich_help_panel or PANEL, []).append(row)
    return {panel: tuple(own) for panel, own in rows.items()}


def _section(words: tuple[str, ...], command: Command, panels: Panels, shared: Panels) -> str:
    parts = [f"## {' '.join(words)}", _text(command.help), _text(command.epilog)]
    links = []
    for panel, rows in panels.items():
        if shared.get(panel) == rows:
            links.append(f"[{panel}](#{_anchor(panel)})")
        else:
            parts.append(_table("" if panel == PANEL else panel, rows))
    if links:
        parts.append(f"It takes the options of {', '.join(links)}, too.")
    return "\n\n".join(part for part in parts if part)


def _table(head: str, rows: tuple[str, ...]) -> str:
    return "\n".join([f"| {head or 'option'} | |", "| --- | --- |", *rows])


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z]+", "-", heading.lower()).strip("-")


def _text(text: str | None) -> str:
    """A help text as Markdown, what stands in angle brackets as itself."""
    return re.sub(r"<(?=[\w/])", "&lt;", (text or "").replace("\b\n", "").strip())


def _cell(text: str) -> str:
    return re.sub(r"([|\[\]])", r"\\\1", " ".join(_text(text).split()))
