"""What rows of a document are called, and how their figures read, in every report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

Json: TypeAlias = Mapping[str, Any]

COLD_START = "cold_start_"
STOCK = "stock"  # the runner of rows that are there to compare with
NAME = "name"  # of a row among all rows of its document, where it was added
SCALE = "scale"  # the kind of a document whose models were generated
MISSING = "–"


def microseconds(value: float, like: float | None = None) -> str:
    """With three figures or all before the point: "7.29", "20.4", "1,032".

    Args:
        value: what is written.
        like: what it stands beside, with as many figures after the point.
    """
    size = value if like is None else like
    return f"{value:{',.2f' if size < 10 else ',.1f' if size < 100 else ',.0f'}}"


def median_us(row: Json, method: str) -> float | None:
    """What a call of a method took; None if it was not timed.

    Args:
        row: of a document.
        method: "append", "recommend", "cold_start_20", …
    """
    if method.startswith(COLD_START):
        latency = (row.get("cold_start_us") or {}).get(method.removeprefix(COLD_START))
    else:
        latency = row.get(f"{method}_us")
    return None if latency is None else float(latency["p50"])


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


def verdict(row: Json) -> str:
    """A mark: it is good, it is not, or it is not under test."""
    return MISSING if not under_test(row) else "✓" if row["ok"] else "✗"


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
    by_name: dict[str, list[str]] = {}
    for name, row in zip(row_names(rows), rows, strict=True):
        if not row["ok"]:
            said = row.get("failures") or ["it failed, and did not say why"]
            by_name.setdefault(name, []).extend(said)
    return by_name


def common_warnings(rows: Sequence[Json]) -> list[str]:
    """What is said of all timed rows."""
    timed = [row.get("warnings") or [] for row in rows if row.get("rounds")]
    return [text for text in timed[0] if all(text in others for others in timed)] if timed else []
