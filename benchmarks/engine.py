"""The engine beside the other three runtimes: a tap, a cold start, a million items, memory, bytes.

    python benchmarks/engine.py --files files --convert
    python benchmarks/engine.py --files files --out docs/measured
    python scripts/docs_tables.py

int8, one thread, in processes of their own, in turn (A B C A B C); a figure is the median of all
calls, between the ends of a 95 % interval over the processes. A line is the native runner on a
target (`device_bench`, as `bench --runner native` has it), the engine with one set of kernels in a
loop of its own (`engine_loop/loop.c`: the state in place, blocks of calls), or the stock export:
fp32, the batch form, in ONNX Runtime from Python. Weights are random and seeded: times do not
depend on them. `--part` chooses; each is a file of `--out`, whose `busy` says that other work ran.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from busy import noting_other_work
from cold_start import installed
from engine_lines import ENGINE, Bench, Line, Row, Shape
from kept_stdout import kept_stdout

from device_bench.measure.machine import machine
from device_bench.measure.sampling import Plan
from device_bench.native.build import build as build_runner
from device_bench.native.cross import build_aarch64, packages_of
from glint_edge.engine.library import build, compiler

KERNELS = ("avx512-vnni", "avx-vnni", "avx2", "neon-dot", "neon", "portable")
SMALL, WIDE, MILLION = Shape(64, 1_683, 50), Shape(128, 3_417, 200), Shape(64, 1_000_000, 200)
FOR_ARM = "aarch64-linux-gnu-gcc"
HERE, ARM, MACOS = f"{platform.system()} {platform.machine()}", "Linux aarch64", "macOS arm64"


def tap(bench: Bench) -> list[Line]:
    """Taps at two shapes: the engine's sets of kernels, four runtimes and the stock export."""
    return [
        line
        for shape in (SMALL, WIDE)
        for line in (
            *bench.kernels(shape, KERNELS),
            *(bench.runner(target, shape) for target in bench.targets),
            *([bench.stock_line(shape)] if shape == WIDE else []),
        )
    ]


def cold(bench: Bench) -> list[Line]:
    """A first start with 200 items."""
    return [bench.runner(ENGINE, WIDE), *bench.kernels(WIDE, ["best"]), bench.stock_line(WIDE)]


def million(bench: Bench) -> list[Line]:
    """A million items, beside reading the table."""
    return bench.kernels(MILLION, ["best"])


def memory(bench: Bench) -> list[Line]:
    """The loop's processes: what lies beside the mapped file, the workspace and the states."""
    return [line for shape in (SMALL, WIDE) for line in bench.kernels(shape, ["best"])]


def sizes(bench: Bench) -> list[Row]:
    """Bytes of each runtime as a program takes it along: stripped, and compressed."""
    rows = []
    for name, command in compilers().items():
        library = bench.work / "engine.so"
        with environment_of(command):
            build(library)
        rows.append(size_of(ENGINE, name, [library]))
    for target in bench.targets:
        if target != ENGINE:
            libraries = sorted((build_runner(target) / "lib").iterdir())
            rows.append(size_of(target, HERE, libraries))
            if packages_of(target).is_dir():
                own = {file.name for file in libraries}
                arm = sorted((build_aarch64(target) / "lib").iterdir())
                rows.append(size_of(target, ARM, [file for file in arm if file.name in own]))
    return rows


def compilers() -> dict[str, str]:
    """By platform, a command that makes the engine's library for it, as $CC has one."""
    commands = {HERE: f"{shlex.join(compiler())} -s"}
    if shutil.which(FOR_ARM):
        commands[ARM] = f"{FOR_ARM} -s"
    if find_spec("ziglang"):
        commands[MACOS] = f"{sys.executable} -m ziglang cc -s -target aarch64-macos"
    return commands


@contextmanager
def environment_of(command: str) -> Iterator[None]:
    """With another C compiler."""
    before = os.environ.get("CC")
    os.environ["CC"] = command
    yield
    del os.environ["CC"]
    if before is not None:
        os.environ["CC"] = before


def size_of(target: str, platform: str, files: Sequence[Path]) -> Row:
    """A row of `sizes`."""
    data = [file.read_bytes() for file in files]
    packed = sum(len(gzip.compress(each, 6)) for each in data)
    return {"target": target, "platform": platform, "bytes": sum(map(len, data)), "gzip": packed}


LINES: Mapping[str, Callable[[Bench], list[Line]]] = {
    "tap": tap, "cold": cold, "million": million, "memory": memory,
}  # fmt: skip
PARTS = (*LINES, "size")


def measure(bench: Bench, part: str) -> Row:
    """A part's rows, and whether other work ran meanwhile."""
    result: Row = {"machine": machine()}
    if part == "size":
        return {**result, "rows": sizes(bench)}
    lines, every = LINES[part](bench), os.sched_getaffinity(0)
    with noting_other_work(result):
        os.sched_setaffinity(0, {max(every)})  # as the native runner itself does
        for number in range(bench.rounds):
            for line in lines:
                print(f"{part}, round {number + 1}: {line.names}", file=sys.stderr)
                line.rounds.append(line.run())
        os.sched_setaffinity(0, every)
    return {**result, "rounds": bench.rounds, "rows": [line.row() for line in lines]}


def convert(bench: Bench, parts: Sequence[str]) -> None:
    """Make what the parts take, two at a time; nothing is timed beside it."""
    shapes = {"tap": (SMALL, WIDE), "memory": (SMALL, WIDE), "cold": (WIDE,), "million": (MILLION,)}
    wanted = {
        (target, shape)
        for part in parts
        for shape in shapes.get(part, ())
        for target in (bench.targets if part == "tap" else (ENGINE,))
    }
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda one: bench.artifact(*one), sorted(wanted)))
    if {"tap", "cold"} & set(parts):
        bench.stock(WIDE)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--files", type=Path, help="a folder that keeps the artifacts")
    parser.add_argument("--convert", action="store_true", help="only make the artifacts")
    parser.add_argument("--target", nargs="+", default=installed(), help="on the native runner")
    parser.add_argument("--rounds", type=int, default=7, help="processes of each line")
    parser.add_argument("--milliseconds", type=int, default=300, help="of each method, a process")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--out", type=Path, help="a folder for the same, a file a part")
    arguments = parser.parse_args()
    result: dict[str, Row] = {}
    with tempfile.TemporaryDirectory() as work:
        files = (arguments.files or Path(work) / "files").resolve()
        files.mkdir(parents=True, exist_ok=True)
        plan = Plan(budget_ms=arguments.milliseconds)
        bench = Bench(files, Path(work), arguments.target, arguments.rounds, plan)
        with kept_stdout():
            convert(bench, arguments.part)
            for part in () if arguments.convert else arguments.part:
                result[part] = measure(bench, part)
                if arguments.out:
                    text = json.dumps(result[part], indent=1) + "\n"
                    arguments.out.mkdir(parents=True, exist_ok=True)
                    (arguments.out / f"engine-{part}.json").write_text(text)
    if arguments.json:
        print(json.dumps(result))
        return
    for part in result.values():
        for row in part["rows"]:
            figures = {method: round(own["median"], 2) for method, own in row.get("us", {}).items()}
            print({**row, "us": figures} if figures else row)


if __name__ == "__main__":
    main()
