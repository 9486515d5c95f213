"""pip install, with a line that says what is being done and how long it took the last time.

    .venv/bin/python scripts/install.py EXTRAS

installs this clone with those extras, editable, for the Python that runs it. Needs nothing that is
not there before.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
try:  # it says where a user's cache is, and pip has one of its own
    import platformdirs
except ImportError:
    with suppress(ImportError):
        from pip._vendor import platformdirs

        sys.modules["platformdirs"] = platformdirs

from glint_edge.durations import Durations, spoken  # noqa: E402  # where that path leads

# pip rather than another installer: it takes a CPU build of torch where one is offered. Compiling
# all that is installed takes longer than installing it; Python compiles what is imported, once.
PIP = (
    sys.executable, "-m", "pip", "install", "--no-compile", "--disable-pip-version-check",
    "--progress-bar", "off", "--editable",
)  # fmt: skip
STEP = re.compile(r"\s*((?:Collecting|Downloading|Using cached|Building|Installing) \S+)(.*)")
LARGE = re.compile(r" \((\d{2,}\.\d MB|[\d.]+ GB)\)")  # tens of MB
QUOTED = re.compile("'.*?'")
SLOW = 10.0  # seconds, from which on it is said what came of it


def main(extras: str) -> int:
    """Install; pip's exit code."""
    durations, piece = Durations("install"), f"{extras}{', again' if _is_there() else ''}"
    forecast = durations.forecast([piece])
    expected = f"{spoken(forecast)}, by the last time" if forecast else "some minutes"
    if not _is_there():
        say(f"installing glint-edge[{extras}] into {sys.prefix}: {expected}")
    start = time.monotonic()
    try:
        with durations.timed(piece):
            _install(f"{ROOT}[{extras}]", f" of {spoken(forecast)}" if forecast else "")
    except subprocess.CalledProcessError as error:
        say(error.output)
        return error.returncode
    if (seconds := time.monotonic() - start) > SLOW:
        gigabytes = sum(file.lstat().st_size for file in Path(sys.prefix).rglob("*")) / 1e9
        say(f"installed in {seconds:.0f} s; {sys.prefix} takes {gigabytes:.1f} GB")
    return 0


def _is_there() -> bool:
    with suppress(metadata.PackageNotFoundError):
        return bool(metadata.version("glint-edge"))
    return False


def _install(what: str, beside: str) -> None:
    """Run pip under a line that moves; without a terminal, with a line a large download.

    Raises:
        CalledProcessError: pip failed; its output is what pip said.
    """
    start, moves, step = time.monotonic(), sys.stderr.isatty(), "asking pip's index"
    said = []
    for line in _lines([*PIP, what]):
        said.append(line)
        if match := STEP.match(line):
            size = LARGE.search(match[2])
            step = match[1] + (size[0] if size else "")
            if size and not moves:
                say(step)
        if moves:
            text = f"{time.monotonic() - start:.0f} s{beside}: {step}"
            _write(f"\r\033[K{text[:78]}")
    if moves:
        _write("\r\033[K")
    warnings = [line for line in said if line.startswith("WARNING")]
    # One of a kind: pip warns of a place once a package.
    for line in {QUOTED.sub("", line): line for line in reversed(warnings)}.values():
        say(line)


def _lines(command: list[str]) -> Iterator[str]:
    """What a program says, a line at a time; an empty one a second while it says nothing.

    Raises:
        CalledProcessError: it failed; its output is the end of what it said.
    """
    lines: Queue[str | None] = Queue()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as program:
        assert program.stdout is not None
        output = program.stdout

        def read() -> None:
            for line in output:
                lines.put(line.rstrip())
            lines.put(None)

        Thread(target=read, daemon=True).start()
        said = []
        while True:
            try:
                line = lines.get(timeout=1)
            except Empty:
                yield ""
                continue
            if line is None:
                break
            said.append(line)
            yield line
    if program.returncode:
        end = "\n".join(said[-20:])
        raise subprocess.CalledProcessError(program.returncode, command, end)


def say(line: str) -> None:
    """A line for people."""
    _write(line + "\n")


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
