"""What `bench scale` measured, as tables for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from device_bench.rows import Row
from device_bench.scale import ScaleResult, ScaleRow
from device_bench.statistics import Latency
from glint_edge.console import columns

WARNINGS = 5  # in full; each artifact, method and history may have its own
NOTE = (
    "weights were generated: times and sizes only, no accuracy. µs: the median of a call; append "
    "and recommend after the longest history. MB of memory: the process' peak (and of that, what "
    "came after the runtime's import)."
)


def render_scale(result: ScaleResult) -> RenderableType:
    """How figures grow with the catalogue and the width, and with the history."""
    artifacts = _by_artifact(result.rows)
    lengths = "/".join(str(row.history) for row in artifacts[0]) if artifacts else ""
    histories = columns(
        f"µs a call after {lengths} items of history",
        ("artifact", "items", "d", "append", "recommend", "cold start"),
        [_histories(rows) for rows in artifacts if not rows[0].row.failures],
    )
    failures = [Text(f"✗ {failure}", style="red") for failure in result.failures]
    warnings = [Text(f"! {warning}", style="yellow") for warning in _warnings(result.rows)]
    return Group(
        render_scale_rows(result.rows), histories, *failures,
        *warnings, Text(NOTE, style="dim"),
    )  # fmt: skip


def render_scale_rows(rows: Sequence[ScaleRow]) -> Table:
    """A line an artifact, by target and width; of rows that may not be all."""
    longest = [artifact[-1] for artifact in _by_artifact(rows)]
    return columns(
        f"{rows[0].row.precision if rows else ''}: by catalogue and width",
        ("artifact", "items", "d", "append", "recommend", "cold start", "file MB", "memory MB"),
        [
            (
                _artifact(each.row), f"{each.items:,}", str(each.width), _us(each.row.append_us),
                _us(each.row.recommend_us), _cold_us(each), _megabytes(each.row.file_bytes),
                _memory(each),
            )
            for each in longest
        ],
    )  # fmt: skip


def _by_artifact(rows: Sequence[ScaleRow]) -> list[list[ScaleRow]]:
    """Rows of one artifact together, shortest history first; by name, width and catalogue."""

    def artifact(each: ScaleRow) -> tuple[str, int, int]:
        return each.row.name, each.width, each.items

    ordered = sorted(rows, key=lambda each: (*artifact(each), each.history))
    return [list(group) for _, group in groupby(ordered, key=artifact)]


def _artifact(row: Row) -> str:
    """The precision is the same everywhere."""
    return row.target if row.runner == "python" else f"{row.target} ({row.runner})"


def _histories(rows: Sequence[ScaleRow]) -> tuple[str, ...]:
    def each(figure: Callable[[ScaleRow], str]) -> str:
        return " / ".join(map(figure, rows))

    first = rows[0]
    return (
        _artifact(first.row), f"{first.items:,}", str(first.width),
        each(lambda one: _us(one.row.append_us)), each(lambda one: _us(one.row.recommend_us)),
        each(_cold_us),
    )  # fmt: skip


def _warnings(rows: Sequence[ScaleRow]) -> list[str]:
    """The most frequent ones, each once, with the artifacts that it is about unless it is all."""
    about: dict[str, list[str]] = {}
    for row in rows:
        for warning in row.row.warnings:
            about.setdefault(warning, []).append(row.name)
    most = sorted(about, key=lambda warning: -len(about[warning]))
    told = [
        warning
        if len(about[warning]) == len(rows)
        else f"{', '.join(dict.fromkeys(about[warning]))}: {warning}"
        for warning in most[:WARNINGS]
    ]
    left = len(most) - len(told)
    return [*told, f"and {left} more, see --json or --output"] if left else told


def _us(times: Latency | None) -> str:
    if times is None:
        return "–"
    return f"{times.p50:,.0f}" if times.p50 >= 100 else f"{times.p50:.1f}"


def _cold_us(row: ScaleRow) -> str:
    return _us(row.row.cold_start_us.get(str(row.history)))


def _memory(row: ScaleRow) -> str:
    peak, added = row.row.peak_memory_bytes, row.row.memory_added_bytes
    if peak is None:
        return "–"
    return f"{peak / 1e6:,.0f}" + ("" if added is None else f" (+{added / 1e6:,.0f})")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f}" if size else "–"
