"""A board or another machine by the system's OpenSSH client: `ssh:HOST[:PORT]`, `ssh:USER@HOST`.

HOST may be an alias of ~/.ssh/config, which also says which key to use and the like. The client
must get in without asking anything.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from device_bench.runners.board import SCRIPT, read_board
from device_bench.runners.host import SHORT, State
from device_bench.runners.remote import RemoteRunner, build_for
from device_bench.runners.shell import CutOff, Ended, last_line, run_script, wrapped
from glint_edge.errors import ConfigError, RunnerError

CONFIG = "GLINT_EDGE_SSH_CONFIG"  # a file to use in place of ~/.ssh/config
COPYING = 900.0  # seconds
OPTIONS = {
    "BatchMode": "yes",  # fail where a password would be asked
    "ConnectTimeout": "10",
    # An unplugged board is noticed after 9 seconds.
    "ServerAliveInterval": "3",
    "ServerAliveCountMax": "3",
    # What someone's own sessions want is in the way here.
    "ClearAllForwardings": "yes",
    "RemoteCommand": "none",
    "RequestTTY": "no",
}

# What the client says, and what that means.
REASONS = (
    ("Could not resolve hostname", "is not known: check the name, or its entry in ~/.ssh/config"),
    ("Permission denied", "refused the login: see that `ssh {host}` gets in without a password, "
     "for example by ssh-copy-id"),
    ("Host key verification failed", "shows a host key that is new or has changed: run "
     "`ssh {host}` once and check it"),
    ("Connection refused", "refuses connections: is its ssh server running, and on this port?"),
    ("Connection timed out", "does not answer: is it switched on and in this network?"),
    ("No route to host", "does not answer: is it switched on and in this network?"),
    ("Network is unreachable", "cannot be reached: is this machine in its network?"),
)  # fmt: skip


@dataclass(frozen=True)
class SshHost:
    """See the module.

    Attributes:
        host: as `ssh` takes it: HOST or USER@HOST.
        port: None: 22, or what the configuration says.
        config: a file in place of ~/.ssh/config.
    """

    host: str
    port: int | None = None
    config: Path | None = None
    scratch: str = '"${TMPDIR:-/tmp}"'
    kept: str = '"$HOME"/.cache/glint-edge/runners'

    @property
    def name(self) -> str:
        """As sentences call it."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    def execute(self, script: str, timeout: float = SHORT) -> Ended:
        """Run a script in its shell."""
        return self._talk(script, timeout)

    def put(self, files: Mapping[str, Path], folder: str) -> None:
        """Copy files and folders, by their new names, into a folder."""
        done = self._talk(f"tar xf - -C {shlex.quote(folder)}", COPYING, _packed(files))
        if done.code:
            raise RunnerError(f"{self.name} did not take the files: {done.last_line}")

    def get(self, names: Sequence[str], folder: str, to: Path) -> None:
        """Bring files of a folder back."""
        for name in names:
            done = self._talk(f"cat {shlex.quote(f'{folder}/{name}')}", COPYING)
            if done.code:
                raise RunnerError(f"{self.name} did not give the results: {done.last_line}")
            (to / name).write_bytes(done.output)

    def state(self) -> State:
        """How it is now."""
        return State(read_board(self.execute(SCRIPT).text))

    def _talk(self, script: str, timeout: float, stdin: bytes | None = None) -> Ended:
        try:
            return run_script([*self._client(), _in_shell(script)], timeout=timeout, stdin=stdin)
        except CutOff as cut:
            raise RunnerError(self._why(cut)) from cut

    def _client(self) -> list[str]:
        client = shutil.which("ssh")
        if client is None:
            raise RunnerError(
                "ssh is not installed; Debian, Ubuntu: apt-get install openssh-client"
            )
        config = ["-F", str(self.config)] if self.config else []
        port = ["-p", str(self.port)] if self.port else []
        options = [part for name, value in OPTIONS.items() for part in ("-o", f"{name}={value}")]
        return [client, *config, *port, *options, "--", self.host]

    def _why(self, cut: CutOff) -> str:
        """One sentence."""
        if cut.code is None:
            return f"{self.name} was stopped: {cut.complaint}"
        for said, meaning in REASONS:
            if said in cut.complaint and not cut.began:
                return f"{self.name} {meaning.format(host=self.host)}"
        complaint = last_line(cut.complaint)
        return f"the connection to {self.name} was lost ({complaint}); is it still switched on?"


def open_runner(device: str) -> RemoteRunner:
    """What the entry point names.

    Args:
        device: HOST, HOST:PORT, either with USER@ before.

    Raises:
        ConfigError: it names no host.
    """
    config = os.environ.get(CONFIG)
    host, port = _parsed(device)
    where = SshHost(host, port, Path(config) if config else None)
    return RemoteRunner("ssh", device, where, build_for)


def _parsed(device: str) -> tuple[str, int | None]:
    """An IPv6 address with a port stands in brackets, as elsewhere."""
    match = re.fullmatch(r"(\S+@)?(?:\[([0-9a-fA-F:]+)\]|([^\s:\[\]]+))(?::(\d+))?", device)
    if match is None or device.startswith("-"):
        raise ConfigError(
            f"ssh:{device} names no machine; write ssh:HOST, ssh:HOST:PORT or ssh:USER@HOST:PORT"
        )
    user, address, host, port = match.groups()
    return f"{user or ''}{address or host}", int(port) if port else None


def _in_shell(script: str) -> str:
    """For the login shell, which may be any, to give to a POSIX one."""
    return f"exec sh -c {shlex.quote(wrapped(script))}"


def _packed(files: Mapping[str, Path]) -> bytes:
    """A tar archive of files and folders by their new names."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        return entry

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as archive:
        for name, path in files.items():
            archive.add(path, name, filter=plain)
    return buffer.getvalue()
