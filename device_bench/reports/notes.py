"""What the figures of a report mean, a sentence each: the same words in every report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from device_bench.judge.ratio import Ratio, known, ratio
from device_bench.judge.recorded import (
    TAP,
    Json,
    median_us,
    microseconds,
    row_name,
    where,
)
from device_bench.reports.labels import STOCK, lengths
from glint_edge.tables import MARK

TORCH = "torch: the float model, for reference; it is no artifact."
STOCK_ROWS = (
    "stock: what one would do without this tool: the same weights, exported as they are, reading "
    "the whole history at every tap. It is not under test."
)
GENERATED = (
    "Generated models have weights drawn at random: times and sizes are those of a trained one, "
    "accuracy has no meaning."
)
EXPLAINED = (
    "In brackets is where a ratio lies, with 95 % confidence; where that holds 1, this run does "
    "not say which of the two is quicker."
)
MEMORY = "added MB: what the runtime and the artifact add to a process, without Python and torch."


def notes(rows: Sequence[Json], not_measured: Mapping[str, str]) -> list[str]:
    """Of what these rows have.

    Args:
        rows: of a document.
        not_measured: by bundle, why accuracy was not.
    """
    users = max((row.get("users") or 0 for row in rows), default=0)
    said = (
        (_times(rows), any(row.get("rounds") for row in rows)),
        (MEMORY, any(row.get("runtime_memory_bytes") for row in rows)),
        (f"NDCG@10: over {users:,} held-out histories.", users > 0),
        (TORCH, any(row["target"] == "torch" and row["runner"] != STOCK for row in rows)),
        (STOCK_ROWS, any(row["runner"] == STOCK for row in rows)),
        (GENERATED, any(row.get("generated") for row in rows)),
    )
    return [
        *not_measured_notes(rows, not_measured),
        *(note for note, holds in said if holds),
    ]


def _times(rows: Sequence[Json]) -> str:
    rounds = max((row.get("rounds") or 0 for row in rows), default=0)
    cold = "".join(
        f" cold {n}: a history of {n} items at once, and a list." for n in lengths(rows)[-1:]
    )
    how = (
        "in one process, which knows nothing of the next one: more rounds give an interval"
        if rounds == 1
        else f"over {rounds} processes a row, ± how far they may be off (95 %)"
    )
    return f"{MARK}: the best of its runner. tap: append and recommend.{cold} Medians {how}."


def not_measured_notes(rows: Sequence[Json], not_measured: Mapping[str, str]) -> list[str]:
    """Why accuracy was not, a sentence a bundle; the bundle is named where there are several."""
    several = len({row["bundle"] for row in rows}) > 1
    return [
        f"Accuracy{f' of {bundle}' if several else ''} was not measured: {reason}."
        for bundle, reason in not_measured.items()
    ]


def pair_notes(rows: Sequence[Json]) -> list[str]:
    """What artifacts of one bundle and precision differ by, the furthest apart first."""
    pairs: dict[tuple[object, ...], tuple[float, str]] = {}
    for row in rows:
        for other, share in (row.get("agreement") or {}).items():
            names = sorted((row["target"], other))
            key = (row["bundle"], row["precision"], row["runner"] == STOCK, *names)
            if share == 1 or key in pairs:
                continue
            text = f"{' and '.join(names)} ({row['precision']}) share {share:.1%} of their top 10"
            if differs := (row.get("differs") or {}).get(other):
                text += (
                    f"; {differs['lists']:,} of {row['users']:,} lists differ, by items whose "
                    f"scores lie within {differs['score']:.2g} of the last place's"
                )
            pairs[key] = (share, f"{text}.")
    return [text for _, text in sorted(pairs.values())]


def ratio_notes(rows: Sequence[Json]) -> list[str]:
    """How many times as long a tap of each row takes as the quickest one beside it.

    Args:
        rows: of one document; those of one runner and device are compared. Generated models differ
            in shape, and are left out.
    """
    several = len({row.get("bundle") for row in rows}) > 1
    beside: dict[tuple[str, str], list[Json]] = {}
    for row in rows:
        if not row.get("generated") and median_us(row, TAP) is not None and known(row, TAP):
            beside.setdefault((row["runner"], where(row)), []).append(row)

    def name(row: Json) -> str:
        return f"{row_name(row)} of {row['bundle']}" if several else row_name(row)

    said = []
    for group in beside.values():
        quickest, *others = sorted(group, key=lambda row: median_us(row, TAP) or 0.0)
        if others:
            each = "; ".join(f"{name(row)} {_text(ratio(TAP, quickest, row))}" for row in others)
            said.append(f"A tap ({name(quickest)} = 1): {each}.")
    if said:
        said.append(EXPLAINED)
    return said


def _text(ratio: Ratio) -> str:
    value = microseconds(ratio.value)
    if ratio.interval is None:
        return f"{value} (one round: not known how well)"
    low, high = (microseconds(end, ratio.value) for end in ratio.interval)
    return f"{value} ({low} to {high})"
