"""The files between this package and the native program; all little endian.

    inputs.bin    three groups of histories: the sample that is timed, golden, all that want lists;
                  a group is int64 n, int64 offsets[n + 1], int64 ids[offsets[n]]
    outputs.bin   golden_states f32 [G, S]        after each golden history, item by item
                  golden_cold_states f32 [G, S]   the same by `append_many`
                  golden_items i64 [G, k], golden_scores f32 [G, k]
                  items i64 [U, k], scores f32 [U, k]
    result.json   samples_ns: times of single calls, by "append", "recommend", "cold_start_20", …;
                  calibration_ns: of a fixed integer loop, after every tenth timed call;
                  load_ms; first_call_us; memory; threads; state_size; top_k; warnings;
                  or {"error": one line}

A state's size S and k are what the program read from the artifact itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from device_bench.job import Histories, TopK
from glint_edge.errors import RunnerError

INPUTS, OUTPUTS, RESULT = "inputs.bin", "outputs.bin", "result.json"

States: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class NativeResult:
    """What the native program brought back.

    Attributes:
        lists: of the histories.
        golden_states: float32 [G, S], after the golden histories, item by item.
        golden_cold_states: the same by `append_many`.
        golden: their lists.
        samples_ns: times of single calls, in the order of the calls, by what was called; empty if
            nothing was timed.
        calibration_ns: times of a fixed loop of integers, spread over the timed calls.
        load_ms: of each load, from the file to callable methods.
        first_call_us: of `append` and `recommend`, right after loading.
        peak_memory_bytes: of the whole process until it had run what is timed; None where the
            system does not tell, here and below.
        steady_memory_bytes: at that point.
        memory_before_load_bytes: before the first load.
        threads: as the runtime itself counts them.
        warnings: what may have disturbed the times, a sentence each.
    """

    lists: TopK
    golden_states: States
    golden_cold_states: States
    golden: TopK
    samples_ns: Mapping[str, Sequence[int]]
    calibration_ns: Sequence[int]
    load_ms: Sequence[float]
    first_call_us: Mapping[str, float]
    peak_memory_bytes: int | None
    steady_memory_bytes: int | None
    memory_before_load_bytes: int | None
    threads: int
    warnings: Sequence[str]


def write_inputs(path: Path, sample: Histories, golden: Histories, histories: Histories) -> None:
    """Write what a run is about.

    Args:
        path: the file.
        sample: timed, in turn; each holds an item.
        golden: each gets its states and list.
        histories: each gets its list.
    """
    with path.open("wb") as file:
        for group in (sample, golden, histories):
            for values in ([len(group)], group.offsets, group.ids):
                file.write(np.asarray(values, dtype="<i8").tobytes())


def read_result(folder: Path, golden: int, histories: int) -> NativeResult:
    """Read what a run wrote.

    Args:
        folder: with result.json and outputs.bin.
        golden: how many golden histories it was given.
        histories: how many others.

    Raises:
        RunnerError: it ended with an error, or a file is missing or not whole; one sentence.
    """
    result = _result(folder / RESULT)
    size, k = int(result.pop("state_size")), int(result.pop("top_k"))
    layout = [
        ("golden_states", "<f4", golden, size), ("golden_cold_states", "<f4", golden, size),
        ("golden_items", "<i8", golden, k), ("golden_scores", "<f4", golden, k),
        ("items", "<i8", histories, k), ("scores", "<f4", histories, k),
    ]  # fmt: skip
    arrays = _arrays(folder / OUTPUTS, layout)
    try:
        return NativeResult(
            lists=TopK(arrays.pop("items"), arrays.pop("scores")),
            golden=TopK(arrays.pop("golden_items"), arrays.pop("golden_scores")),
            **arrays,
            **result,
        )
    except TypeError as error:
        raise RunnerError(f"the runner's {RESULT} is of another version ({error})") from error


def _result(path: Path) -> dict[str, Any]:
    try:
        result: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise RunnerError(f"the runner wrote no {path.name}") from error
    except ValueError as error:
        raise RunnerError(f"the runner's {path.name} is truncated or damaged") from error
    if "error" in result:
        raise RunnerError(result["error"])
    return result


def _arrays(path: Path, layout: Sequence[tuple[str, str, int, int]]) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise RunnerError(f"the runner wrote no {path.name}") from error
    expected = sum(rows * columns * np.dtype(kind).itemsize for _, kind, rows, columns in layout)
    if len(data) != expected:
        raise RunnerError(
            f"the runner's {path.name} has {len(data):,} bytes, not {expected:,}; "
            "it was truncated, or its disk is full"
        )
    arrays, start = {}, 0
    for name, kind, rows, columns in layout:
        flat = np.frombuffer(data, kind, rows * columns, start)
        arrays[name] = flat.reshape(rows, columns).astype(np.dtype(kind).newbyteorder("="))
        start += flat.nbytes
    return arrays
