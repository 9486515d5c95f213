"""A run's document as Markdown for a pull request or a job's summary."""

from __future__ import annotations

import re
from collections.abc import Sequence

from device_bench.judge.choice import choices
from device_bench.judge.recorded import Json
from device_bench.reports.causes import causes
from device_bench.reports.columns import figures
from device_bench.reports.labels import (
    SCALE,
    failures,
    machine_text,
    row_names,
    title,
)
from device_bench.reports.notes import not_measured_notes, pair_notes, ratio_notes
from device_bench.reports.overview import overview
from glint_edge.tables import counted

SPECIAL = re.compile(r"([\\`*_\[\]|~#$])")
MARKS = str.maketrans({"✓": "✅", "✗": "❌"})


def markdown(document: Json) -> str:
    """A table a line a row, failures, warnings and notes below.

    Args:
        document: as `device_bench.document` makes and reads it.
    """
    rows = document["rows"]
    names = [escaped(name) for name in row_names(rows)]
    shown, lines = overview(document)
    every = figures(rows)
    said = (
        *not_measured_notes(rows, document.get("not_measured") or {}),
        *pair_notes(rows)[:1], *ratio_notes(rows),
    )  # fmt: skip
    return "\n".join([
        f"### Bench of {escaped(title(document))}", "",
        *_chosen(document),
        *_table([column.heading for column in shown], names, [
            [f"**{one.cell.line}**" if one.best else one.cell.line for one in line]
            for line in lines
        ]),
        *_failed(rows),
        *_folded("All figures", _table(
            [column.heading for column in every], names,
            [[column.cell(row).line for column in every] for row in rows],
        )),
        *_remarks(rows, names),
        *(f"{escaped(note)}  " for note in said),
        _about(document), "",
    ])  # fmt: skip


def _chosen(document: Json) -> list[str]:
    """What to take, a line a choice; an empty line after them."""
    if document["kind"] == SCALE:
        return []
    chosen = [f"- {escaped(str(choice))}" for choice in choices(document["rows"])]
    return [*chosen, ""] if chosen else []


def _table(
    headings: Sequence[str], names: Sequence[str], cells: Sequence[Sequence[str]]
) -> list[str]:
    """A line a row; an empty line after them."""
    lines = [[name, *line] for name, line in zip(names, cells, strict=True)]
    rule = [":--", *("--:" for _ in headings)]
    return [
        f"| {' | '.join(line)} |".translate(MARKS) for line in (["", *headings], rule, *lines)
    ] + [""]


def escaped(text: str) -> str:
    """As text on one line, whatever is in it."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SPECIAL.sub(r"\\\1", text)


def _failed(rows: Sequence[Json]) -> list[str]:
    """A line a failure; an empty line after them."""
    said = [
        f"- ❌ {escaped(name)}: {escaped(text)}"
        for name, texts in failures(rows).items()
        for text in texts
    ]
    return [*said, ""] if said else []


def _remarks(rows: Sequence[Json], names: Sequence[str]) -> list[str]:
    """Causes of warnings and what rows are, behind a line to click on."""
    every = causes(rows)
    lines = [f"- {escaped(str(cause))}" for cause in every] + [
        f"- {name}: {escaped(row['note'])}"
        for name, row in zip(names, rows, strict=True)
        if row.get("note")
    ]
    count = sum(cause.count for cause in every)
    more = ", and notes" if len(lines) > len(every) else ""
    summary = counted(count, "warnings") + more
    return _folded(summary, [*lines, ""]) if lines else []


def _folded(summary: str, lines: Sequence[str]) -> list[str]:
    return [f"<details><summary>{summary}</summary>", "", *lines, "</details>", ""]


def _about(document: Json) -> str:
    settings = document["settings"]
    counts = [f"{key}: {settings[key]}" for key in ("threads", "rounds") if key in settings]
    parts = (machine_text(document), f"glint-edge {document['tool']}", *counts)
    figures = "A tap: append and recommend, the median ± how far that may be off (95 %)"
    return f"{escaped('; '.join(parts))}. {figures}; bold: the best of its runner."
