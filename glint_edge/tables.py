"""Tables for people: the same value in a terminal, by rich, and in a notebook, as HTML.

Their words are shown as they are: a title may hold `[b]`, `:heart:` or `<b>`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

# What steers a terminal, or the order of letters in it: controls but tab and newline, embeddings of
# a direction of writing, line separators, and half letters.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
FIGURES = "0123456789−-–"  # what a figure, or the lack of one, begins with
MARK = "★"
PLURAL = re.compile(r"s(?= |$)")


def plain(text: str) -> str:
    """The text; what would steer a terminal is escaped as Python escapes it."""
    return CONTROLS.sub(lambda one: one[0].encode("unicode_escape").decode(), text)


def _cell(text: str) -> str:
    """On one line, too."""
    return plain(text).replace("\n", "\\n").replace("\t", "\\t")


@dataclass(frozen=True)
class Table:
    """Rows of text under a title.

    Attributes:
        title: above it.
        header: a name for each column; empty: rows are names and values.
        rows: as long as the header.
        marked: row and column of cells that stand out.
        close: columns stand close, without lines between them.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    marked: Collection[tuple[int, int]] = ()
    close: bool = False

    def __rich__(self) -> RenderableType:
        """For a terminal."""
        from rich.console import Group
        from rich.text import Text

        # Not the table's own, which is broken into lines at the width of its columns.
        title = [Text(_cell(self.title), style="table.title")] if self.title else []
        return Group(*title, self._columns())

    def _columns(self) -> RenderableType:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable()
        if self.close:
            table.box, table.show_edge, table.pad_edge = SIMPLE_HEAD, False, False
            table.padding = (0, 1, 0, 0)
        if self.header:
            for index, name in enumerate(self.header):
                what, _, unit = _cell(name).rpartition(" ")
                head = f"{what}\n{unit}" if self.close else _cell(name)
                table.add_column(Text(head), justify="right" if self._figures(index) else "left")
        else:
            table.show_header, table.box, table.padding = False, None, (0, 2)
            table.add_column(style="dim", no_wrap=True)
            table.add_column()
        for number, row in enumerate(self.rows):
            table.add_row(*(
                Text(f"{MARK} {_cell(cell)}", style="bold green")
                if (number, index) in self.marked
                else Text(_cell(cell))
                for index, cell in enumerate(row)
            ))  # fmt: skip
        return table

    def _repr_html_(self) -> str:
        """For a notebook."""
        head = "".join(f"<th>{escape(name)}</th>" for name in self.header)
        rows = (
            "".join(
                f'<td style="text-align:{"right" if self._figures(index) else "left"}">'
                + (f"<b>{escape(cell)}</b>" if (number, index) in self.marked else escape(cell))
                + "</td>"
                for index, cell in enumerate(row)
            )
            for number, row in enumerate(self.rows)
        )
        return (
            f"<table><caption>{escape(self.title)}</caption>"
            + (f"<thead><tr>{head}</tr></thead>" if head else "")
            + f"<tbody>{''.join(f'<tr>{cells}</tr>' for cells in rows)}</tbody></table>"
        )

    def _figures(self, index: int) -> bool:
        """Whether a column but the first holds figures, which are right aligned."""
        of_figures = bool(self.header) and index > 0
        return of_figures and all(row[index][:1] in FIGURES for row in self.rows)


def pairs(title: str, rows: Sequence[tuple[str, str]]) -> Table:
    """A two-column table of names and values."""
    return Table(title, (), rows)


def columns(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table; columns but the first are right aligned where they hold figures."""
    return Table(title, header, rows)


def counted(count: float, what: str) -> str:
    """As in "1,200 users", and "1 user"; "2 rows without a key", and "1 row without a key".

    Args:
        count: of them.
        what: they are, as said of more than one: the first word with an s at its end is the noun.
    """
    return f"{count:,} {PLURAL.sub('', what, count=1) if count == 1 else what}"


def figure(value: float | int) -> str:
    """A count, or a figure to four places."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
