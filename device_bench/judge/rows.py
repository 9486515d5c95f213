"""What a bench says: a row an artifact and runner, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from device_bench.judge.loss import Loss
from device_bench.judge.parity import Difference
from device_bench.measure.statistics import Latency

STOCK_RUNNER = "stock"
GENERATED = "generated"  # the bundle of models whose weights were drawn at random


def name_of(target: str, precision: str, runner: str) -> str:
    """A row's name, for people: "onnx int8", and the runner where it is not Python's."""
    return f"{target} {precision}" + ("" if runner == "python" else f" ({runner})")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One artifact on one runner. None stands for what could not be measured.

    Attributes:
        target: "executorch", …; "torch" is the float stream, for reference.
        precision: of its weights: "fp32", "int8", …
        runner: "python": the runtime's Python bindings; "native", "arm64", "ssh", "adb"; "stock":
            what one would do without this tool.
        device: which one, where the runner has several.
        note: what the row is, for people, where its name does not say it.
        append_us: microseconds a call, over all rounds.
        recommend_us: as `append_us`.
        cold_start_us: from no history to the first top-k (`append_many` and `recommend`), by the
            history's length.
        tap_beyond_us: `append` and `recommend` in a session longer than its window N: the mean of a
            cycle of taps, the one that encodes the last N items anew among them; None where all of
            a history counts.
        tap_anew_us: the tap that does.
        interval_us: where the median of each method lies, (low, high), with 95 % confidence;
            methods are named as in `quantiles_us`. Empty with one round: nothing is known of the
            next process.
        quantiles_us: the distribution's shape by method ("append", "recommend", "cold_start_20",
            …): evenly spaced quantiles from the least to the 99th percentile.
        first_call_us: in a fresh process, by method.
        instructions: executed a call, by method; where an emulator counts them.
        medians_us: of each round, by method as in `quantiles_us`: what two runs are compared by.
        cpu_us: of each round, the mean CPU time a call: what other work took is not in it.
        calibrations_us: of each round, the median of a fixed piece of work done between the timed
            calls, by method: the machine's speed just then. They compare on one runner and machine
            alone.
        load_ms: from the file to callable methods, imports not included; the median of a few.
        runtime_memory_bytes: what the runtime and the artifact add at most to a process; neither
            Python nor torch is in it, but for the rows that run in torch.
        peak_memory_bytes: of the whole process, Python and the runtime's libraries included.
        steady_memory_bytes: as the peak, after the timed calls.
        file_bytes: of the artifact.
        ndcg_at_10: of the artifact itself.
        ndcg_at_10_float: of the float model on the same histories.
        ndcg_loss: what the artifact loses of it to the float model, over many prefixes of training
            and validation items, and how well that is known; None if it was not judged.
        top10_overlap: share of the float model's top 10, averaged over users.
        rank_weighted_overlap: as `top10_overlap`, the first places counting most.
        agreement: top-10 overlap up to ties with the bundle's other artifacts of the same
            precision, by target.
        differs: what lists of those that are not all shared differ by, by target.
        max_score_error: largest |score − float score of the same item|.
        ok: nothing failed; of a row that is not under test, it could be made and run.
        users: histories compared.
        failures: what was out of tolerance or went wrong, a sentence each.
        cannot_tell: what too few histories leave open, a sentence each; no failure.
        golden_ok: the golden vectors came out; None if they were not checked.
        threads: as the runtime itself counts them; 0: it did not run to the end.
        same_top10: share of users with the float model's top 10, up to ties.
        memory_added_bytes: of the peak, what came after the runtime was imported: the artifact's.
        rounds: processes it was timed in.
        warnings: what makes its figures less trustworthy, a sentence each.
        conditions: what the machine or the device told of itself, before and after.
        profile: time by operator, by method; None if it was not asked for.
    """

    target: str
    precision: str
    runner: str = "python"
    device: str = ""
    note: str = ""
    append_us: Latency | None = None
    recommend_us: Latency | None = None
    cold_start_us: Mapping[str, Latency] = field(default_factory=dict)
    tap_beyond_us: Latency | None = None
    tap_anew_us: Latency | None = None
    interval_us: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    quantiles_us: Mapping[str, list[float]] = field(default_factory=dict)
    first_call_us: Mapping[str, float] = field(default_factory=dict)
    instructions: Mapping[str, int] = field(default_factory=dict)
    medians_us: Mapping[str, list[float]] = field(default_factory=dict)
    cpu_us: Mapping[str, list[float]] = field(default_factory=dict)
    calibrations_us: Mapping[str, list[float]] = field(default_factory=dict)
    load_ms: float | None = None
    runtime_memory_bytes: int | None = None
    peak_memory_bytes: int | None = None
    steady_memory_bytes: int | None = None
    file_bytes: int
    ndcg_at_10: float | None = None
    ndcg_at_10_float: float | None = None
    ndcg_loss: Loss | None = None
    top10_overlap: float | None = None
    rank_weighted_overlap: float | None = None
    agreement: Mapping[str, float] = field(default_factory=dict)
    differs: Mapping[str, Difference] = field(default_factory=dict)
    max_score_error: float | None = None
    ok: bool
    users: int = 0
    failures: tuple[str, ...] = ()
    cannot_tell: tuple[str, ...] = ()
    golden_ok: bool | None = None
    threads: int
    same_top10: float | None = None
    memory_added_bytes: int | None = None
    rounds: int = 0
    warnings: tuple[str, ...] = ()
    conditions: Mapping[str, Any] = field(default_factory=dict)
    profile: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """For people: see `name_of`."""
        return name_of(self.target, self.precision, self.runner)

    @property
    def under_test(self) -> bool:
        """Whether what is wrong with it fails the bench: a stock row is there to compare with."""
        return self.runner != STOCK_RUNNER

    @property
    def ran(self) -> bool:
        """It could be made and run to the end; whatever it gave."""
        return self.threads > 0

    def reported(self) -> Row:
        """As it is told: what is wrong with a row that is not under test is a warning."""
        if self.under_test or not self.failures:
            return self
        return replace(self, ok=self.ran, failures=(), warnings=(*self.failures, *self.warnings))

    def to_dict(self) -> dict[str, Any]:
        """As `glint-edge bench --json` prints it."""
        return {
            **asdict(self),
            "interval_us": {name: list(ends) for name, ends in self.interval_us.items()},
            "failures": list(self.failures),
            "cannot_tell": list(self.cannot_tell),
            "warnings": list(self.warnings),
        }


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
        """Nothing under test failed."""
        return all(row.ok for row in self.rows if row.under_test)

    @property
    def failures(self) -> tuple[str, ...]:
        """Every row's, with its name before."""
        return tuple(f"{row.name}: {failure}" for row in self.rows for failure in row.failures)

    def to_dict(self) -> dict[str, Any]:
        """As `glint-edge bench --json` prints it."""
        return {"rows": [{"bundle": self.name, **row.to_dict()} for row in self.rows]}


@dataclass(frozen=True)
class ScaleRow:
    """One target at one catalogue and width.

    Attributes:
        row: its figures; `append` and `recommend` over all histories, cold starts of each.
        items: V.
        width: d.
        by_history_us: `append` and `recommend` after each history, by its length.
        conversion_seconds: of the file; None: it was not made.
    """

    row: Row
    items: int
    width: int
    by_history_us: Mapping[str, Mapping[str, Latency]]
    conversion_seconds: float | None

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.row.name} {self.items:,} × {self.width}"

    def to_dict(self) -> dict[str, Any]:
        """As `glint-edge bench scale --json` prints it."""
        return {
            "bundle": GENERATED,
            **self.row.to_dict(),
            "generated": True,
            "items": self.items,
            "width": self.width,
            "by_history_us": {
                method: {length: times.to_dict() for length, times in lengths.items()}
                for method, lengths in self.by_history_us.items()
            },
            "conversion_seconds": self.conversion_seconds,
        }


@dataclass(frozen=True)
class ScaleResult:
    """All rows of a run."""

    rows: tuple[ScaleRow, ...]

    @property
    def failures(self) -> tuple[str, ...]:
        """Every artifact's, with its name before."""
        return tuple(f"{row.name}: {failure}" for row in self.rows for failure in row.row.failures)
