"""What a runner is asked, and what it brings back. How it gets there is the runner's affair."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from device_bench.measure.sampling import Plan
from glint_edge.bundles.golden import Golden
from glint_edge.config import ModelConfig
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.neighbours import Neighbours

COLD_STARTS = (20, 50, 200)  # items
# Files by which a runner in Python and its worker speak.
INPUTS, OUTPUTS, RESULT, FILTERED = "inputs.npz", "outputs.npz", "result.json", "filtered.json"
SAMPLE = 32  # histories whose states are timed, in turn
# Taps (`append` and `recommend`) of a session longer than its window: the mean over a cycle, from
# one encoding of the last N items to the next, and the tap that encodes them anew.
TAP_BEYOND, TAP_ANEW = "tap_beyond", "tap_anew"

Ids: TypeAlias = npt.NDArray[np.int64]
Times: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Job:
    """One artifact, to be run once.

    Attributes:
        target: an installed target's name, or "torch".
        path: the artifact.
        config: the model's, as a dict.
        top_k: items that `recommend` must return.
        window: items of a history that are replayed, its last; None: all.
        threads: CPU threads of the runtime, and CPUs of the process.
        timed: False runs the histories only.
        plan: how many calls of each method.
        cold_starts: items of the histories that a cold start takes in.
        cycle: taps of a session longer than the window, one of which encodes the window anew; 0:
            such taps are not timed.
    """

    target: str
    path: str
    config: Mapping[str, Any]
    top_k: int
    window: int | None
    threads: int = 1
    timed: bool = True
    plan: Plan = field(default_factory=Plan)
    cold_starts: Sequence[int] = COLD_STARTS
    cycle: int = 0


def taps_a_cycle(window: int | None, config: Mapping[str, Any]) -> int:
    """Of a long session, from one encoding of its last N items to the next; 0: all count.

    As `Session.append` goes about it.
    """
    if window is None:
        return 0
    return ModelConfig.from_dict(dict(config)).most_held - window + 1


@dataclass(frozen=True, eq=False)
class Histories:
    """Many histories as one array: history u is `ids[offsets[u]:offsets[u + 1]]`."""

    ids: Ids
    offsets: Ids

    @classmethod
    def of(cls, histories: Sequence[Sequence[int]]) -> Histories:
        """From lists of item ids."""
        ids = [item for history in histories for item in history]
        ends = np.cumsum([0, *map(len, histories)], dtype=np.int64)
        return cls(np.array(ids, dtype=np.int64), ends)

    @classmethod
    def joined(cls, parts: Sequence[Histories]) -> Histories:
        """One group after the other."""
        lengths = [np.diff(part.offsets) for part in parts]
        ends = np.cumsum(np.concatenate([[0], *lengths]), dtype=np.int64)
        return cls(np.concatenate([np.empty(0, np.int64), *(part.ids for part in parts)]), ends)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, number: int) -> list[int]:
        ids: list[int] = self.ids[self.offsets[number] : self.offsets[number + 1]].tolist()
        return ids

    def spread(self, count: int) -> Ids:
        """Numbers of at most `count` histories, evenly spread."""
        return np.unique(np.linspace(0, len(self) - 1, min(count, len(self))).astype(np.int64))


@dataclass(frozen=True, eq=False)
class Filtered:
    """Golden lists with filters, and what their words are about.

    Attributes:
        golden: has such lists.
        catalogue: keys and fields of the items.
        spare_items: rows of the table that are free; None: as 0.
        neighbours: the expert that some of the lists are made with; None: none is.
    """

    golden: Golden
    catalogue: Catalogue
    spare_items: int | None
    neighbours: Neighbours | None = None

    @property
    def rows(self) -> int:
        """Of the table, padding and the unknown item among them: a bias has so many numbers."""
        return len(self.catalogue.keys) + (self.spare_items or 0) + 1

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "golden": self.golden.to_dict(), "catalogue": self.catalogue.to_dict(),
            "spare_items": self.spare_items,
            "neighbours": b64encode(self.neighbours.to_bytes()).decode() if self.neighbours else "",
        }  # fmt: skip

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Filtered:
        """Inverse of `to_dict`."""
        catalogue = Catalogue.from_dict(values["catalogue"])
        own = b64decode(values["neighbours"])
        neighbours = Neighbours.from_bytes(own) if own else None
        golden = Golden.from_dict(values["golden"])
        return cls(golden, catalogue, values["spare_items"], neighbours)


@dataclass(frozen=True, eq=False)
class Inputs:
    """What an artifact is run on.

    Attributes:
        sample: histories of at least one item, whose states are timed in turn.
        golden: each gets its state, by `append` and by `append_many`, and its list.
        histories: each gets its list.
        filtered: lists that are replayed, where a runner can; None: none.
    """

    sample: Histories
    golden: Histories
    histories: Histories
    filtered: Filtered | None = None

    @classmethod
    def of(cls, golden: Histories, histories: Histories) -> Inputs:
        """With a sample of the histories, or of the golden ones where there are none."""
        source = histories if len(histories) else golden
        some = [history for n in source.spread(SAMPLE) if (history := source[n])]
        return cls(Histories.of(some or [[1]]), golden, histories)

    def timing_only(self) -> Inputs:
        """The sample alone."""
        return Inputs(self.sample, Histories.of([]), Histories.of([]))


@dataclass(frozen=True, eq=False)
class TopK:
    """Lists that `recommend` gave: items int64 [U, k], best first, and scores float32 [U, k]."""

    items: Ids
    scores: npt.NDArray[np.float32]

    def part(self, rows: slice) -> TopK:
        """Of some histories."""
        return TopK(self.items[rows], self.scores[rows])


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcome:
    """What one run brought back.

    Attributes:
        lists: of the histories.
        golden_states: float32 [G, S], after the golden histories, item by item.
        golden_cold_states: the same by `append_many`.
        golden: their lists.
        filtered_failures: what is wrong with the golden lists that have filters, a sentence each.
        samples_ns: nanoseconds a call by method: "append", "recommend", "cold_start_20", …,
            "tap_beyond", "tap_anew"; empty if it was not timed.
        cpu_ns: CPU time a call by method, averaged.
        calibration_ns: of a fixed piece of work, done between the timed calls, by method.
        first_call_us: of a fresh process, by method.
        load_ms: from the file to callable methods, imports not included; a few.
        peak_memory_bytes: of the whole process until it had loaded the artifact and run it;
            None where the system does not tell.
        steady_memory_bytes: of the whole process, after the timed calls.
        memory_before_load_bytes: of the whole process, its runtime imported.
        runtime_memory_bytes: the most that the runtime and the artifact added to the process, what
            its bindings import besides not counted; None where that is not known.
        threads: as the runtime itself counts them.
        instructions: executed a call, by method; where an emulator counts them.
        device: what the device told of itself before and after.
        warnings: what makes the figures less trustworthy, a sentence each.
    """

    lists: TopK
    golden_states: npt.NDArray[np.float32]
    golden_cold_states: npt.NDArray[np.float32]
    golden: TopK
    filtered_failures: tuple[str, ...] = ()
    samples_ns: Mapping[str, Times] = field(default_factory=dict)
    cpu_ns: Mapping[str, float] = field(default_factory=dict)
    calibration_ns: Mapping[str, Times] = field(default_factory=dict)
    first_call_us: Mapping[str, float] = field(default_factory=dict)
    load_ms: tuple[float, ...] = ()
    peak_memory_bytes: int | None = None
    steady_memory_bytes: int | None = None
    memory_before_load_bytes: int | None = None
    runtime_memory_bytes: int | None = None
    threads: int
    instructions: Mapping[str, int] = field(default_factory=dict)
    device: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def by_method(times: Mapping[str, Sequence[float]]) -> dict[str, Times]:
    """Times of JSON as an outcome holds them: `samples_ns`, `calibration_ns`."""
    return {method: np.array(values, np.float64) for method, values in times.items()}
