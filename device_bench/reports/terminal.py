"""A bench as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from device_bench.judge.diff import Change, Diff, noise_notes
from device_bench.judge.rows import BenchResult, Row
from device_bench.measure.statistics import Latency
from device_bench.profiling.profile import Profile
from device_bench.profiling.table import render_profile
from glint_edge.cli.console import columns

DIFF_NOTE = (
    "ratio: of times with the machine's own speed taken out; in brackets: up to which (or to one "
    "over it) it is noise, from the spread of both runs' rounds."
)
STOCK_NOTE = (
    "stock: what one would do without this tool; recommend is the whole tap, and there is no "
    "append. No gate: what is wrong with such a row is a warning."
)
COLD = ("50", "200")  # lengths of the cold starts that the table shows
WARNINGS = 6  # lines of them


def render(results: Sequence[BenchResult]) -> RenderableType:
    """Three tables (time, size, how right it is), a line a failure, and what was not measured.

    Args:
        results: of one bundle, or of several to be seen side by side.
    """
    title = ", ".join(dict.fromkeys(result.name for result in results))
    rows = [row for result in results for row in result.rows]
    failures = [Text(f"✗ {failure}", style="red") for r in results for failure in r.failures]
    warnings = [Text(f"! {w}", style="yellow") for w in _warnings(rows)]
    about = (f"{row.name}: {row.note}." for row in rows if row.note)
    alike = noise_notes([row.to_dict() for row in rows])
    notes = dict.fromkeys(
        [*alike, *about, *(line for result in results for line in _notes(result))]
    )
    profiles = [
        render_profile(row.name, Profile.from_dict(row.profile)) for row in rows if row.profile
    ]
    return Group(
        *_tables(title, rows),
        *profiles,
        *failures,
        *warnings,
        *(Text(line, style="dim") for line in notes),
    )


def render_rows(title: str, rows: Sequence[Row]) -> RenderableType:
    """The first table alone, of rows that may not be finished."""
    return _tables(title, rows)[0]


def render_diff(found: Diff) -> RenderableType:
    """A table of what changed, worst first, and what did not compare."""
    order = {"regression": 0, "improvement": 1, "noise": 2}
    changed = [change for change in found.changes if change.verdict in order]
    rows = [
        (c.row, c.figure, _figure(c.old, ",.4g"), _figure(c.new, ",.4g"), _ratio(c), c.verdict)
        for c in sorted(changed, key=lambda change: order[change.verdict])
    ]
    table = columns("changes", ("row", "figure", "old", "new", "ratio", "verdict"), rows)
    same = sum(change.verdict == "same" for change in found.changes)
    notes = [*found.notes, f"{same} other figures are the same.", DIFF_NOTE]
    return Group(table, *(Text(line, style="dim") for line in notes))


def _ratio(change: Change) -> str:
    if change.ratio is None:
        return "–"
    return f"{change.ratio:.2f}" + ("" if change.noise is None else f" ({change.noise:.2f})")


def _tables(title: str, rows: Sequence[Row]) -> list[Table]:
    cold = (f"cold {length}" for length in COLD)
    return [
        columns(f"{title}: {what}", ("artifact", *header), [(r.name, *cells(r)) for r in rows])
        for what, header, cells in (
            ("µs a call", ("append", "recommend", *cold, "load ms"), _times),
            ("what it takes and gives", ("file KB", "peak MB", "NDCG@10 (float)"), _sizes),
            (
                "beside the float model",
                ("overlap", "weighted", "agreement", "error", "golden", "ok"),
                _figures,
            ),
        )
    ]


def _warnings(rows: Sequence[Row]) -> list[str]:
    """A few lines: what is said of all timed rows, then a line a row."""
    timed = [row.warnings for row in rows if row.rounds]
    common = [w for w in timed[0] if all(w in others for others in timed)] if timed else []
    lines = list(common)
    for row in rows:
        own = sorted((w for w in row.warnings if w not in common), key=partial(_of_a_method, row))
        if own:
            more = f" (and {len(own) - 1} more)" if len(own) > 1 else ""
            lines.append(f"{row.name}: {own[0]}{more}")
    every = len(common) + sum(warning not in common for row in rows for warning in row.warnings)
    if every == len(lines) <= WARNINGS:
        return lines
    return [*lines[:WARNINGS], f"{every} warnings in all; --html and --json have each"]


def _of_a_method(row: Row, warning: str) -> bool:
    """It is about one method's times; others are about the whole row, and explain those."""
    return warning.partition(":")[0] in row.interval_us


def _times(row: Row) -> tuple[str, ...]:
    starts = (row.cold_start_us.get(length) for length in COLD)
    return (
        _latency(row, "append", row.append_us),
        _latency(row, "recommend", row.recommend_us),
        *("–" if start is None else f"{start.p50:,.0f}" for start in starts),
        _figure(row.load_ms, ".1f"),
    )


def _sizes(row: Row) -> tuple[str, ...]:
    ndcg = f"{_figure(row.ndcg_at_10, '.4f')} ({_figure(row.ndcg_at_10_float, '.4f')})"
    return (
        f"{row.file_bytes / 1e3:,.0f}",
        _megabytes(row),
        "–" if row.ndcg_at_10 is None else ndcg,
    )


def _figures(row: Row) -> tuple[str, ...]:
    return (
        _figure(row.top10_overlap, ".4f"),
        _figure(row.rank_weighted_overlap, ".4f"),
        _figure(min(row.agreement.values(), default=None), ".4f"),
        _figure(row.max_score_error, ".2g"),
        "–" if row.golden_ok is None else _mark(row.golden_ok),
        _mark(row.ok) if row.under_test else "–",
    )


def _latency(row: Row, method: str, times: Latency | None) -> str:
    """The median and how far it may be off, with three figures."""
    if times is None:
        return "–"
    low, high = row.interval_us[method]
    off = max(times.p50 - low, high - times.p50)
    form = ",.1f" if times.p50 < 100 else ",.0f"
    return f"{times.p50:{form}} ± {off:{form}}"


def _megabytes(row: Row) -> str:
    peak, added = row.peak_memory_bytes, row.memory_added_bytes
    if peak is None:
        return "–"
    return f"{peak / 1e6:,.0f}" + ("" if added is None else f" (+{added / 1e6:,.0f})")


def _figure(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _mark(good: bool) -> str:
    return "✓" if good else "✗"


def _notes(result: BenchResult) -> list[str]:
    users = max((row.users for row in result.rows), default=0)
    stock = any(not row.under_test for row in result.rows)
    notes = [
        f"threads: {result.threads}; runner: python, unless named; each artifact in processes of "
        "its own, in turn; a call: its median ± how far that may be off (95 %); cold n: from no "
        "history to the first top-k of n items; peak MB: of the whole process (and of that, what "
        "came after the runtime's import); overlap: of the top 10 with the float model's, "
        "weighted: its first places counting most; agreement: the least overlap with another "
        "artifact of the bundle; "
        "error: the largest of a score."
    ]
    if stock:
        notes.append(STOCK_NOTE)
    if users:
        notes.append(f"compared with the float model over {users:,} held-out histories.")
    if result.not_measured:
        notes.append(f"accuracy was not measured: {result.not_measured}.")
    return notes
