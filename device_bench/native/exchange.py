"""The files between this package and the native program; all little endian.

    inputs.bin    three groups of histories: the sample that is timed, golden, all that want lists;
                  a group is int64 n, int64 offsets[n + 1], int64 ids[offsets[n]]
    outputs.bin   golden_states f32 [G, S]        after each golden history, item by item
                  golden_cold_states f32 [G, S]   the same by `append_many`
                  golden_items i64 [G, k], golden_scores f32 [G, k]
                  items i64 [U, k], scores f32 [U, k]
    result.json   samples_ns: times of single calls, by "append", "recommend", "cold_start_20", …,
                  "tap_beyond" (the mean over a cycle of taps), "tap_anew";
                  cpu_ns: CPU time a call, averaged;
                  calibration_ns: of fixed products of matrices, before every tenth of those;
                  load_ms; first_call_us; memory; threads; state_size; top_k; warnings;
                  or {"error": one line}

A state's size S and k are what the program read from the artifact itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from device_bench.measure.job import Histories, Outcome, TopK, by_method
from glint_edge.errors import RunnerError
from glint_edge.json_files import Fault, parse

INPUTS, OUTPUTS, RESULT = "inputs.bin", "outputs.bin", "result.json"


@dataclass(frozen=True, eq=False, kw_only=True)
class NativeResult(Outcome):
    """What the native program brought back.

    Attributes:
        counted: methods that were called between marks, in the order of the marks.
    """

    counted: tuple[str, ...] = ()


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
    try:
        size, k = result.pop("state_size"), result.pop("top_k")
        measured = _measured(result)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise RunnerError(f"the runner's {RESULT} is of another version ({error})") from error
    if not (type(size) is type(k) is int and size >= 0 and k >= 0):
        raise RunnerError(f"the runner's {RESULT} is truncated or damaged")
    layout = [
        ("golden_states", "<f4", golden, size), ("golden_cold_states", "<f4", golden, size),
        ("golden_items", "<i8", golden, k), ("golden_scores", "<f4", golden, k),
        ("items", "<i8", histories, k), ("scores", "<f4", histories, k),
    ]  # fmt: skip
    arrays = _arrays(folder / OUTPUTS, layout)
    return NativeResult(
        lists=TopK(arrays["items"], arrays["scores"]),
        golden_states=arrays["golden_states"],
        golden_cold_states=arrays["golden_cold_states"],
        golden=TopK(arrays["golden_items"], arrays["golden_scores"]),
        **measured,
    )


def _result(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8", errors="replace")  # of an error, a path may be in it
        result = parse(text.encode())
    except FileNotFoundError as error:
        raise RunnerError(f"the runner wrote no {path.name}") from error
    except Fault as error:
        raise RunnerError(f"the runner's {path.name} is truncated or damaged") from error
    if not isinstance(result, dict):
        raise RunnerError(f"the runner's {path.name} is truncated or damaged")
    if "error" in result:
        raise RunnerError(str(result["error"]))
    return result


def _measured(result: dict[str, Any]) -> dict[str, Any]:
    """Fields of an outcome.

    Raises:
        KeyError, TypeError, AttributeError: there are others.
    """
    names = {field.name for field in fields(NativeResult)}
    if unknown := set(result) - names:
        raise KeyError(", ".join(sorted(unknown)))
    return {
        **result,
        # The program is nothing but the runtime.
        "runtime_memory_bytes": result["peak_memory_bytes"],
        "threads": result["threads"],
        "samples_ns": by_method(result["samples_ns"]),
        "calibration_ns": by_method(result["calibration_ns"]),
        "load_ms": tuple(result["load_ms"]),
        "warnings": tuple(result["warnings"]),
        "counted": tuple(result.get("counted", ())),
    }


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
