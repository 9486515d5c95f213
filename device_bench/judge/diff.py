"""Two runs' documents side by side: how far they differ, and what is a regression.

The unit of a comparison is the round, not the call: calls of one process are alike, processes are
not. Each round's median is divided by its own calibration, so that a machine that was slower for a
while is not the artifact's fault. How far an artifact follows the machine's speed is not known, one
that waits for memory less than others: a change counts only if it is one both ways. The spread of
the logarithms over both runs' rounds is the noise; with few rounds it is little known, so it is
mixed with what is usual (as in Smyth, Linear Models and Empirical Bayes Methods, 2004: a prior
variance with its own degrees of freedom). That bar is for the exit code alone. What two figures
say of each other is their ratio and its interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from device_bench.judge.ratio import FOLLOWED, at_one_speed, ratio
from device_bench.judge.recorded import Json, median_us, row_name
from device_bench.judge.rows import STOCK_RUNNER

USUAL_NOISE = 0.08  # standard deviation of the logarithm of a round's median
USUAL_WEIGHT = 4  # rounds' worth of it
BEYOND = 5.0  # standard errors: a run compares some 20 figures, and none may be a false alarm
LEAST_CHANGE = 0.15  # of a time, between the best rounds: other work only ever adds
LARGER = 0.01  # of a file; conversions of one model are alike but for metadata
MORE_MEMORY = 0.10
LESS_ACCURATE = 0.01  # of NDCG@10, the same as the export's own gate
LESS_OVERLAP = 0.01  # of the top 10

Verdict: TypeAlias = Literal["regression", "improvement", "slower", "faster", "noise", "same"]


@dataclass(frozen=True)
class Change:
    """One figure of one row in both runs.

    Attributes:
        row: its name.
        figure: "append µs", "file bytes", …
        old: in the first run; None: it has none there.
        new: in the second.
        ratio: new / old; of times with the machine's speed taken out as far as makes it least.
        noise: the ratio up to which a time's change is no regression; None where there is none.
        verdict: "regression" and "improvement" are what the exit code goes by. Of times short of
            that: "slower" and "faster" where the interval leaves 1 out, "noise" where it holds it.
            "same": another figure within its limit.
        why: in words, where the figures do not say it.
        interval: where a time's ratio lies, with 95 % confidence; None where it is not known.
    """

    row: str
    figure: str
    old: float | None
    new: float | None
    ratio: float | None
    noise: float | None
    verdict: Verdict
    why: str = ""
    interval: tuple[float, float] | None = None

    def __str__(self) -> str:
        how_sure = f" ({self.interval[0]:.2f} to {self.interval[1]:.2f})" if self.interval else ""
        change = f"is {self.ratio:.2f} times what it was{how_sure}"
        return f"{self.row}: {self.figure} {self.why or change}"


@dataclass(frozen=True)
class Diff:
    """All figures of all rows, and what does not compare.

    Attributes:
        changes: in the order of the first run's rows.
        notes: what was not compared and why, a sentence each.
    """

    changes: tuple[Change, ...]
    notes: tuple[str, ...]

    @property
    def regressions(self) -> tuple[Change, ...]:
        """What fails."""
        return tuple(change for change in self.changes if change.verdict == "regression")

    def to_dict(self) -> dict[str, Any]:
        """As `bench diff --json` prints it."""
        return {
            "ok": not self.regressions,
            "changes": [asdict(change) for change in self.changes],
            "notes": list(self.notes),
        }


def diff(old: Json, new: Json) -> Diff:
    """Compare two documents that `bench` wrote, row by row."""
    befores, afters = _by_key(old), _by_key(new)
    one_machine = _machine(old) == _machine(new)
    changes: list[Change] = []
    for key, before in befores.items():
        if key in afters:
            changes += _row(before, afters[key], times=one_machine)
        else:
            gone = "it was measured before, and now is not"
            changes.append(
                Change(row_name(before), "row", None, None, None, None, "regression", gone)
            )
    notes = [f"{row_name(afters[key])} is new" for key in afters if key not in befores]
    if between := _between(old, new):
        notes.append(f"the runs differ by {', '.join(between)}")
    if not one_machine:
        notes.append(
            f"times are not compared: one run is of {_machine(old)}, the other of {_machine(new)}"
        )
    return Diff(tuple(changes), tuple(notes))


def _between(old: Json, new: Json) -> list[str]:
    """Versions and settings that are not the same in both."""
    before, after = (
        {"glint-edge": each["tool"], **each["machine"].get("packages", {}), **each["settings"]}
        for each in (old, new)
    )
    return [
        f"{name} ({before.get(name, 'none')}, then {after.get(name, 'none')})"
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    ]


def _machine(document: Json) -> str:
    machine = document["machine"]
    return f"{machine['cpu']} ({machine['cpus']} CPUs, {machine['system']})"


def _by_key(document: Json) -> dict[tuple[Any, ...], Json]:
    """Rows by what they are about; the bundle's name counts only where there are several."""
    rows = document["rows"]
    several = len({row["bundle"] for row in rows}) > 1
    parts = ("target", "precision", "runner", "device", "items", "width", "history")
    return {
        (row["bundle"] if several else "", *(row.get(part) for part in parts)): row for row in rows
    }


def _row(old: Json, new: Json, *, times: bool) -> Iterator[Change]:
    name = row_name(old)
    if old["ok"] and not new["ok"] and new["runner"] != STOCK_RUNNER:
        why = "; ".join(new.get("failures", ())) or "it failed"
        yield Change(name, "ok", 1, 0, None, None, "regression", why)
    if times:
        for method in old.get("medians_us", {}):
            if method in new.get("medians_us", {}):
                yield _time(name, method, old, new)
    if new["file_bytes"]:  # 0: it could not be made, which the row says
        yield from _figure(name, "file bytes", old["file_bytes"], new["file_bytes"], LARGER)
    yield from _figure(
        name, "peak memory bytes", old.get("peak_memory_bytes"), new.get("peak_memory_bytes"),
        MORE_MEMORY,
    )  # fmt: skip
    for figure, least in (("ndcg_at_10", LESS_ACCURATE), ("top10_overlap", LESS_OVERLAP)):
        yield from _figure(name, figure, old.get(figure), new.get(figure), -least)


def _figure(
    row: str, figure: str, old: float | None, new: float | None, most: float
) -> Iterator[Change]:
    """A figure without noise; `most` is how far it may go, its sign says which way is worse."""
    if not old or new is None:
        return
    change = new / old - 1
    verdict: Verdict = "same"
    if abs(change) > abs(most):
        verdict = "regression" if (change > 0) == (most > 0) else "improvement"
    yield Change(row, figure, old, new, 1 + change, None, verdict)


def _time(row: str, method: str, old: Json, new: Json) -> Change:
    views = [_view(method, old, new, power) for power in FOLLOWED]
    noise, verdict = min(views, key=lambda view: abs(view[0]))[1:]
    between = ratio(method, old, new)
    if any(other != verdict for _, _, other in views):
        verdict = "noise"
    if verdict == "noise" and between.differs:
        verdict = "slower" if between.value > 1 else "faster"
    return Change(
        row, f"{method.replace('_', ' ')} µs", median_us(old, method), median_us(new, method),
        between.value, math.exp(noise), verdict, interval=between.interval,
    )  # fmt: skip


def _view(method: str, old: Json, new: Json, power: float) -> tuple[float, float, Verdict]:
    """How far the times went, as a logarithm, how far noise may go, and what is to be said."""
    befores, afters = (at_one_speed(row, method, power) for row in (old, new))
    shift = _mean(afters) - _mean(befores)
    noise = BEYOND * _spread(befores, afters) * math.sqrt(1 / len(befores) + 1 / len(afters))
    best = min(afters) - min(befores)
    least = math.log1p(LEAST_CHANGE)
    if shift > noise and best > least:
        return shift, noise, "regression"
    if shift < -noise and best < -least:
        return shift, noise, "improvement"
    return shift, noise, "noise"


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _spread(*groups: Sequence[float]) -> float:
    """The standard deviation within groups, mixed with the usual one."""
    squares = math.fsum((v - _mean(group)) ** 2 for group in groups for v in group)
    freedom = sum(len(group) - 1 for group in groups)
    usual = USUAL_WEIGHT * USUAL_NOISE**2
    return math.sqrt((usual + squares) / (USUAL_WEIGHT + freedom))
