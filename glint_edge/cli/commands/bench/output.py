"""Where a bench's results go beside the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from glint_edge.cli import console
from glint_edge.errors import ConfigError

Output = Annotated[Path | None, typer.Option(help="Also write the results as JSON.")]
Html = Annotated[Path | None, typer.Option(help="Also write the results as one HTML page.")]
Markdown = Annotated[
    bool, typer.Option("--markdown", help="Print a table for a pull request instead.")
]


def one_for_stdout(json: bool, markdown: bool) -> None:
    """Refuse two forms for one stream."""
    if json and markdown:
        raise ConfigError("--json and --markdown are both for stdout; give one of them")


def write_html(document: dict[str, Any], path: Path) -> None:
    """The results as one HTML page."""
    from device_bench.reports.html import write_html

    write_html(document, path)
    console.say(f"wrote {path}")


def show_markdown(document: dict[str, Any]) -> None:
    """The results as a table for a pull request, on stdout."""
    from device_bench.reports.markdown import markdown

    console.show_text(markdown(document))


def make_folders(*files: Path | None) -> None:
    """Refuse before minutes of work what could not be written after them."""
    for file in files:
        if file is None:
            continue
        if file.is_dir():
            raise ConfigError(f"cannot write {file}: it is a folder; name a file in it")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"cannot write {file}: {error.strerror}; name another place"
            ) from error
