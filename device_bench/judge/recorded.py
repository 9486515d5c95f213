"""Rows of a document, as it records them: what they are called, and what their medians are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Json: TypeAlias = Mapping[str, Any]

COLD_START = "cold_start_"


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
