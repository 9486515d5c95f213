"""What rows of a document are called, and how their figures read, in every report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from device_bench.judge.recorded import Json, row_name

STOCK = "stock"  # the runner of rows that are there to compare with
NAME = "name"  # of a row among all rows of its document, where it was added
SCALE = "scale"  # the kind of a document whose models were generated
MISSING = "–"
METHODS = ("append", "recommend")


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
    """A mark and a word; what could not be made or run has no tick."""
    if row["ok"]:
        if not under_test(row):
            return f"{MISSING} to compare"
        return "✓ good" if row.get("threads", 1) else MISSING
    if not row["file_bytes"] or (not under_test(row) and not row.get("threads", 1)):
        return "✗ not made"
    return "✗ failed" if row.get("threads", 1) else "✗ not run"


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
