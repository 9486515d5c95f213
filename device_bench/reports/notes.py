"""What the figures of a report mean, a sentence each: the same words in every report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from device_bench.judge.ratio import Ratio, ratio
from device_bench.judge.recorded import Json, median_us, row_name, where
from device_bench.reports.labels import METHODS, STOCK, microseconds

TORCH = "torch is the float model's stream, for reference; it is not under test."
STOCK_ROWS = (
    "stock is what one would do without this tool: the same weights, exported as they are, reading "
    "the whole history at every tap, so there is no append. It is not under test: what is wrong "
    "with it, or that it could not be made, is a warning."
)
GENERATED = (
    "Generated models have weights drawn at random: times and sizes are those of a trained one, "
    "accuracy has no meaning."
)
EXPLAINED = (
    "In brackets is where a ratio lies, with 95 % confidence; where that holds 1, this run does "
    "not say which of the two is quicker."
)
MEMORY = (
    "Added memory is the runtime's and the artifact's, without Python and without the torch that "
    "ExecuTorch's bindings import. The peak is the whole process's."
)


def notes(rows: Sequence[Json], not_measured: Mapping[str, str]) -> list[str]:
    """Of what these rows have.

    Args:
        rows: of a document.
        not_measured: by bundle, why accuracy was not.
    """
    users = max((row.get("users") or 0 for row in rows), default=0)
    said = (
        (_times(rows), any(row.get("rounds") for row in rows)),
        (TORCH, any(row["target"] == "torch" and row["runner"] != STOCK for row in rows)),
        (STOCK_ROWS, any(row["runner"] == STOCK for row in rows)),
        (GENERATED, any(row.get("generated") for row in rows)),
        (MEMORY, any(row.get("peak_memory_bytes") for row in rows)),
        (f"Compared with the float model over {users:,} held-out histories.", users > 0),
    )
    return [
        *not_measured_notes(rows, not_measured),
        *(note for note, holds in said if holds),
        *ratio_notes(rows),
    ]


def _times(rows: Sequence[Json]) -> str:
    rounds = max((row.get("rounds") or 0 for row in rows), default=0)
    if rounds == 1:
        return (
            "Times are medians of single calls in one process, which knows nothing of the next "
            "one; with more rounds they have an interval."
        )
    return (
        f"Times are medians of single calls, over {rounds} processes a row. Beside it is where the "
        "median lies, or how far it may be off, with 95 % confidence: Student's interval of the "
        "processes' medians, wide where they are few or differ."
    )


def not_measured_notes(rows: Sequence[Json], not_measured: Mapping[str, str]) -> list[str]:
    """Why accuracy was not, a sentence a bundle; the bundle is named where there are several."""
    several = len({row["bundle"] for row in rows}) > 1
    return [
        f"Accuracy{f' of {bundle}' if several else ''} was not measured: {reason}."
        for bundle, reason in not_measured.items()
    ]


def ratio_notes(rows: Sequence[Json]) -> list[str]:
    """How many times as long each row takes as the quickest one beside it, a sentence a method.

    Args:
        rows: of one document; those of one runner and device are compared. Generated models differ
            in shape, and are left out.
    """
    several = len({row.get("bundle") for row in rows}) > 1
    beside: dict[tuple[str, str], list[Json]] = {}
    for row in rows:
        if not row.get("generated") and row.get("medians_us"):
            beside.setdefault((row["runner"], where(row)), []).append(row)

    def name(row: Json) -> str:
        return f"{row_name(row)} of {row['bundle']}" if several else row_name(row)

    said = []
    for group in beside.values():
        for method in METHODS:
            times = {n: us for n, row in enumerate(group) if (us := median_us(row, method))}
            timed = [group[n] for n in sorted(times, key=times.__getitem__)]
            timed = [row for row in timed if row["medians_us"].get(method)]
            others = [f"{name(row)} {_text(ratio(method, timed[0], row))}" for row in timed[1:]]
            if others:
                said.append(f"{method} ({name(timed[0])} = 1): {'; '.join(others)}.")
    if said:
        said.append(EXPLAINED)
    return said


def _text(ratio: Ratio) -> str:
    value = microseconds(ratio.value)
    if ratio.interval is None:
        return f"{value} (one round: not known how well)"
    low, high = (microseconds(end, ratio.value) for end in ratio.interval)
    return f"{value} ({low} to {high})"
