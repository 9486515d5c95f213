"""A bench, or a `bench scale`, as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rich.console import Group, RenderableType
from rich.text import Text

from device_bench.judge.diff import Change, Diff
from device_bench.judge.recorded import Json, artifact, where
from device_bench.judge.rows import Row, ScaleRow
from device_bench.profiling.profile import Profile
from device_bench.profiling.table import render_profile
from device_bench.reports.columns import COLD, OK, cold_heading, few, tap_columns
from device_bench.reports.labels import (
    MISSING,
    SCALE,
    common_warnings,
    failures,
    lengths,
    microseconds,
    row_names,
    title,
    warnings_of,
)
from device_bench.reports.notes import notes
from glint_edge.tables import Table, columns

DIFF_NOTE = (
    "ratio: of times with the machine's own speed taken out; in brackets where it lies (95 %). "
    "bar: what it must exceed (or one over it) to be a regression or an improvement, which the "
    "exit code goes by; so far beyond the spread of both runs' rounds that chance never gets there."
)
NOT_TOLD_APART = "not told apart"
TABLES = {
    "µs a call": ("append µs", "recommend µs", *map(cold_heading, COLD), "load ms"),
    "what it takes and gives": ("file KB", "added MB", "peak MB", "NDCG@10 (float)", "lost %"),
    "beside the float model": (
        "overlap", "weighted", "agreement", "score error", "golden", OK,
    ),
}  # fmt: skip
BEYOND = "µs a tap, in a session longer than its window of N items"
EXPLAINED = (
    cold_heading(COLD[0]), "added MB", "peak MB", "lost %", "overlap", "weighted", "agreement",
    "score error",
)  # fmt: skip
WARNINGS = 6  # lines of them


def render(document: Json) -> RenderableType:
    """Tables, a line a failure, warnings, and what figures mean.

    A bench has three tables (time, size, how right it is), a `bench scale` two (by catalogue and
    width, and by history).

    Args:
        document: as `device_bench.document` makes and reads it.
    """
    rows, not_measured = document["rows"], document.get("not_measured") or {}
    profiled: list[RenderableType] = []
    if document["kind"] == SCALE:
        about = ["µs: the median of a call; cold: from no history to the first top-k."]
    else:
        named = list(zip(row_names(rows), rows, strict=True))
        about = [f"{name}: {row['note']}." for name, row in named if row.get("note")]
        about.append(_legend(document))
        profiles = ((name, row["profile"]) for name, row in named if row.get("profile"))
        profiled += (render_profile(name, Profile.from_dict(profile)) for name, profile in profiles)
    said = (f"{name}: {text}" for name, texts in failures(rows).items() for text in texts)
    return Group(
        *tables(document),
        *profiled,
        *(Text(f"✗ {line}", style="red") for line in said),
        *(Text(f"! {line}", style="yellow") for line in _warnings(rows)),
        *_dim([*dict.fromkeys(about), *notes(rows, not_measured)]),
    )


def tables(document: Json) -> list[Table]:
    """The tables of `render` alone."""
    rows = document["rows"]
    if document["kind"] == SCALE:
        return [_by_side(rows), _by_history(rows)]
    return _tables(title(document), rows)


def render_rows(bundle: str, rows: Sequence[Row]) -> RenderableType:
    """The first table of a bench alone, of rows that may not be finished."""
    return _tables(bundle, [{"bundle": bundle, **row.to_dict()} for row in rows])[0]


def render_scale_rows(rows: Sequence[ScaleRow]) -> Table:
    """The first table of a `bench scale` alone, of rows that may not be all."""
    return _by_side([row.to_dict() for row in rows])


def render_diff(difference: Diff) -> RenderableType:
    """A table of what changed, worst first, and what did not compare."""
    order = {"regression": 0, "improvement": 1, "slower": 2, "faster": 3, "noise": 4}
    changed = [change for change in difference.changes if change.verdict in order]
    rows = [
        (
            c.row, c.figure, _figure(c.old), _figure(c.new), _ratio(c),
            MISSING if c.noise is None else f"{c.noise:.2f}",
            NOT_TOLD_APART if c.verdict == "noise" else c.verdict,
        )
        for c in sorted(changed, key=lambda change: order[change.verdict])
    ]  # fmt: skip
    table = columns("changes", ("row", "figure", "old", "new", "ratio", "bar", "verdict"), rows)
    same = sum(change.verdict == "same" for change in difference.changes)
    return Group(
        table, *_dim([*difference.notes, f"{same} other figures are the same.", DIFF_NOTE])
    )


def _figure(value: float | None) -> str:
    return MISSING if value is None else f"{value:,.4g}"


def _ratio(change: Change) -> str:
    if change.ratio is None:
        return MISSING
    text = f"{change.ratio:.2f}"
    return text if change.interval is None else "{} ({:.2f}–{:.2f})".format(text, *change.interval)


def _tables(about: str, rows: Sequence[Json]) -> list[Table]:
    names = row_names(rows)
    tables = [(what, few(rows, headings)) for what, headings in TABLES.items()]
    if taps := tap_columns(rows):
        tables.insert(1, (BEYOND, taps))
    return [
        columns(
            f"{about}: {what}",
            ("artifact", *(column.title for column in shown)),
            [
                (name, *(column.cell(row).line for column in shown))
                for name, row in zip(names, rows, strict=True)
            ],
        )
        for what, shown in tables
    ]


def _by_side(rows: Sequence[Json]) -> Table:
    """A line an artifact, by target and width."""
    longest = lengths(rows)[-1:]
    times = few(rows, ("append µs", "recommend µs", *map(cold_heading, longest)))
    known = any(row.get("runtime_memory_bytes") for row in rows)
    sizes = few(rows, ("file KB", "added MB" if known else "peak MB"))
    return columns(
        f"{rows[0]['precision'] if rows else ''}: by catalogue and width",
        ("artifact", "items", "d", *(column.title for column in (*times, *sizes))),
        [
            (
                *_shape(row),
                *(column.cell(row).text for column in times),
                *(column.cell(row).line for column in sizes),
            )
            for row in _ordered(rows)
        ],
    )


def _by_history(rows: Sequence[Json]) -> Table:
    shown = [row for row in _ordered(rows) if row.get("by_history_us")]
    every = [str(length) for length in lengths(shown)]

    def each(times: Json) -> str:
        return " / ".join(
            microseconds(times[length]["p50"]) if length in times else MISSING for length in every
        )

    return columns(
        f"µs a call after {'/'.join(every)} items of history",
        ("artifact", "items", "d", "append", "recommend", "cold"),
        [
            (
                *_shape(row), each(row["by_history_us"]["append"]),
                each(row["by_history_us"]["recommend"]), each(row["cold_start_us"]),
            )
            for row in shown
        ],
    )  # fmt: skip


def _ordered(rows: Sequence[Json]) -> list[Json]:
    return sorted(rows, key=lambda row: (artifact(row), where(row), row["width"], row["items"]))


def _shape(row: Json) -> tuple[str, str, str]:
    """Its target, runner and sides; the precision is the same everywhere."""
    place = where(row)
    name = row["target"] + (f" ({place})" if place else "")
    return name, f"{row['items']:,}", str(row["width"])


def _legend(document: Json) -> str:
    rows = document["rows"]
    explained = [*tap_columns(rows), *few(rows, EXPLAINED)]
    legend = "; ".join(f"{column.title}: {column.hint}" for column in explained)
    threads = document["settings"].get("threads", MISSING)
    return f"threads: {threads}; runner: python, unless named; {legend}."


def _dim(lines: Sequence[str]) -> list[Text]:
    return [Text(line, style="dim") for line in lines]


def _warnings(rows: Sequence[Json]) -> list[str]:
    """A few lines: what is said of all timed rows, then a line a row."""
    common = common_warnings(rows)
    lines, count = list(common), len(common)
    for name, row in zip(row_names(rows), rows, strict=True):
        own = [warning for warning in warnings_of(row) if warning not in common]
        own.sort(key=partial(_is_of_times, row))
        count += len(own)
        if own:
            more = f" (and {len(own) - 1} more)" if len(own) > 1 else ""
            lines.append(f"{name}: {own[0]}{more}")
    if count == len(lines) <= WARNINGS:
        return lines
    return [*lines[:WARNINGS], f"{count} warnings in all; --html and --json have each"]


def _is_of_times(row: Json, warning: str) -> bool:
    """It is about one method's times; others are about the whole row, and explain those."""
    return warning.partition(":")[0] in (row.get("interval_us") or ())
