"""What the figures of a report mean, a sentence each: the same words in every report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from device_bench.judge.diff import noise_notes
from device_bench.judge.recorded import Json
from device_bench.reports.labels import STOCK

TORCH = "torch is the float model's stream, for reference; it is not under test."
STOCK_ROWS = (
    "stock is what one would do without this tool: the same weights, exported as they are, reading "
    "the whole history at every tap, so there is no append. It is not under test: what is wrong "
    "with it is a warning."
)
GENERATED = (
    "Generated models have weights drawn at random: times and sizes are those of a trained one, "
    "accuracy has no meaning."
)
MEMORY = "Memory is the whole process's, with Python and libraries where it has them."


def notes(rows: Sequence[Json], not_measured: Mapping[str, str]) -> list[str]:
    """Of what these rows have.

    Args:
        rows: of a document.
        not_measured: by bundle, why accuracy was not.
    """
    users = max((row.get("users") or 0 for row in rows), default=0)
    said = (
        (_times(rows), any(row.get("interval_us") for row in rows)),
        (TORCH, any(row["target"] == "torch" and row["runner"] != STOCK for row in rows)),
        (STOCK_ROWS, any(row["runner"] == STOCK for row in rows)),
        (GENERATED, any(row.get("generated") for row in rows)),
        (MEMORY, any(row.get("peak_memory_bytes") for row in rows)),
        (f"Compared with the float model over {users:,} held-out histories.", users > 0),
    )
    return [
        *not_measured_notes(rows, not_measured),
        *(note for note, holds in said if holds),
        *(note[0].upper() + note[1:] for note in noise_notes(rows)),
    ]


def _times(rows: Sequence[Json]) -> str:
    rounds = max((row.get("rounds") or 0 for row in rows), default=0)
    processes = f"{rounds} processes" if rounds > 1 else "one process"
    return (
        f"Times are medians of single calls, over {processes} a row. Beside it is where the median "
        "lies, or how far it may be off, with 95 % confidence: a bootstrap over processes first, "
        f"calls second{'; with one process it knows nothing of the next one' * (rounds == 1)}."
    )


def not_measured_notes(rows: Sequence[Json], not_measured: Mapping[str, str]) -> list[str]:
    """Why accuracy was not, a sentence a bundle; the bundle is named where there are several."""
    several = len({row["bundle"] for row in rows}) > 1
    return [
        f"Accuracy{f' of {bundle}' if several else ''} was not measured: {reason}."
        for bundle, reason in not_measured.items()
    ]
