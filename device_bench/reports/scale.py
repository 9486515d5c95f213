"""What `bench scale` measured, as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from device_bench.measure.statistics import Latency
from device_bench.scale import ScaleResult, ScaleRow
from glint_edge.cli.console import columns

WARNINGS = 5  # in full; each artifact, method and history may have its own
NOTE = (
    "weights were generated: times and sizes only, no accuracy. µs: the median of a call; cold: "
    "from no history to the first top-k. MB of memory: the process' peak (and of that, what came "
    "after the runtime's import)."
)


def render_scale(result: ScaleResult) -> RenderableType:
    """How figures grow with the catalogue and the width, and with the history."""
    failures = [Text(f"✗ {failure}", style="red") for failure in result.failures]
    warnings = [Text(f"! {warning}", style="yellow") for warning in _warnings(result.rows)]
    return Group(
        render_scale_rows(result.rows), _histories(result.rows), *failures, *warnings,
        Text(NOTE, style="dim"),
    )  # fmt: skip


def render_scale_rows(rows: Sequence[ScaleRow]) -> Table:
    """A line an artifact, by target and width; of rows that may not be all."""
    lengths = _lengths(rows)
    return columns(
        f"{rows[0].row.precision if rows else ''}: by catalogue and width",
        ("artifact", "items", "d", "append", "recommend", f"cold {lengths[-1] if lengths else ''}",
         "file MB", "memory MB"),
        [
            (
                *_artifact(each), _us(each.row.append_us), _us(each.row.recommend_us),
                _us(each.row.cold_start_us.get(lengths[-1])) if lengths else "–",
                _megabytes(each.row.file_bytes), _memory(each),
            )
            for each in _ordered(rows)
        ],
    )  # fmt: skip


def _histories(rows: Sequence[ScaleRow]) -> Table:
    lengths = _lengths(rows)

    def each(times: Mapping[str, Latency]) -> str:
        return " / ".join(_us(times.get(length)) for length in lengths)

    return columns(
        f"µs a call after {'/'.join(lengths)} items of history",
        ("artifact", "items", "d", "append", "recommend", "cold"),
        [
            (
                *_artifact(one), each(one.by_history_us.get("append", {})),
                each(one.by_history_us.get("recommend", {})), each(one.row.cold_start_us),
            )
            for one in _ordered(rows)
            if one.by_history_us
        ],
    )  # fmt: skip


def _ordered(rows: Sequence[ScaleRow]) -> list[ScaleRow]:
    return sorted(rows, key=lambda each: (each.row.name, each.width, each.items))


def _lengths(rows: Sequence[ScaleRow]) -> list[str]:
    """Of the histories, shortest first."""
    return sorted({n for row in rows for n in row.by_history_us.get("append", {})}, key=int)


def _artifact(each: ScaleRow) -> tuple[str, str, str]:
    """Its target, runner and shape; the precision is the same everywhere."""
    row = each.row
    name = row.target if row.runner == "python" else f"{row.target} ({row.runner})"
    return name, f"{each.items:,}", str(each.width)


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


def _memory(row: ScaleRow) -> str:
    peak, added = row.row.peak_memory_bytes, row.row.memory_added_bytes
    if peak is None:
        return "–"
    return f"{peak / 1e6:,.0f}" + ("" if added is None else f" (+{added / 1e6:,.0f})")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f}" if size else "–"
