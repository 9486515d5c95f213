"""Work in a process of its own: asked on stdin, answered in a file, ended when it takes too long.

Toolchains print as they like, keep gigabytes, and sometimes crash or never end. In a child none of
that is this process' affair. What a child runs is a module that ends in

    if __name__ == "__main__":
        sys.exit(answer(function_of_a_request))
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from glint_edge.errors import ConversionError, GlintEdgeError

ANSWER = "answer.json"


def ask(module: str, request: Mapping[str, Any], *, what: str, seconds: float) -> dict[str, Any]:
    """Run `python -m module` on a request and wait for its answer.

    Args:
        module: calls `answer`.
        request: JSON values.
        what: it does, as the subject of an error's sentence.
        seconds: it may take.

    Raises:
        ConversionError: it failed, died, or took too long; one sentence.
    """
    with tempfile.TemporaryDirectory(prefix="glint-edge-") as name:
        folder = Path(name)
        try:
            done = subprocess.run(
                [sys.executable, "-m", module],
                input=json.dumps({**request, "answer": str(folder / ANSWER)}),
                cwd=folder,
                env=environment(),
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired as error:
            raise ConversionError(f"{what} did not end within {seconds:g} s") from error
        return _answer_of(done, folder / ANSWER, what)


def _answer_of(done: subprocess.CompletedProcess[str], file: Path, what: str) -> dict[str, Any]:
    if done.returncode < 0:
        raise ConversionError(f"{what} died with signal {signal_name(-done.returncode)}")
    try:
        found: dict[str, Any] = json.loads(file.read_bytes())
    except (FileNotFoundError, ValueError) as error:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise ConversionError(
            f"{what} ended with exit code {done.returncode} and no answer: {last}"
        ) from error
    if "error" in found:
        raise ConversionError(f"{what} failed: {found['error']}")
    return found


def answer(function: Callable[[dict[str, Any]], Mapping[str, Any]]) -> int:
    """In the child: answer the request on stdin; returns the exit code.

    A toolchain's exception is of any type, so all become one line.
    """
    request = json.load(sys.stdin)
    file = Path(request.pop("answer"))
    try:
        found = dict(function(request))
    except Exception as error:  # see above
        known = isinstance(error, GlintEdgeError)
        first = " ".join(str(error).split())[:300]
        found = {"error": first if known else f"{type(error).__name__}: {first}"}
    file.write_text(json.dumps(found))
    return 2 if "error" in found else 0


def environment() -> dict[str, str]:
    """A child finds the modules that this process finds, as multiprocessing's spawn has it."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(str(Path(p).resolve()) for p in sys.path)}


def signal_name(number: int) -> str:
    """As in "9 (SIGKILL)"."""
    try:
        return f"{number} ({signal.Signals(number).name})"
    except ValueError:
        return str(number)  # a real-time signal has no name
