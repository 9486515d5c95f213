"""What rows of a document are called, and how their figures read, in every report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = Mapping[str, Any]

COLD_START = "cold_start_"
STOCK = "stock"  # the runner of rows that are there to compare with
NAME = "name"  # of a row among all rows of its document, where it was added
SCALE = "scale"  # the kind of a document whose models were generated
MISSING = "–"


@dataclass(frozen=True)
class Time:
    """The median of a method's calls and where it lies, in microseconds.

    Attributes:
        median: of all calls.
        low: where it lies at least, with 95 % confidence; None where that is not known.
        high: as `low`, at most.
    """

    median: float
    low: float | None
    high: float | None

    @property
    def text(self) -> str:
        """The median, with three figures."""
        return microseconds(self.median)

    @property
    def range(self) -> str:
        """Its interval as "20.0–20.7"; empty if there is none."""
        if self.low is None or self.high is None:
            return ""
        form = _form(self.median)
        return f"{self.low:{form}}–{self.high:{form}}"

    @property
    def plus_minus(self) -> str:
        """The median and how far it may be off: "20.4 ± 0.3"."""
        if self.low is None or self.high is None:
            return self.text
        off = max(self.median - self.low, self.high - self.median)
        return f"{self.text} ± {off:{_form(self.median)}}"


def microseconds(value: float) -> str:
    """With three figures or all before the point: "7.29", "20.4", "1,032"."""
    return f"{value:{_form(value)}}"


def _form(value: float) -> str:
    return ",.2f" if value < 10 else ",.1f" if value < 100 else ",.0f"


def time_of(row: Json, method: str) -> Time | None:
    """What a method of a row took; None if it was not timed.

    Args:
        row: of a document.
        method: "append", "recommend", "cold_start_20", …
    """
    if method.startswith(COLD_START):
        latency = (row.get("cold_start_us") or {}).get(method.removeprefix(COLD_START))
    else:
        latency = row.get(f"{method}_us")
    if latency is None:
        return None
    low, high = (row.get("interval_us") or {}).get(method) or (None, None)
    return Time(latency["p50"], low, high)


def lengths(rows: Iterable[Json]) -> list[int]:
    """Lengths of the cold starts that any row has, ascending."""
    return sorted({int(length) for row in rows for length in row.get("cold_start_us") or {}})


def artifact(row: Json) -> str:
    """Target and precision: "onnx int8"."""
    return " ".join(part for part in (row["target"], row["precision"]) if part)


def shape(row: Json) -> str:
    """Catalogue and width of a generated model: "2,000 × 64"; empty for a trained one."""
    if not row.get("generated"):
        return ""
    sides = (row.get("items"), row.get("width"))
    return " × ".join(f"{side:,}" for side in sides if side is not None)


def where(row: Json) -> str:
    """The runner and its device: "arm64 cortex-a76"; empty for Python's."""
    runner = "" if row["runner"] == "python" else row["runner"]
    return " ".join(part for part in (runner, row.get("device")) if part)


def row_name(row: Json) -> str:
    """All of it: "onnx int8 (native)", "onnx int8 2,000 × 64"."""
    name = " ".join(part for part in (artifact(row), shape(row)) if part)
    place = where(row)
    return name + (f" ({place})" if place else "")


def title(document: Json) -> str:
    """What a document is about: its bundles."""
    if document["kind"] == SCALE:
        return "generated models"
    return ", ".join(dict.fromkeys(row["bundle"] for row in document["rows"])) or "nothing"


def under_test(row: Json) -> bool:
    """It has a verdict: stock rows have none, they are there to compare with."""
    return row["runner"] != STOCK or not row["ok"]


def row_names(rows: Sequence[Json]) -> list[str]:
    """Of each row; with the bundle's name before, where there are several bundles."""
    several = len({row["bundle"] for row in rows}) > 1
    return [f"{row['bundle']}: {row_name(row)}" if several else row_name(row) for row in rows]


def machine_text(document: Json) -> str:
    """System, processor and CPUs: "AMD EPYC, 2 CPUs, Linux x86_64"."""
    machine = document["machine"]
    return f"{machine['cpu']}, {machine['cpus']} CPUs, {machine['system']} {machine['machine']}"


def failures(rows: Sequence[Json]) -> dict[str, list[str]]:
    """What failing rows say, by name; there is always something."""
    found: dict[str, list[str]] = {}
    for name, row in zip(row_names(rows), rows, strict=True):
        if not row["ok"]:
            said = row.get("failures") or ["it failed, and did not say why"]
            found.setdefault(name, []).extend(said)
    return found


def kilobytes(row: Json) -> str:
    """Of its file, if it was made."""
    return f"{row['file_bytes'] / 1e3:,.0f}" if row["file_bytes"] else MISSING


def common_warnings(rows: Sequence[Json]) -> list[str]:
    """What is said of all timed rows, if there are several."""
    timed = [row.get("warnings") or [] for row in rows if row.get("rounds")]
    if len(timed) < 2:
        return []
    return [text for text in timed[0] if all(text in others for others in timed)]


def not_measured_notes(document: Json) -> list[str]:
    """Why accuracy was not, a sentence a bundle; the bundle is named where there are several."""
    reasons = document.get("not_measured") or {}
    several = len({row["bundle"] for row in document["rows"]}) > 1
    return [
        f"Accuracy{f' of {bundle}' if several else ''} was not measured: {reason}."
        for bundle, reason in reasons.items()
    ]
