"""Which artifact an app of each platform takes, and why, from the rows of a document.

The quickest tap decides among what ranks as the float model and runs there; among those that the
run does not tell from the quickest by a tenth and more, the smallest file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from device_bench.judge.ratio import known, ratio
from device_bench.judge.recorded import TAP, Json, artifact, median_us, microseconds, where
from device_bench.judge.rows import STOCK_RUNNER
from device_bench.measure.runtimes import REFERENCE
from glint_edge.apps.module import PLATFORMS, Platform, find_platform

TITLES = {"ios": "iOS", "cpp": "C++", "web": "the web"}
OWN = {"android": "adb", "python": "python"}  # the runner that is the platform itself
CLEARLY = 1.1  # times as long


@dataclass(frozen=True)
class Choice:
    """What is to be taken.

    Attributes:
        platforms: for which; for people.
        why: it is this one, or that there is none.
        row: of the document; None: there is none.
        name: of the row; for people.
        rivals: that it was chosen from.
        bundle: whose, where a run has bundles of several models.
    """

    platforms: tuple[str, ...]
    why: str
    row: Json | None = None
    name: str = "none"
    rivals: int = 0
    bundle: str = ""

    @property
    def whom(self) -> str:
        """As in "For Android and iOS"."""
        *others, last = self.platforms
        whom = f"For {', '.join(others)} and {last}" if others else f"For {last}"
        return f"{self.bundle}: {whom}" if self.bundle else whom

    @property
    def figures(self) -> str:
        """What it takes and gives: "7.38 µs a tap (native), 303 KB, ranks as the float model"."""
        if self.row is None:
            return ""
        tap = median_us(self.row, TAP)
        place = where(self.row) or "from Python"
        timed = "not timed" if tap is None else f"{microseconds(tap)} µs a tap ({place})"
        return f"{timed}, {self.row['file_bytes'] / 1e3:,.0f} KB, {_ranks(self.row)}"

    def to_dict(self) -> dict[str, Any]:
        """As a document has it."""
        parts = ("bundle", "target", "precision", "runner", "device")
        row = self.row or {}
        return {
            "platforms": list(self.platforms), "text": str(self),
            **{part: row.get(part) for part in parts},
        }  # fmt: skip

    def __str__(self) -> str:
        what = f"{self.name}, {self.figures}" if self.row else self.name
        return f"{self.whom}: {what}. {self.why}."


def is_contender(row: Json) -> bool:
    """Whether an app could take it: an artifact under test, made and good."""
    return bool(row["ok"] and row.get("threads", 1)) and _is_artifact(row)


def _is_artifact(row: Json) -> bool:
    return bool(row["runner"] != STOCK_RUNNER and row["target"] != REFERENCE)


def choices(rows: Sequence[Json]) -> list[Choice]:
    """One a row that is chosen, for all platforms that take it; bundles of one model together."""
    groups: dict[object, list[Json]] = {}
    for row in rows:
        groups.setdefault(_model(row, rows), []).append(row)
    chosen: dict[tuple[object, ...], Choice] = {}
    for group in groups.values():
        bundle = group[0]["bundle"] if len(groups) > 1 else ""
        for name in PLATFORMS if any(map(_is_artifact, group)) else ():
            one = replace(_chosen(find_platform(name), group), bundle=bundle)
            key = (id(one.row),) if one.row else (bundle, one.why)
            before = chosen.get(key, one)
            platforms = (*before.platforms, *one.platforms) if key in chosen else one.platforms
            most = max(before, one, key=lambda each: each.rivals)
            chosen[key] = replace(most, platforms=platforms)
    return sorted(chosen.values(), key=lambda choice: choice.row is None)


def _model(row: Json, rows: Sequence[Json]) -> object:
    """What bundles of one float model share: its figure over the most histories."""
    own = [each for each in rows if each["bundle"] == row["bundle"]]
    figure = max(own, key=lambda each: each.get("users") or 0).get("ndcg_at_10_float")
    return row["bundle"] if figure is None else figure


def _chosen(platform: Platform, rows: Sequence[Json]) -> Choice:
    title = (TITLES.get(platform.name, platform.name.capitalize()),)
    there = [row for row in rows if _is_artifact(row) and row["target"] in platform.targets]
    good = list(filter(is_contender, there))
    if not there:
        return Choice(title, f"It runs {' or '.join(platform.targets)}: export one of them")
    if not good:
        return Choice(title, f"{' and '.join(dict.fromkeys(map(artifact, there)))} failed")
    nearest = min(good, key=lambda row: _distance(platform.name, row))
    return _best(title, [row for row in good if where(row) == where(nearest)])


def _distance(platform: str, row: Json) -> tuple[bool, ...]:
    """How far a row's times are from what an app there sees; those of a device are near."""
    runner = row["runner"]
    untimed = median_us(row, TAP) is None
    return untimed, runner != OWN.get(platform), not row.get("device"), runner == "python"


def _best(platform: tuple[str, ...], rows: Sequence[Json]) -> Choice:
    """Of good rows of one place the one to take, and why."""
    several = len({row["bundle"] for row in rows}) > 1

    def name(row: Json) -> str:
        return f"{artifact(row)} of {row['bundle']}" if several else artifact(row)

    timed = [row for row in rows if median_us(row, TAP) is not None] or list(rows)
    timed.sort(key=lambda row: (median_us(row, TAP) or 0.0, row["file_bytes"]))
    slower = [row for row in timed[1:] if _times_as_long(timed[0], row)[0] > CLEARLY]
    alike = [row for row in timed if row not in slower]
    best = min(alike, key=lambda row: row["file_bytes"])
    if len(alike) > 1:
        others = " and ".join(name(row) for row in alike if row is not best)
        why = f"Smaller than {others}, and this run cannot tell which is quicker"
    elif slower:
        times = _times_as_long(best, slower[0])[1]
        why = f"The quickest: {name(slower[0])} takes {times} times as long"
    else:
        why = "The only one here that runs there"
    return Choice(platform, why, best, name(best), len(timed))


def _times_as_long(one: Json, other: Json) -> tuple[float, str]:
    """The least that this may be, and how many times it is, with where that lies."""
    if known(one, TAP) and known(other, TAP):
        between = ratio(TAP, one, other)
        text = microseconds(between.value)
        if between.interval is None:
            return between.value, text
        low, high = (microseconds(end, between.value) for end in between.interval)
        return between.interval[0], f"{text} ({low} to {high})"
    value = (median_us(other, TAP) or 1.0) / (median_us(one, TAP) or 1.0)
    return value, microseconds(value)


def _ranks(row: Json) -> str:
    value, of_float = row.get("ndcg_at_10"), row.get("ndcg_at_10_float")
    if value is None or of_float is None:
        return "gives the golden lists" if row.get("golden_ok") else "accuracy not measured"
    few = ", as far as so few histories tell" if row.get("cannot_tell") else ""
    return f"ranks as the float model{few}: {value:.4f} of {of_float:.4f}"
