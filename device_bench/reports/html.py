"""A run's document as one page that needs nothing else: no network, no fonts, no other files."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from device_bench.judge.choice import choices
from device_bench.judge.recorded import Json, artifact, shape, where
from device_bench.profiling.flame import flame_svg
from device_bench.profiling.profile import Profile
from device_bench.reports.causes import causes
from device_bench.reports.columns import Cell, Column, figures
from device_bench.reports.labels import (
    SCALE,
    failures,
    row_names,
    title,
    under_test,
)
from device_bench.reports.notes import notes, pair_notes, ratio_notes
from device_bench.reports.overview import Shown, overview
from device_bench.reports.plots.figures import plots
from glint_edge.errors import ConfigError
from glint_edge.files import write_atomic
from glint_edge.refusals import refusal
from glint_edge.tables import counted

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class _Line:
    """A row of the page's tables.

    Attributes:
        name: of the row, for people.
        artifact: target and precision.
        where: bundle, shape, runner and device, where they tell rows apart.
        shown: what it has in the overview.
        cells: one a column of all figures.
        row: of the document.
    """

    name: str
    artifact: str
    where: str
    shown: Sequence[Shown]
    cells: tuple[Cell, ...]
    row: Json

    @property
    def under_test(self) -> bool:
        """It has a verdict."""
        return under_test(self.row)


def html(document: dict[str, Any]) -> str:
    """The page.

    Args:
        document: as `device_bench.document` makes and reads it.
    """
    rows = document["rows"]
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    table = figures(rows)
    headline, shown = overview(document)
    lines = _lines(rows, shown, table)
    return _environment().get_template("report.html.j2").render(
        title=title(document),
        document=document, command=shlex.join(document["command"]),
        verdict=_verdict(rows),
        facts=_facts(document),
        choices=[] if document["kind"] == SCALE else choices(rows),
        headline=headline,
        columns=table,
        groups=[(name, len(list(same))) for name, same in groupby(c.group for c in table)],
        lines=lines,
        growth=document["kind"] == SCALE,
        failing=failures(rows),
        causes=causes(rows),
        noted=[(line.name, line.row["note"]) for line in lines if line.row.get("note")],
        plots=[(plot, Markup(plot.svg)) for plot in plots(document)],
        profiles=_profiles(lines),
        notes=[
            *notes(rows, document.get("not_measured") or {}), *pair_notes(rows), *ratio_notes(rows)
        ],
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=_hash(script),
    )  # fmt: skip


def write_html(document: dict[str, Any], path: Path) -> None:
    """Write the page whole or not at all.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        write_atomic(path, html(document).encode())
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {refusal(error, '')}") from error


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def _hash(script: str) -> str:
    """What the page's policy knows its own script by; no other one runs."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _lines(
    rows: Sequence[Json], shown: Sequence[Sequence[Shown]], table: Sequence[Column]
) -> list[_Line]:
    several = len({row["bundle"] for row in rows}) > 1
    return [
        _Line(
            name, artifact(row),
            ", ".join(
                part
                for part in (row["bundle"] if several else "", shape(row), where(row))
                if part
            ),
            line, tuple(column.cell(row) for column in table), row,
        )
        for name, row, line in zip(row_names(rows), rows, shown, strict=True)
    ]  # fmt: skip


def _verdict(rows: Sequence[Json]) -> str:
    tested = [under_test(row) for row in rows].count(True)
    bad, more = sum(under_test(row) and not row["ok"] for row in rows), len(rows) - tested
    said = f"{bad} of {counted(tested, 'rows')} failed" if bad else ""
    if tested and not bad:
        said = "The only row is good" if tested == 1 else f"All {counted(tested, 'rows')} are good"
    beside = f"{counted(more, 'rows')} to compare with" if more else ""
    return "; ".join(part for part in (said, beside) if part) + "." if rows else "No rows."


def _facts(document: Json) -> list[tuple[str, str]]:
    """What it depends on: a name and a value each."""
    machine, settings = document["machine"], document["settings"]
    rows = document["rows"]
    users = sorted({row.get("users") or 0 for row in rows} - {0})
    memory = machine.get("memory_bytes")
    return [
        (name, value)
        for name, value in (
            ("Processor", f"{machine['cpu']}, {machine['cpus']} CPUs, {machine['machine']}"),
            ("System", f"{machine['system']} {machine.get('release', '')}".strip()),
            ("Memory", f"{memory / 1e9:,.1f} GB" if memory else ""),
            ("Governor", machine["governor"] or ""),
            ("Python", machine.get("python", "")),
            *(_setting(name, value) for name, value in settings.items()),
            ("Histories compared", ", ".join(f"{n:,}" for n in users)),
        )
        if value
    ]


def _setting(name: str, value: object) -> tuple[str, str]:
    """Its name and value: budget_ms is "Budget" and "1,000 ms"."""
    values = value if isinstance(value, list) else [value]
    text = ", ".join(f"{v:,.10g}" if isinstance(v, int | float) else str(v) for v in values)
    plain = name.removesuffix("_ms")
    return plain.replace("_", " ").capitalize(), f"{text} ms" if plain != name else text


def _profiles(lines: Sequence[_Line]) -> list[tuple[str, str, Markup]]:
    """Name, note and picture of each row that was profiled."""
    profiles = [
        (line.name, Profile.from_dict(line.row["profile"]))
        for line in lines
        if line.row.get("profile")
    ]
    return [
        (name, f"{profile.runtime}: {profile.note}", Markup(flame_svg(name, profile)))
        for name, profile in profiles
    ]
