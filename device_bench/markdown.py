"""A run's document as Markdown for a pull request or a job's summary."""

from __future__ import annotations

import re
from collections.abc import Sequence

from device_bench.labels import (
    COLD_START,
    MISSING,
    Json,
    machine_text,
    not_measured_notes,
    row_names,
    time_of,
)

COLD = ("50", "200")  # lengths of the cold starts that the table shows
HEADER = (
    "", "append µs", "recommend µs", *(f"cold {n} µs" for n in COLD), "file KB",
    "NDCG@10 (float)", "overlap", "ok",
)  # fmt: skip
SPECIAL = re.compile(r"([\\`*_\[\]|~#])")


def markdown(document: Json) -> str:
    """A table a line a row, failures, warnings and notes below.

    Args:
        document: as `device_bench.document` makes and reads it.
    """
    rows = document["rows"]
    names = [escaped(name) for name in row_names(rows)]
    title = ", ".join(dict.fromkeys(row["bundle"] for row in rows))
    lines = [
        f"### Bench of {escaped(title)}", "",
        _line(HEADER),
        _line((":--", *("--:" for _ in HEADER[1:-1]), ":-:")),
        *(_line((name, *_cells(row))) for name, row in zip(names, rows, strict=True)),
        "",
        *_listed(rows, names, "failures", "❌ "),
        *_folded(rows, names),
        *(f"{escaped(note)}  " for note in not_measured_notes(document)),
        _about(document),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """As text on one line, whatever is in it."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SPECIAL.sub(r"\\\1", text)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(row: Json) -> tuple[str, ...]:
    calls = (time_of(row, method) for method in ("append", "recommend"))
    starts = (time_of(row, f"{COLD_START}{length}") for length in COLD)
    ndcg, of_float = row.get("ndcg_at_10"), row.get("ndcg_at_10_float")
    overlap = row.get("top10_overlap")
    return (
        *(MISSING if time is None else time.plus_minus for time in calls),
        *(MISSING if time is None else time.text for time in starts),
        f"{row['file_bytes'] / 1e3:,.0f}",
        MISSING
        if ndcg is None
        else f"{ndcg:.4f}" + ("" if of_float is None else f" ({of_float:.4f})"),
        MISSING if overlap is None else f"{overlap:.4f}",
        "✅" if row["ok"] else "❌",
    )


def _listed(rows: Sequence[Json], names: Sequence[str], key: str, mark: str = "") -> list[str]:
    """A list of what rows say; an empty line after it."""
    said = [
        f"- {mark}{name}: {escaped(text)}"
        for name, row in zip(names, rows, strict=True)
        for text in row.get(key) or ()
    ]
    return [*said, ""] if said else []


def _folded(rows: Sequence[Json], names: Sequence[str]) -> list[str]:
    """Warnings and what rows are, behind a line to click on."""
    warnings = _listed(rows, names, "warnings")
    stock = [
        f"- {name}: {escaped(row['note'])}"
        for name, row in zip(names, rows, strict=True)
        if row.get("note")
    ]
    if not warnings and not stock:
        return []
    count = max(len(warnings) - 1, 0)
    title = f"{count} warning{'' if count == 1 else 's'}" + (", and notes" if stock else "")
    said = [line for line in (*warnings, *stock) if line]
    return [f"<details><summary>{title}</summary>", "", *said, "", "</details>", ""]


def _about(document: Json) -> str:
    settings = document["settings"]
    counts = [f"{key}: {settings[key]}" for key in ("threads", "rounds") if key in settings]
    parts = (machine_text(document), f"glint-edge {document['tool']}", *counts)
    return f"{escaped('; '.join(parts))}. A call: its median ± how far that may be off (95 %)."
