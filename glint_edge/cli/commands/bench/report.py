"""`glint-edge bench report`: a run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glint_edge.cli import console
from glint_edge.cli.commands.bench.output import (
    Html,
    Markdown,
    one_for_stdout,
    show_markdown,
    write_html,
)
from glint_edge.cli.options import Json


def report(
    result: Annotated[Path, typer.Argument(help="What `bench --output` wrote.")],
    html: Html = None,
    markdown: Markdown = False,
    json: Json = False,
) -> None:
    """Show a run again: as an HTML page, or as Markdown, which is also what no option gives."""
    from device_bench.document import read_document

    one_for_stdout(json, markdown)
    found = read_document(result)
    if html is not None:
        write_html(found, html)
    if json:
        console.show_json(found)
    elif markdown or html is None:
        show_markdown(found)
