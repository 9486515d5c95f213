"""A tap by the calls that an app makes, with the neighbours and without, beside the artifact's own.

    glint-edge export --target c --quantize int8 --out ml-100k.glint
    python benchmarks/app_tap.py ml-100k.glint --out docs/measured/app-tap.json

`session.append(key)` and `session.top(10)`: keys become ids, what the user took is left out, what
the neighbours say is added, and each item comes with its title, its fields and its reason. In the
C++ module and in the Python runtime, both on the engine; "artifact" is its `append` and `recommend`
alone, from the same language. The three are run session by session in turn, and the two programs
in rounds; a figure is the median of the rounds' medians, on one CPU. Needs glint-edge[native] and a
C++ compiler.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from busy import noting_other_work, write_measured

from device_bench.native.build import cmake
from glint_edge.apps.module import embed, find_platform
from glint_edge.bundles.bundle import Bundle, load_bundle
from glint_edge.runtime import Recommender

SOURCE = Path(__file__).parent / "app_tap"
TAPS = 50  # of a session


def keys_of(bundle: Bundle) -> list[str]:
    """So many items all over the catalogue, each once where there are enough."""
    keys = bundle.catalogue.keys[1:]
    return [keys[n * 7 % len(keys)] for n in range(TAPS)]


def in_cpp(program: Path, bundle: Path, keys: Sequence[str], sessions: int) -> dict[str, float]:
    """The median tap in the C++ module and of the artifact alone, µs."""
    command = [str(program), str(bundle), str(sessions), *keys]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {name: statistics.median(took) / 1e3 for name, took in json.loads(done.stdout).items()}


def in_python(recommender: Recommender, keys: Sequence[str], sessions: int) -> dict[str, float]:
    """The same in the Python runtime."""
    took: dict[str, list[int]] = {"with": [], "without": [], "artifact": []}
    for _ in range(sessions):
        took["with"] += _session(recommender, keys, neighbours=True)
        took["without"] += _session(recommender, keys, neighbours=False)
        took["artifact"] += _artifact(recommender, keys)
    return {name: statistics.median(own) / 1e3 for name, own in took.items()}


def _session(recommender: Recommender, keys: Sequence[str], *, neighbours: bool) -> list[int]:
    session, took = recommender.start(), []
    for key in keys:
        start = time.perf_counter_ns()
        session.append(key)
        session.top(10, neighbours=neighbours)
        took.append(time.perf_counter_ns() - start)
    return took


def _artifact(recommender: Recommender, keys: Sequence[str]) -> list[int]:
    state, took = recommender.empty(), []
    for item in map(recommender.id_of, keys):
        assert item is not None
        start = time.perf_counter_ns()
        state = recommender.step(state, item)
        recommender.ranked(state)
        took.append(time.perf_counter_ns() - start)
    return took


def measure(path: Path, sessions: int, rounds: int) -> dict[str, Any]:
    """A row a library: µs a tap."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    bundle = load_bundle(path)
    keys, recommender = keys_of(bundle), Recommender.load(path, target="c", threads=1)
    with tempfile.TemporaryDirectory() as folder:
        module, program = Path(folder) / "module", Path(folder) / "app-tap"
        embed(bundle, find_platform("cpp"), module, ["c"])
        cmake("loop", SOURCE, program, {"MODULE": str(module)})
        done = [
            {"cpp": in_cpp(program / "app-tap", path, keys, sessions),
             "python": in_python(recommender, keys, sessions)}
            for _ in range(rounds)
        ]  # fmt: skip
    rows = [
        {"library": library, **{f"{name}_us": statistics.median(one[library][name] for one in done)
                                for name in done[0][library]}}
        for library in done[0]
    ]  # fmt: skip
    neighbours = bundle.neighbours.most if bundle.neighbours else 0
    return {"bundle": bundle.name, "items": bundle.config.items, "d": bundle.config.d,
            "neighbours": neighbours, "rows": rows}  # fmt: skip


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """For people."""
    words = ("with_us", "without_us", "artifact_us")
    lines = [f"{'':8}" + "".join(f"{word.removesuffix('_us'):>10}" for word in words)]
    for row in rows:
        lines.append(f"{row['library']:8}" + "".join(f"{row[word]:>8.1f}µs" for word in words))
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle", type=Path, help="with an artifact of the engine")
    parser.add_argument("--sessions", type=int, default=100, help="of each kind, a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path, help="a file for the same, and the machine")
    chosen = parser.parse_args()
    result: dict[str, Any] = {}
    with noting_other_work(result):
        result |= measure(chosen.bundle, chosen.sessions, chosen.rounds)
    write_measured(chosen.out, result)
    print(json.dumps(result) if chosen.json else table(result["rows"]))


if __name__ == "__main__":
    main()
