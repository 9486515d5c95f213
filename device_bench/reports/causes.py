"""Warnings of a run's rows, those of one cause as one line, with the worst of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from device_bench.judge.recorded import Json
from device_bench.reports.labels import row_names, warnings_of

MOST = 3  # names of rows before a cause
NUMBER = r"([\d.,]+)"
# What a busy machine shows itself by, in the words of `device_bench.measure`: what is said of it,
# and which of several rows' figures is the worst.
NOISE: tuple[tuple[str, str, Callable[[Sequence[float]], float]], ...] = (
    (rf"busy with other work \(load {NUMBER}\)", "load {:.1f}", max),
    (rf"the machine's speed changed by {NUMBER}%", "its speed changed by {:,.0f} %", max),
    (rf"the process had it for {NUMBER}% of the time", "{:.0f} % of the CPU", min),
    (rf"rounds' medians lie between {NUMBER} and {NUMBER} µs", "rounds {:.1f} times apart", max),
    (rf"{NUMBER}% of the calls took more than", "{:.0f} % slow calls", max),
    (r"not steady after", "never steady", max),
    (rf"the clock fell from {NUMBER} to {NUMBER} MHz", "a clock that fell", max),
    (r"the processor was slowed down by heat", "heat", max),
    (rf"the machine is {NUMBER} °C hot", "{:.0f} °C", max),
)  # fmt: skip


@dataclass(frozen=True)
class Cause:
    """What several warnings come of.

    Attributes:
        text: it and the worst of it.
        rows: whom it concerns; empty: every row that was timed.
        said: each warning, and the rows that have it.
    """

    text: str
    rows: tuple[str, ...]
    said: Mapping[str, Sequence[str]]

    @property
    def count(self) -> int:
        """How many warnings it stands for."""
        return sum(map(len, self.said.values()))

    def __str__(self) -> str:
        if not self.rows:
            return self.text
        more = f" and {len(self.rows) - MOST} more" if len(self.rows) > MOST else ""
        return f"{', '.join(self.rows[:MOST])}{more}: {self.text}"


def causes(rows: Sequence[Json]) -> list[Cause]:
    """The machine's noise first, then each other cause in the order of the rows."""
    names = row_names(rows)
    timed = {name for name, row in zip(names, rows, strict=True) if row.get("rounds")}
    by_cause: dict[str, dict[str, list[str]]] = {"": {}}
    for name, row in zip(names, rows, strict=True):
        for text in warnings_of(row):
            by_cause.setdefault(_cause(text, row), {}).setdefault(text, []).append(name)
    several = []
    for cause, said in by_cause.items():
        whom = dict.fromkeys(name for each in said.values() for name in each)
        if said:
            every = bool(timed) and timed <= whom.keys()
            text = _worst(list(said)) if cause else _noise(list(said))
            several.append(Cause(text, () if every else tuple(whom), said))
    return several


def _cause(text: str, row: Json) -> str:
    """What is alike in warnings of one cause; empty: the machine's noise."""
    if any(re.search(pattern, text) for pattern, _, _ in NOISE):
        return ""
    method, _, rest = text.partition(": ")
    methods = {*(row.get("medians_us") or ()), *(row.get("interval_us") or ())}
    return re.sub(NUMBER, "#", rest if method in methods else text)


def _noise(texts: Sequence[str]) -> str:
    signs = []
    for pattern, words, worst in NOISE:
        matches = [match for text in texts if (match := re.search(pattern, text))]
        if matches:
            signs.append(words.format(worst([_figure(match) for match in matches])))
    return f"noisy machine: {', '.join(signs)}"


def _figure(match: re.Match[str]) -> float:
    """The last number; of two medians, how far apart they lie."""
    numbers = [float(number.replace(",", "").rstrip(".")) for number in match.groups()]
    if "medians" in match[0]:
        return numbers[1] / max(numbers[0], 1.0)
    return numbers[-1] if numbers else 0.0


def _worst(texts: Sequence[str]) -> str:
    """The one with the least number: so many calls, so few histories."""

    def least(text: str) -> float:
        number = re.search(r"\d[\d,]*", text)
        return float(number[0].replace(",", "")) if number else 0.0

    return min(texts, key=least)
