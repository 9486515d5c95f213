"""A run's document as Markdown for a pull request or a job's summary."""

from __future__ import annotations

import re
from collections.abc import Sequence

from device_bench.judge.recorded import Json
from device_bench.reports.columns import COLD, OK, Column, cold_heading, few, tap_columns
from device_bench.reports.labels import (
    SCALE,
    common_warnings,
    failures,
    lengths,
    machine_text,
    row_names,
    title,
    warnings_of,
)
from device_bench.reports.notes import not_measured_notes, ratio_notes

SPECIAL = re.compile(r"([\\`*_\[\]|~#$])")
MARKS = str.maketrans({"✓": "✅", "✗": "❌"})


def markdown(document: Json) -> str:
    """A table a line a row, failures, warnings and notes below.

    Args:
        document: as `device_bench.document` makes and reads it.
    """
    rows = document["rows"]
    names = [escaped(name) for name in row_names(rows)]
    columns = _columns(document)
    unmeasured = not_measured_notes(rows, document.get("not_measured") or {})
    lines = [
        f"### Bench of {escaped(title(document))}", "",
        _line(("", *(column.heading for column in columns))),
        _line((":--", *("--:" for _ in columns[1:]), ":-:")),
        *(
            _line((name, *(column.cell(row).line.translate(MARKS) for column in columns)))
            for name, row in zip(names, rows, strict=True)
        ),
        "",
        *_failed(rows),
        *_folded(rows, names),
        *(f"{escaped(note)}  " for note in (*unmeasured, *ratio_notes(rows))),
        _about(document),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """As text on one line, whatever is in it."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SPECIAL.sub(r"\\\1", text)


def _columns(document: Json) -> list[Column]:
    """Generated models have no accuracy, and the histories that were asked for."""
    rows, generated = document["rows"], document["kind"] == SCALE
    starts = lengths(rows)[-len(COLD) :] if generated else COLD
    accuracy = () if generated else ("NDCG@10 (float)", "overlap")
    starts_us = few(rows, map(cold_heading, starts))
    return [
        *few(rows, ("append µs", "recommend µs")), *tap_columns(rows), *starts_us,
        *few(rows, ("file KB", *accuracy, OK)),
    ]  # fmt: skip


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _failed(rows: Sequence[Json]) -> list[str]:
    """A line a failure; an empty line after them."""
    said = [
        f"- ❌ {escaped(name)}: {escaped(text)}"
        for name, texts in failures(rows).items()
        for text in texts
    ]
    return [*said, ""] if said else []


def _folded(rows: Sequence[Json], names: Sequence[str]) -> list[str]:
    """Warnings and what rows are, behind a line to click on; what is said of all rows first."""
    common = common_warnings(rows)
    warnings = [f"- all timed rows: {escaped(text)}" for text in common] + [
        f"- {name}: {escaped(text)}"
        for name, row in zip(names, rows, strict=True)
        for text in warnings_of(row)
        if text not in common
    ]
    stock = [
        f"- {name}: {escaped(row['note'])}"
        for name, row in zip(names, rows, strict=True)
        if row.get("note")
    ]
    if not warnings and not stock:
        return []
    count = len(warnings)
    summary = f"{count} warning{'' if count == 1 else 's'}" + (", and notes" if stock else "")
    return [f"<details><summary>{summary}</summary>", "", *warnings, *stock, "", "</details>", ""]


def _about(document: Json) -> str:
    settings = document["settings"]
    counts = [f"{key}: {settings[key]}" for key in ("threads", "rounds") if key in settings]
    parts = (machine_text(document), f"glint-edge {document['tool']}", *counts)
    return f"{escaped('; '.join(parts))}. A call: its median ± how far that may be off (95 %)."
