"""`glint-edge bench report`: a run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glint_edge.cli.commands.bench.output import Destinations, Html, Markdown
from glint_edge.cli.options import Json


def report(
    result: Annotated[Path, typer.Argument(help="What `bench --output` wrote.")],
    html: Html = None,
    markdown: Markdown = False,
    json: Json = False,
) -> None:
    """Show a run again: as an HTML page, or as Markdown, which is also what no option gives."""
    from glint_edge import api

    destinations = Destinations(None, html, markdown, json)
    destinations.check()
    destinations.take_again(api.bench_report(result))
