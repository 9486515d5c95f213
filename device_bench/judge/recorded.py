"""Rows of a document, as it records them: what they are called, what their medians are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Json: TypeAlias = Mapping[str, Any]

COLD_START = "cold_start_"
TAP = "tap"  # of an app: `append` and `recommend`


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


def calls_of(row: Json, method: str) -> tuple[str, ...]:
    """The calls that a method is made of: a tap is `append` and `recommend`.

    What has no `append`, as a stock program, reads the whole history in `recommend`.
    """
    if method != TAP:
        return (method,)
    return ("append", "recommend") if row.get("append_us") else ("recommend",)


def median_us(row: Json, method: str) -> float | None:
    """What a call of a method took; None if it was not timed.

    Args:
        row: of a document.
        method: "append", "recommend", "tap", "cold_start_20", …
    """
    if method == TAP:
        parts = [median_us(row, call) for call in calls_of(row, TAP)]
        timed = [part for part in parts if part is not None]
        return sum(timed) if len(timed) == len(parts) else None
    if method.startswith(COLD_START):
        latency = (row.get("cold_start_us") or {}).get(method.removeprefix(COLD_START))
    else:
        latency = row.get(f"{method}_us")
    return None if latency is None else float(latency["p50"])


def interval_us(row: Json, method: str) -> tuple[float, float] | None:
    """Where that median lies, with 95 % confidence; of a tap, no narrower than that."""
    ends = [(row.get("interval_us") or {}).get(call) for call in calls_of(row, method)]
    whole = [each for each in ends if each]
    if len(whole) < len(ends):
        return None
    return sum(low for low, _ in whole), sum(high for _, high in whole)


def microseconds(value: float, like: float | None = None) -> str:
    """With three figures or all before the point: "7.29", "20.4", "1,032".

    Args:
        value: what is written.
        like: what it stands beside, with as many figures after the point.
    """
    size = value if like is None else like
    return f"{value:{',.2f' if size < 10 else ',.1f' if size < 100 else ',.0f'}}"
