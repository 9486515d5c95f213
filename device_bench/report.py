"""A bench as tables for people."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from device_bench.latency import RUNS, WARMUP, Latency
from device_bench.rows import BenchResult, Row
from glint_edge.console import columns


def render(result: BenchResult) -> RenderableType:
    """Two tables (what it costs, how right it is), a line a failure, and what was not measured."""
    costs = columns(
        f"{result.name}: what a call costs",
        ("artifact", "append µs", "recommend µs", "load ms", "peak MB", "file KB"),
        [_costs(row) for row in result.rows],
    )
    figures = columns(
        f"{result.name}: beside the float model",
        ("artifact", "NDCG@10 (float)", "overlap@10", "score error", "golden", "ok"),
        [_figures(row) for row in result.rows],
    )
    failures = [Text(f"✗ {failure}", style="red") for failure in result.failures]
    return Group(costs, figures, *failures, *(Text(line, style="dim") for line in _notes(result)))


def _costs(row: Row) -> tuple[str, ...]:
    return (
        f"{row.target} {row.precision}",
        _latency(row.append_us),
        _latency(row.recommend_us),
        _figure(row.load_ms, ".1f"),
        _megabytes(row),
        f"{row.file_bytes / 1e3:,.0f}",
    )


def _figures(row: Row) -> tuple[str, ...]:
    ndcg = f"{_figure(row.ndcg_at_10, '.4f')} ({_figure(row.ndcg_at_10_float, '.4f')})"
    return (
        f"{row.target} {row.precision}",
        "–" if row.ndcg_at_10 is None else ndcg,
        _figure(row.top10_overlap, ".4f"),
        _figure(row.max_score_error, ".2g"),
        "–" if row.golden_ok is None else _mark(row.golden_ok),
        _mark(row.ok),
    )


def _latency(latency: Latency | None) -> str:
    if latency is None:
        return "–"
    return " / ".join(f"{value:,.0f}" for value in (latency.p50, latency.p99))


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
    notes = [
        f"threads: {result.threads}; runner: python, each artifact in a process of its own; µs: "
        f"p50 / p99 of {RUNS} calls after {WARMUP} to warm up; peak MB: of the whole process "
        "(and of that, what came after the runtime's import)."
    ]
    if users:
        notes.append(f"compared with the float model over {users:,} held-out histories.")
    if result.not_measured:
        notes.append(f"accuracy was not measured: {result.not_measured}.")
    return notes
