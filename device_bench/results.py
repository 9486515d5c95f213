"""What a bench gives back: the document that `--json` prints, and its other forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from device_bench.document import read_document, write_document
from device_bench.judge.diff import Diff
from device_bench.reports.labels import failures as failures_of
from glint_edge.tables import counted

if TYPE_CHECKING:
    import polars as pl
    from rich.console import RenderableType

    from device_bench.judge.rows import Row, ScaleRow

# What is of no use in a row of a table: lists of rounds, what the machine said, operators.
LEFT_OUT = ("quantiles_us", "medians_us", "cpu_us", "calibrations_us", "conditions", "profile")


@dataclass(frozen=True)
class RowsSoFar:
    """Rows of a run that is not over.

    Attributes:
        rows: some of them may have more to say later.
        bundle: whose; "" of `bench scale`.
    """

    rows: Sequence[Row] | Sequence[ScaleRow]
    bundle: str = ""

    def __rich__(self) -> RenderableType:
        """A table of what is known."""
        from device_bench.reports.terminal import render_rows, render_scale_rows

        if self.bundle:
            return render_rows(self.bundle, cast("Sequence[Row]", self.rows))
        return render_scale_rows(cast("Sequence[ScaleRow]", self.rows))


class BenchDiff(Diff):
    """What changed from one run to another."""

    def __rich__(self) -> RenderableType:
        """A table of what changed, worst first."""
        from device_bench.reports.terminal import render_diff

        return render_diff(self)


@dataclass(frozen=True, repr=False)
class BenchRun:
    """All rows of a run of `bench` or `bench scale`.

    Attributes:
        document: as bench.schema.json describes it.
        failures: what was out of tolerance or went wrong, a sentence each.
    """

    document: Mapping[str, Any]
    failures: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> BenchRun:
        """What `write` wrote.

        Raises:
            ConfigError: it is no such file, or of another version.
        """
        document = read_document(path)
        by_row = failures_of(document["rows"])
        return cls(document, tuple(f"{row}: {one}" for row, all_ in by_row.items() for one in all_))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One an artifact and runner."""
        rows: list[dict[str, Any]] = self.document["rows"]
        return rows

    def to_dict(self) -> dict[str, Any]:
        """The document."""
        return dict(self.document)

    def to_frame(self) -> pl.DataFrame:
        """The rows as a table; `append_us.p50` is what `append_us` holds by that name."""
        import polars as pl

        return pl.DataFrame([dict(_flat(row)) for row in self.rows], infer_schema_length=None)

    def write(self, path: str | Path) -> None:
        """Write the document as JSON.

        Raises:
            ConfigError: the folder is not there or cannot be written.
        """
        write_document(self.to_dict(), Path(path))

    def html(self, path: str | Path) -> None:
        """Write the results as one HTML page."""
        from device_bench.reports.html import write_html

        write_html(self.to_dict(), Path(path))

    def markdown(self) -> str:
        """A table for a pull request."""
        from device_bench.reports.markdown import markdown

        return markdown(self.to_dict())

    def __rich__(self) -> RenderableType:
        """The tables of the terminal."""
        from device_bench.reports.terminal import render

        return render(self.document)

    def _repr_html_(self) -> str:
        from device_bench.reports.terminal import tables

        return "".join(table._repr_html_() for table in tables(self.document))

    def __repr__(self) -> str:
        names = ", ".join(dict.fromkeys(f"{r['target']} {r['precision']}" for r in self.rows))
        verdict = counted(len(self.failures), "failures") if self.failures else "all good"
        return f"BenchRun({counted(len(self.rows), 'rows')}: {names}; {verdict})"


def _flat(values: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """The names and values of a nested mapping; lists of texts as one text."""
    cells: list[tuple[str, Any]] = []
    for name, value in values.items():
        if name in LEFT_OUT:
            continue
        if isinstance(value, Mapping):
            cells += _flat(value, f"{before}{name}.")
        elif isinstance(value, list):
            cells.append((f"{before}{name}", "; ".join(map(str, value))))
        else:
            cells.append((f"{before}{name}", value))
    return cells
