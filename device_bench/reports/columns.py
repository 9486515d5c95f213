"""The columns of a bench's page: what each says of a row, and what it is sorted by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from device_bench.reports.labels import (
    COLD_START,
    MISSING,
    Json,
    kilobytes,
    lengths,
    microseconds,
    time_of,
)


@dataclass(frozen=True)
class Cell:
    """What one row has in one column.

    Attributes:
        text: its figure.
        small: what is said beside it; may be empty.
        order: what the column is sorted by; None: last.
        state: "good", "bad" or "": how it is coloured.
    """

    text: str = MISSING
    small: str = ""
    order: float | None = None
    state: str = ""


@dataclass(frozen=True)
class Column:
    """One figure of all rows.

    Attributes:
        group: of the columns it stands among.
        title: its own.
        hint: what the figure is, in a sentence.
        cells: one a row.
    """

    group: str
    title: str
    hint: str
    cells: tuple[Cell, ...]


def columns(rows: Sequence[Json]) -> list[Column]:
    """Those in which any row has a figure."""
    every = [
        Column(group, title, hint, tuple(map(cell, rows)))
        for group, title, hint, cell in (
            *_times(rows),
            *_accuracy(),
            *_sizes(),
            *_start(),
            *_counts(rows),
        )
    ]
    return [c for c in every if any(cell.text != MISSING for cell in c.cells)]


_Spec = tuple[str, str, str, Callable[[Json], Cell]]


def _times(rows: Sequence[Json]) -> Iterable[_Spec]:
    group = "Time, µs"
    for method in ("append", "recommend"):
        yield group, method, "median of a call; below it, where that lies (95 %)", _time(method)
    for length in lengths(rows):
        hint = f"from no history to the first top-k of {length} items"
        yield group, f"cold {length}", hint, _time(f"{COLD_START}{length}")


def _start() -> Iterable[_Spec]:
    group = "Start"
    yield group, "load ms", "from the file to callable methods", _number("load_ms", ",.1f")
    for method in ("append", "recommend"):
        hint = f"microseconds of the first {method} in a fresh process"
        cell = _by_method("first_call_us", method, microseconds)
        yield group, f"first {method} µs", hint, cell


def _counts(rows: Sequence[Json]) -> Iterable[_Spec]:
    hint = "executed by a call, as an emulator counts them"
    for method in dict.fromkeys(name for row in rows for name in row.get("instructions") or {}):
        cell = _by_method("instructions", method, "{:,.0f}".format)
        yield "Instructions", method.replace("_", " "), hint, cell


def _sizes() -> Iterable[_Spec]:
    yield "Size", "file KB", "of the artifact", _kilobytes
    yield "Size", "peak MB", "memory of the whole process; below it, added by the artifact", _peak


def _accuracy() -> Iterable[_Spec]:
    group = "Beside the float model"
    yield group, "NDCG@10", "of the artifact; below it, of the float model", _ndcg
    for key, title, hint, form in (
        ("top10_overlap", "overlap", "of the top 10 with the float model's", ".4f"),
        ("rank_weighted_overlap", "weighted", "overlap, the first places counting most", ".4f"),
        ("same_top10", "same top 10", "share of users with the float model's top 10", ".1%"),
    ):
        yield group, title, hint, _number(key, form)
    hint = "the least overlap with another artifact of the bundle and precision"
    yield group, "agreement", hint, _agreement
    yield group, "score error", "the largest of a score", _number("max_score_error", ".2g")
    yield group, "golden", "the bundle's golden vectors came out", _golden


def _time(method: str) -> Callable[[Json], Cell]:
    def cell(row: Json) -> Cell:
        time = time_of(row, method)
        return Cell() if time is None else Cell(time.text, time.range, time.median)

    return cell


def _number(key: str, form: str) -> Callable[[Json], Cell]:
    def cell(row: Json) -> Cell:
        value = row.get(key)
        return Cell() if value is None else Cell(f"{value:{form}}", order=value)

    return cell


def _by_method(key: str, method: str, text: Callable[[float], str]) -> Callable[[Json], Cell]:
    def cell(row: Json) -> Cell:
        value = (row.get(key) or {}).get(method)
        return Cell() if value is None else Cell(text(value), order=value)

    return cell


def _kilobytes(row: Json) -> Cell:
    return Cell(kilobytes(row), order=row["file_bytes"] or None)


def _peak(row: Json) -> Cell:
    peak, added = row.get("peak_memory_bytes"), row.get("memory_added_bytes")
    if peak is None:
        return Cell()
    small = "" if added is None else f"+{added / 1e6:,.1f}"
    return Cell(f"{peak / 1e6:,.0f}", small, peak)


def _ndcg(row: Json) -> Cell:
    value, of_float = row.get("ndcg_at_10"), row.get("ndcg_at_10_float")
    if value is None:
        return Cell()
    return Cell(f"{value:.4f}", "" if of_float is None else f"{of_float:.4f}", value)


def _agreement(row: Json) -> Cell:
    least = min((row.get("agreement") or {}).values(), default=None)
    return Cell() if least is None else Cell(f"{least:.4f}", order=least)


def _golden(row: Json) -> Cell:
    good = row.get("golden_ok")
    return Cell() if good is None else Cell(*_mark(good), order=float(good))


def _mark(good: bool) -> tuple[str, str]:
    return ("✓", "") if good else ("✗", "not")
