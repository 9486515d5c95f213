"""Where a bench's results go: the terminal, files, or both."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glint_edge.cli import console
from glint_edge.errors import CheckFailed, ConfigError
from glint_edge.files import require_place
from glint_edge.refusals import refusal
from glint_edge.tables import counted

if TYPE_CHECKING:
    from glint_edge.api import BenchRun

Output = Annotated[Path | None, typer.Option(help="Also write the results as JSON.")]
Html = Annotated[Path | None, typer.Option(help="Also write the results as one HTML page.")]
Markdown = Annotated[
    bool, typer.Option("--markdown", help="Print a table for a pull request instead.")
]


@dataclass(frozen=True)
class Destinations:
    """Where the results of a run go, as the options say.

    Attributes:
        output: a file, as JSON.
        html: a file, as a page.
        markdown: a table for a pull request on stdout.
        json: one object on stdout.
        partial: what was kept of a run that ended before its end.
    """

    output: Path | None = None
    html: Path | None = None
    markdown: bool = False
    json: bool = False
    partial: list[BenchRun] = field(default_factory=list, init=False, compare=False)

    def check(self) -> None:
        """Refuse before minutes of work what could not be written after them.

        Raises:
            ConfigError: a file cannot be written, or there are two forms for one stream.
        """
        if self.json and self.markdown:
            raise ConfigError("--json and --markdown are both for stdout; give one of them")
        for file in (self.output, self.html):
            if file is not None:
                _make_folder_of(file)

    def take(self, run: BenchRun) -> None:
        """Write and print a new run.

        Raises:
            CheckFailed: something in it is out of tolerance.
        """
        if self.output is not None:
            run.write(self.output)
        self._write_page(run)
        if self.markdown:
            console.show_text(run.markdown())
        else:
            console.show_result(run.to_dict(), run, json=self.json)
        if run.failures:
            raise CheckFailed("; ".join(run.failures))

    def keep(self, run: BenchRun) -> None:
        """Write and print what was measured of a run that ends before its end."""
        self.partial.append(run)
        if self.output is not None:
            run.write(self.output)
        self._write_page(run)
        console.say(f"what was measured before it ended: {counted(len(run.rows), 'rows')}")
        console.show_result(run.to_dict(), run, json=self.json)

    def kept(self) -> str:
        """Of a run that was stopped: what there is of it, and what comes next."""
        if not self.partial:
            return "nothing was measured to its end: start it again"
        files = [str(file) for file in (self.output, self.html) if file is not None]
        what = (
            f"what was measured is in {' and '.join(files)}"
            if files
            else ("what was measured is printed alone; --output FILE would keep it")
        )
        return f"{what}: start it again for the rest"

    def take_again(self, run: BenchRun) -> None:
        """Show a run that was taken before; as Markdown, where nothing else is asked for."""
        self._write_page(run)
        if self.json:
            console.show_json(run.to_dict())
        elif self.markdown or self.html is None:
            console.show_text(run.markdown())

    def _write_page(self, run: BenchRun) -> None:
        if self.html is not None:
            run.html(self.html)
            console.say(f"wrote {self.html}")


def _make_folder_of(file: Path) -> None:
    if file.is_dir():
        raise ConfigError(f"cannot write {file}: it is a folder; name a file in it")
    require_place(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot write {file}: {refusal(error, '')}") from error
