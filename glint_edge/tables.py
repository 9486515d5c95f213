"""Tables for terminals. Their words are shown as they are: a title may hold `[b]` or `:heart:`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text


def pairs(title: str, rows: Sequence[tuple[str, str]]) -> Table:
    """A two-column table of names and values."""
    table = Table(
        title=_title(title), title_justify="left", show_header=False, box=None, padding=(0, 2)
    )
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, value in rows:
        table.add_row(Text(name), Text(value))
    return table


def columns(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table; columns but the first are right aligned where they hold figures."""
    table = Table(title=_title(title), title_justify="left")
    for index, name in enumerate(header):
        figures = index > 0 and all(row[index][:1] in "0123456789−-" for row in rows)
        table.add_column(Text(name), justify="right" if figures else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _title(text: str) -> Text:
    return Text(text, style="table.title")
