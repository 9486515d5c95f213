"""Scripts for the shell of another machine, through a client program such as `ssh`.

A client's exit code may be its own or the script's, and what it prints may begin with a greeting.
So every script says where it begins and how it ended; one that does not say so was cut off.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BEGAN, ENDED = b"glint-edge-began\n", b"\nglint-edge-ended:"


@dataclass(frozen=True)
class Ended:
    """How a script ended.

    Attributes:
        code: its exit code, as a shell has it: 128 + n for signal n.
        output: what it printed to stdout and stderr.
    """

    code: int
    output: bytes

    @property
    def text(self) -> str:
        """The output as text, without spaces around."""
        return self.output.decode(errors="replace").strip()

    @property
    def last_line(self) -> str:
        """Of the output; programs tell there what went wrong."""
        return last_line(self.text)


@dataclass(frozen=True)
class CutOff(Exception):
    """The client ended, and the script had not.

    Attributes:
        began: the script had begun.
        code: the client's exit code; None: it was stopped, having taken too long.
        complaint: what the client printed to stderr.
    """

    began: bool
    code: int | None
    complaint: str


def wrapped(script: str) -> str:
    """The script, saying where it begins and how it ended."""
    began, ended = BEGAN.decode().strip(), ENDED.decode().strip()
    return f"echo {began}; (\n{script}\n) 2>&1; printf '\\n{ended}%d\\n' $?"


def run_script(
    client: Sequence[str],
    *,
    timeout: float,
    stdin: bytes | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run a client program whose last argument is a wrapped script.

    Args:
        client: the program and its arguments.
        timeout: seconds.
        stdin: what the script reads; None: nothing, but its stdin stays open until the end or until
            the connection breaks, by which a script can tell that nobody waits for it any more.
        environment: of the client, beside this process' own.

    Raises:
        CutOff: the script did not come to its end.
    """
    reads, writes = os.pipe()
    try:
        done = subprocess.run(
            client,
            stdin=reads if stdin is None else None,
            input=stdin,
            capture_output=True,
            env={**os.environ, "LC_ALL": "C", **(environment or {})},
            check=False,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        began = BEGAN in (error.stdout or b"")
        raise CutOff(began, None, f"no answer within {timeout:.0f} seconds") from error
    finally:
        os.close(reads)
        os.close(writes)
    _, mark, rest = done.stdout.partition(BEGAN)
    output, end, code = rest.rpartition(ENDED)
    if not end or not code.strip().isdigit():
        complaint = done.stderr.decode(errors="replace").strip()
        raise CutOff(bool(mark), done.returncode, complaint)
    return Ended(int(code), output)


def last_line(text: str) -> str:
    """The last line that is not empty."""
    lines = (line.strip() for line in reversed(text.splitlines()))
    return next((line for line in lines if line), "it said nothing")
