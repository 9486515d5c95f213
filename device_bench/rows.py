"""What a bench says: a row an artifact and runner, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from device_bench.latency import Latency


@dataclass(frozen=True, kw_only=True)
class Row:
    """One artifact on one runner. None stands for what could not be measured.

    Attributes:
        target: "executorch", …; "torch" is the float stream, for reference.
        precision: "fp32" or "int8".
        runner: "python": the runtime's Python bindings, in a process of its own.
        append_us: microseconds a call.
        recommend_us: as `append_us`.
        cold_start_us: from no history to the first top-k (`append_many` and `recommend`), by the
            history's length.
        load_ms: from the file to callable methods, imports not included; the median of a few.
        peak_memory_bytes: of the whole process, Python and the runtime's libraries included.
        file_bytes: of the artifact.
        ndcg_at_10: of the artifact itself.
        ndcg_at_10_float: of the float model on the same histories.
        top10_overlap: share of the float model's top 10, averaged over users.
        rank_weighted_overlap: as `top10_overlap`, the first places counting most.
        agreement: top-10 overlap with the bundle's other artifacts, by target.
        max_score_error: largest |score − float score of the same item|.
        ok: nothing failed.
        users: histories compared.
        failures: what was out of tolerance or went wrong, a sentence each.
        golden_ok: the golden vectors came out; None if they were not checked.
        threads: as the runtime itself counts them.
        same_top10: share of users with the float model's top 10, up to ties.
        memory_added_bytes: of the peak, what came after the runtime was imported.
    """

    target: str
    precision: str
    runner: str = "python"
    append_us: Latency | None = None
    recommend_us: Latency | None = None
    cold_start_us: Mapping[str, Latency] = field(default_factory=dict)
    load_ms: float | None = None
    peak_memory_bytes: int | None = None
    file_bytes: int
    ndcg_at_10: float | None = None
    ndcg_at_10_float: float | None = None
    top10_overlap: float | None = None
    rank_weighted_overlap: float | None = None
    agreement: Mapping[str, float] = field(default_factory=dict)
    max_score_error: float | None = None
    ok: bool
    users: int = 0
    failures: tuple[str, ...] = ()
    golden_ok: bool | None = None
    threads: int
    same_top10: float | None = None
    memory_added_bytes: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """As `glint-edge bench --json` prints it."""
        return {**asdict(self), "failures": list(self.failures)}


@dataclass(frozen=True)
class BenchResult:
    """All rows of a bundle.

    Attributes:
        name: the bundle's.
        rows: one an artifact and runner.
        threads: CPU threads that were asked for.
        not_measured: why accuracy was not; empty if it was.
    """

    name: str
    rows: tuple[Row, ...]
    threads: int
    not_measured: str

    @property
    def ok(self) -> bool:
        """Nothing failed."""
        return all(row.ok for row in self.rows)

    @property
    def failures(self) -> tuple[str, ...]:
        """Every row's, with its name before."""
        return tuple(
            f"{row.target} {row.precision}: {failure}"
            for row in self.rows
            for failure in row.failures
        )

    def to_dict(self) -> dict[str, Any]:
        """As `glint-edge bench --json` prints it."""
        return {"rows": [{"bundle": self.name, **row.to_dict()} for row in self.rows]}
