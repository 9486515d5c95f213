"""Work in a process of its own: started, waited for, and how it ended said in one sentence.

Toolchains and runtimes print as they like, keep gigabytes, and sometimes crash or never end. In a
child none of that is this process' affair. A module that `ask` can run ends in

    if __name__ == "__main__":
        sys.exit(answer(function_of_a_request))
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from glint_edge.errors import ConversionError, GlintEdgeError
from glint_edge.files import scratch
from glint_edge.processes.native_output import command_line

ANSWER = "answer.json"

Ended: TypeAlias = subprocess.CompletedProcess[str]


def ask(
    module: str,
    request: Mapping[str, Any],
    *,
    what: str,
    seconds: float,
    error: type[GlintEdgeError] = ConversionError,
) -> dict[str, Any]:
    """Run `python -m module` on a request and wait for its answer.

    Args:
        module: calls `answer`.
        request: JSON values.
        what: it does, as the subject of an error's sentence.
        seconds: it may take.
        error: raised if it failed, died, or took too long; one sentence.
    """
    with scratch() as folder:
        done = wait_for(
            [sys.executable, "-m", module],
            what=what, folder=folder, seconds=seconds, error=error,
            stdin=json.dumps({**request, "answer": str(folder / ANSWER)}),
            # A toolchain's own temporary files are gone with the folder.
            variables={**environment(), "TMPDIR": str(folder)},
        )  # fmt: skip
        answer = read_result(done, folder / ANSWER, what=what, error=error)
        if "error" in answer:
            raise error(f"{what} failed: {answer['error']}")
        return answer


def answer(function: Callable[[dict[str, Any]], Mapping[str, Any]]) -> int:
    """In the child: answer the request on stdin; returns the exit code.

    A toolchain's exception is of any type, so all become one line.
    """
    request = json.load(sys.stdin)
    file = Path(request.pop("answer"))
    try:
        with command_line():
            result = dict(function(request))
    except Exception as error:  # see above
        known = isinstance(error, GlintEdgeError)
        first = " ".join(str(error).split())[:300]
        result = {"error": first if known else f"{type(error).__name__}: {first}"}
    file.write_text(json.dumps(result), encoding="utf-8")
    return 2 if "error" in result else 0


def wait_for(
    command: Sequence[str],
    *,
    what: str,
    folder: Path,
    seconds: float,
    error: type[GlintEdgeError],
    stdin: str = "",
    variables: Mapping[str, str] | None = None,
) -> Ended:
    """Run a command in a folder and wait until it has ended; what it prints is kept.

    Args:
        command: the program and its arguments.
        what: it is, as the subject of an error's sentence.
        folder: it works in.
        seconds: it may take.
        error: raised if it takes longer.
        stdin: what it reads.
        variables: its environment; None: this process'.
    """
    try:
        return subprocess.run(
            command,
            input=stdin,
            cwd=folder,
            env=variables,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as late:
        raise error(f"{what} did not end within {seconds:g} s and was stopped") from late


def read_result(
    done: Ended, file: Path, *, what: str, error: type[GlintEdgeError]
) -> dict[str, Any]:
    """The JSON that a process left in a file.

    Args:
        done: the process.
        file: is to be read.
        what: it was, as the subject of an error's sentence.
        error: raised if it died or left nothing; one sentence.
    """
    if done.returncode < 0:
        raise error(how_it_ended(what, done.returncode, done.stderr))
    try:
        result: dict[str, Any] = json.loads(file.read_bytes())
    except (FileNotFoundError, ValueError) as broken:
        raise error(how_it_ended(what, done.returncode, done.stderr)) from broken
    return result


def how_it_ended(what: str, code: int, stderr: str) -> str:
    """Why a process left no result, in one sentence.

    Args:
        what: it was, the subject of the sentence.
        code: as `subprocess` has it, negative for a signal.
        stderr: what it printed.
    """
    if code < 0:
        return f"{what} died with signal {_signal_name(-code)}"
    last = (stderr.strip().splitlines() or ["it printed nothing"])[-1]
    return f"{what} ended with exit code {code} and no result: {last}"


def _signal_name(number: int) -> str:
    """As in "9 (SIGKILL)"."""
    try:
        return f"{number} ({signal.Signals(number).name})"
    except ValueError:
        return str(number)  # a real-time signal has no name


def environment() -> dict[str, str]:
    """A child finds the modules that this process finds, as multiprocessing's spawn has it."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(str(Path(p).resolve()) for p in sys.path)}


def pin(threads: int) -> None:
    """As many CPUs as threads, where the system has them to give; the first serve interrupts."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
