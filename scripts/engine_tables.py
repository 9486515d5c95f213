"""Tables of what the engine's benchmarks measured; `docs_tables.py` puts them into the docs.

Each takes the path of a file that `benchmarks/engine.py`, `web.py` or `instructions.py` wrote, and
gives a head and lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from device_bench.judge.recorded import microseconds

Lines: TypeAlias = tuple[list[str], list[list[str]]]
Row: TypeAlias = Mapping[str, Any]

NONE, NOT_YET, NOT_STATED = "–", "not measured yet", "not stated"
NAMES = {
    "c": "the engine", "executorch": "ExecuTorch", "onnx": "ONNX Runtime", "tflite": "LiteRT",
    "stock fp32": "the stock export, fp32",
}  # fmt: skip
WEB_NAMES = {"c": "the engine", "onnx": "onnxruntime-web", "tflite": "LiteRT.js"}
LOOP, ENGINE = "loop, ", "c"
# What an app on a phone takes along beside the engine, of which nothing can be had here.
PACKAGES = {
    "Android": ("the `executorch-android` AAR", "the `onnxruntime-android` AAR", "the LiteRT AAR"),
    "iOS": ("ExecuTorch's Swift package", "ONNX Runtime's xcframework", "LiteRT's xcframework"),
}


def rows_of(path: Path) -> list[Row]:
    """A file's; none, where it was not written yet."""
    if not path.is_file():
        return []
    document = json.loads(path.read_text("utf-8"))
    rows: list[Row] = document if isinstance(document, list) else document["rows"]
    return rows


def taps(path: Path) -> Lines:
    """A line a runtime or set of kernels, µs by shape."""
    rows = rows_of(path)
    shapes = list(dict.fromkeys((row["d"], row["items"]) for row in rows))
    columns = [(shape, name) for shape in shapes for name in ("append", "recommend", "tap")]
    columns.append((shapes[-1], "cold_start"))
    of = {(_line(row), (row["d"], row["items"])): row for row in rows}
    head = ["µs", *(_heading(name, shape) for shape, name in columns)]
    lines = [
        [line, *(_cell(of.get((line, shape)), name) for shape, name in columns)]
        for line in dict.fromkeys(map(_line, rows))
    ]
    return head, lines


def cold(path: Path) -> Lines:
    """A first start with 200 items, and its share of the stock export's time."""
    rows = rows_of(path)
    whole = rows[-1]["us"]["cold_start"]["median"]
    return ["a first start with 200 items", "µs", "of the stock export's"], [
        [_line(row), _cell(row, "cold_start"), f"{row['us']['cold_start']['median'] / whole:.2f}"]
        for row in rows
    ]


def million(path: Path) -> Lines:
    """Taps of a large catalogue, beside one reading of its table."""
    lines = []
    for row in rows_of(path):
        times = row["us"]["recommend"]["median"] / row["us"]["read"]["median"]
        cells = (_cell(row, name) for name in ("append", "recommend", "read"))
        size = f"{row['memory']['table'] / 1e6:.1f} MB"
        lines.append([_line(row), f"{row['items']:,}", size, *cells, f"{times:.2f}"])
    head = ["µs, d 64", "items", "table", "append", "recommend", "reading the table", "times"]
    return head, lines


def memory(path: Path) -> Lines:
    """What a process has resident, and what of it is neither file, workspace nor states."""
    names = ("peak", "mapped", "workspace", "states")
    lines = []
    for row in rows_of(path):
        peak, *parts = (row["memory"][name] for name in names)
        cells = [f"{size / 1e3:,.0f}" for size in (peak, *parts, peak - sum(parts))]
        lines.append([f"d {row['d']}, {row['items']:,} items", *cells])
    head = ["kB", "the process", "the file, mapped", "workspace", "nine states", "all else"]
    return head, lines


def growth(path: Path) -> Lines:
    """Bytes that an app grows by and µs a tap, by platform and runtime.

    Args:
        path: `engine-size.json`; the taps are of the files beside it.
    """
    sizes = {(row["platform"], row["target"]): row for row in rows_of(path)}
    here = next(iter(sizes))[0]  # the first row is this machine's engine
    lines = [
        [place, NAMES[target], *_bytes(row), _tap_of(path, target) if place == here else NOT_STATED]
        for (place, target), row in sizes.items()
    ]
    for platform, others in PACKAGES.items():
        for package in others:
            lines.append([platform, package, NOT_STATED, NOT_STATED, NOT_STATED])
    lines += _web_growth(rows_of(path.with_name("web.json")))
    return ["platform", "runtime", "bytes", "compressed", "µs a tap, d 64"], lines


def _web_growth(rows: Sequence[Row]) -> list[list[str]]:
    if not rows:
        return [["a web page", name, *[NOT_YET] * 3] for name in WEB_NAMES.values()]
    return [
        ["a web page, Chromium", WEB_NAMES[row["target"]], NONE, _kilobytes(row["gzip"]["runtime"]),
         _cell(row, "tap")]
        for row in rows
    ]  # fmt: skip


def _tap_of(size: Path, target: str) -> str:
    """On the native runner; of the engine, in its loop with the fastest kernels."""
    rows = rows_of(size.with_name("engine-tap.json"))
    own = [row for row in rows if row["target"] == target and row["d"] == rows[0]["d"]]
    return _cell(own[0], "tap") if own else NOT_YET


def web_bytes(path: Path) -> Lines:
    """What a first visit brings, compressed."""
    rows = rows_of(path)
    parts = {"runtime": "runtime", "page": "page, library, styles", "model": "artifact",
             "bundle": "what else the bundle has"}  # fmt: skip
    lines = [[name, *(_kilobytes(row["gzip"][part]) for row in rows)]
             for part, name in parts.items()]  # fmt: skip
    lines.append(["all", *(_kilobytes(sum(row["gzip"].values())) for row in rows)])
    return ["gzip", *(WEB_NAMES[row["target"]] for row in rows)], lines


def web_times(path: Path) -> Lines:
    """Taps, and how long a first visit takes on a slow network."""
    rows = rows_of(path)
    calls = {"append": "`append`", "recommend": "`recommend`", "tap": "a tap: both",
             "session": "a tap by `session.append` and `session.top(10)`, without neighbours",
             "neighbours": "the same, with the neighbours"}  # fmt: skip
    lines = [[f"{words}, µs", *(_cell(row, name) for row in rows)] for name, words in calls.items()]
    ways = {"devtools": "slowed down by DevTools", "link": "one link for page and service worker"}
    for what, words in (("cards", "the popular items"), ("list", "the model's list")):
        for way, how in ways.items():
            cells = (f"{row['seconds'][way][what]['median']:.2f}" for row in rows)
            lines.append([f"{words}, {how}, s", *cells])
    return ["", *(WEB_NAMES[row["target"]] for row in rows)], lines


def instructions(path: Path) -> Lines:
    """Thousands of instructions a call, by target, precision and core."""
    rows = rows_of(path)
    heads = {"append": "append", "recommend": "recommend", "cold_start_20": "cold start, 20 items",
             "cold_start_50": "50", "cold_start_200": "200"}  # fmt: skip
    return ["", "core", *heads.values()], [
        [f"{NAMES[row['target']]} {row['precision']}", row["core"],
         *(f"{row['instructions'][name] / 1e3:,.0f}" for name in heads)]
        for row in rows
    ]  # fmt: skip


def _line(row: Row) -> str:
    how = row["how"]
    return f"{NAMES[row['target']]}, {how.removeprefix(LOOP)}{' in a loop' * how.startswith(LOOP)}"


def _heading(name: str, shape: Iterable[int]) -> str:
    d, items = shape
    words = "cold start of 200" if name == "cold_start" else name
    return f"{words}, d {d}" if name != "append" else f"append, d {d}, {items:,} items"


def _cell(row: Row | None, name: str) -> str:
    """A median and the ends of its interval."""
    own = row and row["us"].get(name)
    if not own:
        return NONE
    low, high = (microseconds(own[end], own["median"]) for end in ("low", "high"))
    return f"{microseconds(own['median'])} ({low}–{high})"


def _bytes(row: Row) -> list[str]:
    return [_kilobytes(row["bytes"]), _kilobytes(row["gzip"])]


def _kilobytes(size: float) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.0f} kB"


KINDS = {
    "engine-taps": taps, "engine-cold": cold, "engine-million": million, "engine-memory": memory,
    "growth": growth, "web-bytes": web_bytes, "web-times": web_times, "instructions": instructions,
}  # fmt: skip
