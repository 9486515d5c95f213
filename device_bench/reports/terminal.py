"""A bench, or a `bench scale`, as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from device_bench.judge.choice import Choice, choices
from device_bench.judge.diff import Change, Diff
from device_bench.judge.recorded import Json, artifact, microseconds, where
from device_bench.judge.rows import Row, ScaleRow
from device_bench.profiling.profile import Profile
from device_bench.profiling.table import render_profile
from device_bench.reports.causes import causes
from device_bench.reports.columns import cold_heading, few
from device_bench.reports.labels import (
    MISSING,
    SCALE,
    failures,
    lengths,
    machine_text,
    row_names,
    title,
)
from device_bench.reports.notes import notes, pair_notes
from device_bench.reports.overview import Shown, overview
from glint_edge.tables import MARK, Table, columns, counted

DIFF_NOTE = (
    "ratio: of times with the machine's own speed taken out; in brackets where it lies (95 %). "
    "bar: what it must exceed (or one over it) to be a regression or an improvement, which the "
    "exit code goes by; so far beyond the spread of both runs' rounds that chance never gets there."
)
NOT_TOLD_APART = "not told apart"
WARNINGS = 6  # lines of them
WIDE = 100  # columns of a terminal, in which bars have room
BAR = 8  # letters
EIGHTHS = " ▏▎▍▌▋▊▉"
MORE = "--html FILE has every figure and picture, --output FILE all of it as JSON."


@dataclass(frozen=True)
class _Overview:
    """The one table of a bench; with bars, where they have room."""

    document: Json

    def table(self, *, bars: bool = False) -> Table:
        """A line a row."""
        shown, lines = overview(self.document)
        rows, marked = [], set()
        for number, (name, line) in enumerate(
            zip(row_names(self.document["rows"]), lines, strict=True)
        ):
            cells = [name, line[0].cell.line, *(one.cell.text for one in line[1:])]
            if bars:
                cells.insert(2, _bar(line[0]))
            rows.append(cells)
            marked |= {(number, n + 1 + (bars and n > 0)) for n, one in enumerate(line) if one.best}
        header = ["artifact", *(column.short for column in shown)]
        if bars:
            header.insert(2, "")
        return Table(title(self.document), header, rows, marked, close=True)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """For a terminal."""
        yield self.table(bars=options.max_width >= WIDE and not options.ascii_only)


def _bar(shown: Shown) -> str:
    """Its length, as letters; one that goes on is marked."""
    if shown.beyond:
        return "█" * (BAR - 1) + "»"
    whole, eighths = divmod(round((shown.share or 0.0) * BAR * 8), 8)
    return ("█" * whole + EIGHTHS[eighths]).strip()


def render(document: Json) -> RenderableType:
    """What to take, a table, a line a failure and a cause of warnings, and what figures mean.

    A bench has one table, a `bench scale` two (by catalogue and width, and by history).

    Args:
        document: as `device_bench.document` makes and reads it.
    """
    rows, not_measured = document["rows"], document.get("not_measured") or {}
    said = [f"{name}: {text}" for name, texts in failures(rows).items() for text in texts]
    below = (
        *(Text(f"✗ {line}", style="red") for line in said),
        *(Text(f"! {line}", style="yellow") for line in _warnings(rows)),
    )
    if document["kind"] == SCALE:
        about = ["µs: the median of a call; cold: from no history to the first top-k."]
        about += [note for note in notes(rows, not_measured) if not note.startswith(MARK)]
        return Group(*tables(document), *below, *_dim(about))
    profiled = (
        render_profile(name, Profile.from_dict(row["profile"]))
        for name, row in zip(row_names(rows), rows, strict=True)
        if row.get("profile")
    )
    return Group(
        *map(_choice, choices(rows)),
        _Overview(document),
        *profiled,
        *below,
        *_dim([*pair_notes(rows)[:1], *notes(rows, not_measured), _about(document), MORE]),
    )


def _choice(choice: Choice) -> Text:
    """The sentence on top."""
    style = "bold green" if choice.row else "bold"
    parts = (f"{choice.whom}: ", "bold"), (choice.name, style), (choice.figures and ", ", "")
    return Text.assemble(*parts, f"{choice.figures}. ", (f"{choice.why}.", "dim"))


def _about(document: Json) -> str:
    settings = document["settings"]
    counts = [f"{name} {settings[name]}" for name in ("threads", "rounds") if name in settings]
    return f"Timed on {'; '.join((machine_text(document), *counts))}; from Python, unless named."


def tables(document: Json) -> list[Table]:
    """The tables of `render` alone."""
    rows = document["rows"]
    if document["kind"] == SCALE:
        return [_by_side(rows), _by_history(rows)]
    return [_Overview(document).table()]


def render_rows(bundle: str, rows: Sequence[Row]) -> RenderableType:
    """The table of a bench alone, of rows that may not be finished."""
    return _Overview(
        {"kind": "bench", "rows": [{"bundle": bundle, **row.to_dict()} for row in rows]}
    )


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
    if value is None:
        return MISSING
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _ratio(change: Change) -> str:
    if change.ratio is None:
        return MISSING
    text = f"{change.ratio:.2f}"
    return text if change.interval is None else "{} ({:.2f}–{:.2f})".format(text, *change.interval)


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


def _dim(lines: Sequence[str]) -> list[Text]:
    return [Text(line, style="dim") for line in lines]


def _warnings(rows: Sequence[Json]) -> list[str]:
    """A few lines, one a cause."""
    every = causes(rows)
    if len(every) <= WARNINGS and all(cause.count <= len(rows) for cause in every):
        return [str(cause) for cause in every]
    count = sum(cause.count for cause in every)
    more = f"{counted(count, 'warnings')} in all; --html and --json have each"
    return [*map(str, every[:WARNINGS]), more]
