"""A run's document as Markdown for a pull request or a job's summary."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from device_bench.judge.diff import noise_notes
from device_bench.reports.labels import (
    COLD_START,
    MISSING,
    SCALE,
    Json,
    common_warnings,
    failures,
    kilobytes,
    lengths,
    machine_text,
    not_measured_notes,
    row_names,
    time_of,
    title,
    under_test,
)

SPECIAL = re.compile(r"([\\`*_\[\]|~#$])")

COLD = (50, 200)  # lengths of the cold starts that the table shows

Column: TypeAlias = Callable[[Json], str]  # what a row has there


def markdown(document: Json) -> str:
    """A table a line a row, failures, warnings and notes below.

    Args:
        document: as `device_bench.document` makes and reads it.
    """
    rows = document["rows"]
    names = [escaped(name) for name in row_names(rows)]
    columns = _columns(document)
    lines = [
        f"### Bench of {escaped(title(document))}", "",
        _line(("", *columns)),
        _line((":--", *("--:" for _ in list(columns)[1:]), ":-:")),
        *(
            _line((name, *(cell(row) for cell in columns.values())))
            for name, row in zip(names, rows, strict=True)
        ),
        "",
        *_failed(rows),
        *_folded(rows, names),
        *(f"{escaped(n)}  " for n in (*not_measured_notes(document), *noise_notes(rows))),
        _about(document),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """As text on one line, whatever is in it."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SPECIAL.sub(r"\\\1", text)


def _columns(document: Json) -> dict[str, Column]:
    """By title. Generated models have no accuracy, and the histories that were asked for."""
    generated = document["kind"] == SCALE
    starts = lengths(document["rows"])[-len(COLD) :] if generated else COLD
    accuracy = {} if generated else {"NDCG@10 (float)": _ndcg, "overlap": _overlap}
    return {
        "append µs": partial(_call, method="append"),
        "recommend µs": partial(_call, method="recommend"),
        **{f"cold {n} µs": partial(_start, method=f"{COLD_START}{n}") for n in starts},
        "file KB": kilobytes,
        **accuracy,
        "ok": _mark,
    }


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _call(row: Json, method: str) -> str:
    time = time_of(row, method)
    return MISSING if time is None else time.plus_minus


def _start(row: Json, method: str) -> str:
    time = time_of(row, method)
    return MISSING if time is None else time.text


def _ndcg(row: Json) -> str:
    value, of_float = row.get("ndcg_at_10"), row.get("ndcg_at_10_float")
    if value is None:
        return MISSING
    return f"{value:.4f}" + ("" if of_float is None else f" ({of_float:.4f})")


def _overlap(row: Json) -> str:
    overlap = row.get("top10_overlap")
    return MISSING if overlap is None else f"{overlap:.4f}"


def _mark(row: Json) -> str:
    if not under_test(row):
        return MISSING
    return "✅" if row["ok"] else "❌"


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
        for text in row.get("warnings") or ()
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
