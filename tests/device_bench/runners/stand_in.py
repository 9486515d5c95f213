"""Stands in for the native program where the way to it is tested, and not what it computes.

It obeys the same command line (device_bench/native/src/main.cpp). Its artifact is a JSON file that
says how it should behave. Run by the interpreter that its first line names, see `make_program`.
"""

import argparse
import json
import os
import signal
import struct
import sys
import time
from itertools import pairwise
from pathlib import Path

METHODS = ("append", "recommend", "cold_start_20", "cold_start_50", "cold_start_200")


def make_program(folder):
    """A folder like a built one; returns its path."""
    folder.mkdir(parents=True)
    (folder / "lib").mkdir()
    (folder / "lib" / "libsome.so.1").write_bytes(bytes(100_000))
    program = folder / "glint-runner"
    text = Path(__file__).read_text()
    program.write_text(f"#!{sys.executable}\n{text}")
    program.chmod(0o755)
    return folder


def make_artifact(path, config, **behaviour):
    """An artifact of a model; `behaviour` is what `misbehave` takes."""
    from glint_edge.model.state import state_size

    path.write_text(json.dumps({"state_size": state_size(config), "top_k": 10, **behaviour}))
    return path


def parse():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("artifact", "inputs", "outputs", "result"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("window", "cycle", "threads", "timed", "warmup", "runs", "budget-ms"):
        parser.add_argument(f"--{name}", type=int, required=True)
    return parser.parse_args()


def read_group(file):
    (count,) = struct.unpack("<q", file.read(8))
    offsets = struct.unpack(f"<{count + 1}q", file.read(8 * (count + 1)))
    ids = struct.unpack(f"<{offsets[-1]}q", file.read(8 * offsets[-1]))
    return [ids[start:end] for start, end in pairwise(offsets)]


def misbehave(artifact):
    if "print" in artifact:
        sys.stderr.write(artifact["print"] + "\n")
    if "touch" in artifact:
        Path(artifact["touch"]).write_text(str(os.getpid()))
    if "sleep" in artifact:
        time.sleep(artifact["sleep"])
    if "signal" in artifact:
        os.kill(os.getpid(), signal.Signals[artifact["signal"]])
    if "exit" in artifact:
        sys.exit(artifact["exit"])


def states(histories, size):
    """The last item everywhere, so that a test can tell one history's from another's."""
    for history in histories:
        yield struct.pack(f"<{size}f", *[history[-1] if history else 0] * size)


def lists(histories, window, k):
    """Items: the last of the window and on; scores: falling from the window's length."""
    items, scores = [], []
    for history in histories:
        kept = history[-window:] if window else history
        last = kept[-1] if kept else 1
        items += range(last, last + k)
        scores += [len(kept) - place for place in range(k)]
    return struct.pack(f"<{len(items)}q", *items), struct.pack(f"<{len(scores)}f", *scores)


def main():
    asked = parse()
    artifact = json.loads(asked.artifact.read_text())
    if "error" in artifact:
        asked.result.write_text(json.dumps({"error": artifact["error"]}))
        return 2
    misbehave(artifact)
    with asked.inputs.open("rb") as file:
        sample, golden, histories = (read_group(file) for _ in range(3))
    size, k = artifact["state_size"], artifact["top_k"]
    with asked.outputs.open("wb") as file:
        for _ in range(2):
            file.writelines(states(golden, size))
        for group in (golden, histories):
            file.writelines(lists(group, asked.window, k))
    affinity = sorted(os.sched_getaffinity(0))
    runs = asked.runs if asked.timed else 0
    result = {
        "samples_ns": {name: [1000 + n for n in range(runs)] for name in METHODS if runs},
        "cpu_ns": {name: 1000.0 for name in METHODS if runs},
        "calibration_ns": {name: [20_000] * (runs // 10) for name in METHODS if runs},
        "load_ms": [1.0] * (5 if asked.timed else 1),
        "first_call_us": {"append": 3.0, "recommend": 4.0},
        "peak_memory_bytes": 9_000_000,
        "steady_memory_bytes": 8_000_000,
        "memory_before_load_bytes": 2_000_000,
        "threads": asked.threads,
        "state_size": size,
        "top_k": k,
        "warnings": [f"ran on {affinity}", f"{len(sample)} in the sample", str(Path.cwd())],
    }
    asked.result.write_text(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
