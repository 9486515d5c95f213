"""Reading a generated CSV: how long `load_log` takes, and how much memory, beside polars alone.

    python benchmarks/reading.py
    python benchmarks/reading.py --rows 1000000 --times seconds --json

The log is a shop's: customers and SKUs as text, ISO times (or seconds since 1970), rows in order of
time. "polars" parses the three columns and sorts them by user and time; `load_log` does all that it
does. Each runs in a process of its own, in turns; the median and the highest peak are shown. The
memory of the columns is that of the rows that polars parsed.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

MOST_TIME, MOST_MEMORY = 1.5, 3.0  # of what polars takes, and of the columns that are kept


def generate(path: Path, rows: int, times: str) -> None:
    """Write a log of a tenth as many users as rows, and a hundredth as many items."""
    rng = np.random.default_rng(0)
    items = max(10, rows // 100)
    moment = pl.Series(1_700_000_000 + np.sort(rng.integers(0, 30_000_000, rows)))
    frame = pl.DataFrame(
        {
            "customer_id": pl.Series(rng.integers(0, max(1, rows // 10), rows)),
            "sku": pl.Series(np.minimum(rng.exponential(items / 6, rows), items - 1).astype(int)),
            "event_time": moment,
        }
    ).with_columns(
        customer_id="C" + pl.col("customer_id").cast(pl.String).str.zfill(8),
        sku="SKU-" + pl.col("sku").cast(pl.String).str.zfill(6),
    )
    if times == "iso":
        frame = frame.with_columns(
            event_time=pl.from_epoch("event_time").dt.strftime("%Y-%m-%d %H:%M:%S")
        )
    frame.write_csv(path)


def alone(path: Path) -> dict[str, Any]:
    """Parse and sort by polars."""
    rows = pl.read_csv(path, try_parse_dates=True)
    return {"columns_bytes": _bytes_of(rows), "rows": len(rows.sort("customer_id", "event_time"))}


def _bytes_of(rows: pl.DataFrame) -> int:
    """What its columns hold: 8 bytes a time; 16 a text, and those of texts longer than 12."""
    sizes = [
        16 * len(column) + int((long := column.str.len_bytes()).filter(long > 12).sum())
        if column.dtype == pl.String
        else column.estimated_size()
        for column in rows
    ]
    return sum(map(int, sizes))


def whole(path: Path) -> dict[str, Any]:
    """Read as `train` does."""
    from glint_edge.data.log import load_log

    return dict(load_log(path).source.summary)


STEPS = {"polars": alone, "load_log": whole}


def measured(step: str, path: Path) -> dict[str, Any]:
    """A step in a process of its own: its result, seconds and bytes."""
    done = subprocess.run(
        [sys.executable, __file__, "--step", step, "--path", str(path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _in_child(step: str, path: Path) -> None:
    pl.thread_pool_size()  # what importing costs is no reading
    at_first = _peak()
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    result = STEPS[step](path)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    more = _peak() - at_first
    print(json.dumps({**result, "seconds": seconds, "cpu_seconds": cpu, "bytes": more}))


def _peak() -> int:
    """The most memory that this process had; `getrusage` counts that of its parent, too."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def compare(path: Path, repeats: int) -> dict[str, Any]:
    """Both in turns: medians, and how they compare."""
    runs: dict[str, list[dict[str, Any]]] = {step: [] for step in STEPS}
    for _ in range(repeats):
        for step, done in runs.items():
            done.append(measured(step, path))
    result: dict[str, Any] = {
        step: {
            "seconds": statistics.median(run["seconds"] for run in done),
            "cpu_seconds": statistics.median(run["cpu_seconds"] for run in done),
            "bytes": max(run["bytes"] for run in done),
        }
        for step, done in runs.items()
    }
    columns = runs["polars"][0]["columns_bytes"]
    return {
        **result,
        "columns_bytes": columns,
        "times": result["load_log"]["seconds"] / result["polars"]["seconds"],
        "cpu_times": result["load_log"]["cpu_seconds"] / result["polars"]["cpu_seconds"],
        "memory_of_columns": result["load_log"]["bytes"] / columns,
    }


def main() -> None:
    """Parse, generate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--times", choices=("iso", "seconds"), default="iso")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--step", choices=tuple(STEPS), help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.step:
        _in_child(chosen.step, chosen.path)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "taps.csv"
        generate(path, chosen.rows, chosen.times)
        result = {"rows": chosen.rows, "times_as": chosen.times, **compare(path, chosen.repeats)}
    if chosen.json:
        print(json.dumps(result))
        return
    print(f"{chosen.rows:,} rows, times in {chosen.times}; the columns have "
          f"{result['columns_bytes'] / 1e6:,.0f} MB")  # fmt: skip
    for step in STEPS:
        one = result[step]
        print(f"{step:9} {one['seconds']:6.1f} s {one['cpu_seconds']:6.1f} s of CPUs "
              f"{one['bytes'] / 1e6:7,.0f} MB")  # fmt: skip
    print(f"{result['times']:.2f} times as long (to be {MOST_TIME} at most), "
          f"{result['memory_of_columns']:.2f} times the columns' memory (to be {MOST_MEMORY})"
    )  # fmt: skip


if __name__ == "__main__":
    main()
