"""The columns of every report's tables: what each is called, and what it says of a row.

The page shows all in which a row has a figure, the terminal and Markdown a few of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from device_bench.judge.recorded import (
    COLD_START,
    TAP,
    Json,
    interval_us,
    median_us,
    microseconds,
)
from device_bench.measure.job import TAP_ANEW, TAP_BEYOND
from device_bench.reports.labels import METHODS, MISSING, lengths, under_test, verdict

COLD = (50, 200)  # lengths of the cold starts that a table of a few columns shows
# Of a session longer than its window, by method: what its columns are called, and hints.
TAPS = {
    TAP_BEYOND: (
        "tap beyond N",
        "append and recommend in a session longer than its window of N items: the mean of a cycle "
        "of N/4 taps and the one that encodes the last N items anew",
    ),
    TAP_ANEW: ("tap anew", "the tap of such a cycle that encodes the last N items anew"),
}
VERDICT = "verdict"
TAP_US, NDCG = f"{TAP} µs", "NDCG@10 (float)"


@dataclass(frozen=True)
class Cell:
    """What one row has in one column.

    Attributes:
        text: its figure.
        small: what is said beside it; may be empty.
        order: what the column is sorted by; None: last.
        beside: what follows the text where both stand on one line; may be empty.
    """

    text: str = MISSING
    small: str = ""
    order: float | None = None
    beside: str = ""

    @property
    def line(self) -> str:
        """All of it on one line."""
        return self.text + self.beside


@dataclass(frozen=True)
class Column:
    """One figure of all rows.

    Attributes:
        group: of the columns it stands among.
        title: its own.
        hint: what the figure is.
        cell: what a row has there.
        unit: what a title says besides, where no group is beside it.
    """

    group: str
    title: str
    hint: str
    cell: Callable[[Json], Cell]
    unit: str = ""

    @property
    def short(self) -> str:
        """As `heading`, where figures beside a figure are left out."""
        return f"{self.title} {self.unit}".partition(" (")[0].strip()

    @property
    def heading(self) -> str:
        """The title where there are no groups; unlike all others'."""
        return f"{self.title} {self.unit}".strip()


def cold_heading(length: int) -> str:
    """Of the column of a cold start."""
    return f"cold {length} µs"


def tap_columns(rows: Sequence[Json]) -> list[Column]:
    """Those of taps beyond the window; none where no row has such taps."""
    timed = any(median_us(row, method) is not None for row in rows for method in TAPS)
    return few(rows, [f"{title} µs" for title, _ in TAPS.values()]) if timed else []


def figures(rows: Sequence[Json]) -> list[Column]:
    """Those in which any row has a figure; all but the verdict."""
    return [
        column
        for column in _every(rows)
        if column.title != VERDICT and any(column.cell(row).text != MISSING for row in rows)
    ]


def few(rows: Sequence[Json], headings: Iterable[str]) -> list[Column]:
    """The named ones, whether or not a row has a figure there.

    Args:
        rows: of the table.
        headings: of a cold start of any length that a row has or `COLD` names, too.
    """
    by_heading = {column.heading: column for column in _every(rows)}
    return [by_heading[heading] for heading in headings]


def _every(rows: Sequence[Json]) -> list[Column]:
    return [*_times(rows), *_accuracy(), *_sizes(), *_start(), *_instructions(rows)]


def _times(rows: Sequence[Json]) -> Iterable[Column]:
    group = "Time, µs"
    hint = "the median of a call, and where that lies or how far it may be off (95 %)"
    yield Column(group, TAP, f"append and recommend: {hint}", _time(TAP), "µs")
    for method in METHODS:
        yield Column(group, method, hint, _time(method), "µs")
    for method, (title, hint) in TAPS.items():
        yield Column(group, title, hint, _time(method), "µs")
    for length in sorted({*COLD, *lengths(rows)}):
        hint = f"from no history to the first top-k of {length} items"
        yield Column(group, f"cold {length}", hint, _time(f"{COLD_START}{length}"), "µs")


def _start() -> Iterable[Column]:
    group = "Start"
    yield Column(group, "load ms", "from the file to callable methods", _number("load_ms", ",.1f"))
    for method in METHODS:
        hint = f"microseconds of the first {method} in a fresh process"
        cell = _by_method("first_call_us", method, microseconds)
        yield Column(group, f"first {method} µs", hint, cell)


def _instructions(rows: Sequence[Json]) -> Iterable[Column]:
    hint = "executed by a call, as an emulator counts them"
    for method in dict.fromkeys(name for row in rows for name in row.get("instructions") or {}):
        cell = _by_method("instructions", method, "{:,.0f}".format)
        title = method.replace("_", " ")
        yield Column("Instructions", title, hint, cell, "instructions")


def _sizes() -> Iterable[Column]:
    yield Column("Size", "file KB", "of the artifact", _kilobytes)
    hint = "memory that the runtime and the artifact add to a process, at most"
    yield Column("Size", "added MB", hint, _added)
    hint = "memory of the whole process"
    yield Column("Size", "peak MB", hint, _peak)


def _accuracy() -> Iterable[Column]:
    group = "Beside the float model"
    yield Column(group, "NDCG@10", "of the artifact, and of the float model", _ndcg, "(float)")
    hint = "of the float model's NDCG@10, over prefixes of training and validation items; ± 95 %"
    yield Column(group, "lost %", hint, _lost)
    for key, title, hint, form in (
        ("top10_overlap", "overlap", "of the top 10 with the float model's", ".4f"),
        ("rank_weighted_overlap", "weighted", "overlap, the first places counting most", ".4f"),
        ("same_top10", "same top 10", "share of users with the float model's top 10", ".1%"),
    ):
        yield Column(group, title, hint, _number(key, form))
    hint = "the least overlap with another artifact of the bundle and precision"
    yield Column(group, "agreement", hint, _agreement)
    yield Column(group, "score error", "the largest of a score", _number("max_score_error", ".2g"))
    yield Column(group, "golden", "the bundle's golden vectors came out", _golden)
    hint = "whether it was made, run, and nothing is out of tolerance"
    yield Column(group, VERDICT, hint, _verdict)


def _time(method: str) -> Callable[[Json], Cell]:
    def cell(row: Json) -> Cell:
        median = median_us(row, method)
        if median is None:
            return Cell()
        low, high = interval_us(row, method) or (None, None)
        if low is None or high is None:
            return Cell(microseconds(median), order=median)
        ends = f"{microseconds(low, median)}–{microseconds(high, median)}"
        off = microseconds(max(median - low, high - median), median)
        # A cold start is long, and a table of a few columns narrow.
        beside = "" if method.startswith(COLD_START) else f" ± {off}"
        return Cell(microseconds(median), ends, median, beside=beside)

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
    size = row["file_bytes"]  # 0: it was not made
    return Cell(f"{size / 1e3:,.0f}", order=size) if size else Cell()


def _added(row: Json) -> Cell:
    added = row.get("runtime_memory_bytes")
    return Cell() if added is None else Cell(f"{added / 1e6:,.1f}", order=added)


def _peak(row: Json) -> Cell:
    peak = row.get("peak_memory_bytes")
    return Cell() if peak is None else Cell(f"{peak / 1e6:,.0f}", order=peak)


def _ndcg(row: Json) -> Cell:
    value, of_float = row.get("ndcg_at_10"), row.get("ndcg_at_10_float")
    if value is None:
        return Cell()
    if of_float is None:
        return Cell(f"{value:.4f}", order=value)
    return Cell(f"{value:.4f}", f"of {of_float:.4f}", value, beside=f" ({of_float:.4f})")


def _lost(row: Json) -> Cell:
    loss = row.get("ndcg_loss")
    if not loss:
        return Cell()
    share, low, high = (100 * loss[name] for name in ("share", "low", "high"))
    off = f" ± {high - share:.2f}"
    return Cell(f"{share:.2f}", f"{low:.2f} to {high:.2f}", share, beside=off)


def _agreement(row: Json) -> Cell:
    least = min((row.get("agreement") or {}).values(), default=None)
    return Cell() if least is None else Cell(f"{least:.4f}", order=least)


def _verdict(row: Json) -> Cell:
    return Cell(verdict(row), order=float(row["ok"]) if under_test(row) else None)


def _golden(row: Json) -> Cell:
    good = row.get("golden_ok")
    return (
        Cell() if good is None else Cell("✓" if good else "✗", "" if good else "not", float(good))
    )
