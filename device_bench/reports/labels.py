"""What rows of a document are called, and how their figures read, in every report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from device_bench.judge.recorded import Json, row_name

STOCK = "stock"  # the runner of rows that are there to compare with
NAME = "name"  # of a row among all rows of its document, where it was added
SCALE = "scale"  # the kind of a document whose models were generated
MISSING = "–"
METHODS = ("append", "recommend")


def microseconds(value: float, like: float | None = None) -> str:
    """With three figures or all before the point: "7.29", "20.4", "1,032".

    Args:
        value: what is written.
        like: what it stands beside, with as many figures after the point.
    """
    size = value if like is None else like
    return f"{value:{',.2f' if size < 10 else ',.1f' if size < 100 else ',.0f'}}"


def lengths(rows: Iterable[Json]) -> list[int]:
    """Lengths of the cold starts that any row has, ascending."""
    return sorted({int(length) for row in rows for length in row.get("cold_start_us") or {}})


def title(document: Json) -> str:
    """What a document is about: its bundles."""
    if document["kind"] == SCALE:
        return "generated models"
    return ", ".join(dict.fromkeys(row["bundle"] for row in document["rows"])) or "nothing"


def under_test(row: Json) -> bool:
    """Whether what is wrong with it fails the bench: stock rows are there to compare with."""
    return str(row["runner"]) != STOCK


def verdict(row: Json) -> str:
    """A mark: it is good, it is not or could not be made, or it is not under test."""
    return "✗" if not row["ok"] else "✓" if under_test(row) else MISSING


def row_names(rows: Sequence[Json]) -> list[str]:
    """Of each row; with the bundle's name before, where there are several bundles."""
    several = len({row["bundle"] for row in rows}) > 1
    return [f"{row['bundle']}: {row_name(row)}" if several else row_name(row) for row in rows]


def machine_text(document: Json) -> str:
    """System, processor and CPUs: "AMD EPYC, 2 CPUs, Linux x86_64"."""
    machine = document["machine"]
    return f"{machine['cpu']}, {machine['cpus']} CPUs, {machine['system']} {machine['machine']}"


def failures(rows: Sequence[Json]) -> dict[str, list[str]]:
    """What failing rows under test say, by name; there is always something."""
    by_name: dict[str, list[str]] = {}
    for name, row in zip(row_names(rows), rows, strict=True):
        if under_test(row) and not row["ok"]:
            said = row.get("failures") or ["it failed, and did not say why"]
            by_name.setdefault(name, []).extend(said)
    return by_name


def warnings_of(row: Json) -> list[str]:
    """What makes its figures less trustworthy, and what too few histories leave open."""
    return [*(row.get("cannot_tell") or ()), *(row.get("warnings") or ())]


def common_warnings(rows: Sequence[Json]) -> list[str]:
    """What is said of all timed rows."""
    timed = [row.get("warnings") or [] for row in rows if row.get("rounds")]
    return [text for text in timed[0] if all(text in others for others in timed)] if timed else []
