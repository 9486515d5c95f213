"""An Android phone by the system's `adb` client: `adb`, or `adb:SERIAL` where there are several.

The program runs as the phone's user "shell", in /data/local/tmp; the phone needs no root and no
app. It brings its own C library, so it does not depend on Android's.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from device_bench.native.cross import build_aarch64
from device_bench.runners.host import SHORT, State
from device_bench.runners.phone import SCRIPT, read_phone
from device_bench.runners.remote import RemoteRunner
from device_bench.runners.shell import CutOff, Ended, last_line, run_script, wrapped
from glint_edge.errors import ConfigError, RunnerError

COPYING = 900.0  # seconds
INSTALL = "adb is not installed; Debian, Ubuntu: apt-get install adb"
SCRATCH = "/data/local/tmp"  # where the user "shell" may write, and execute what it wrote

# What the client says, and what that means.
REASONS = (
    ("device unauthorized", "does not trust this machine yet: unlock it and allow USB debugging in "
     "the dialogue that it shows"),
    ("still authorizing", "is being authorized: unlock it, allow USB debugging, and try again"),
    ("device offline", "is offline: unlock it, or plug it in again"),
    ("still connecting", "is still connecting: try again in a moment"),
    ("insufficient permissions", "may not be used by this user: Debian, Ubuntu: apt-get install "
     "android-sdk-platform-tools-common, and plug it in again"),
    ("no devices/emulators found", "is not there: plug it in, and switch on USB debugging in its "
     "developer options"),
    ("' not found", "is not attached: `adb devices` lists what is"),
    ("cannot connect to daemon", "is out of reach, since no adb server answers: run "
     "`adb start-server`"),
    ("No space left", f"has no space left in {SCRATCH}: free some"),
)  # fmt: skip
SEVERAL = "more than one device"


@dataclass(frozen=True)
class Attached:
    """One line of `adb devices`.

    Attributes:
        serial: its serial number, or address and port.
        state: "device" if it can be used, else "unauthorized", "offline", …
        model: empty if it does not tell.
    """

    serial: str
    state: str
    model: str


def attached() -> list[Attached]:
    """The phones and emulators that adb knows of. Starts adb's server, as `adb devices` does.

    Raises:
        RunnerError: there is no adb client, or it fails.
    """
    done = _run([client(), "devices", "-l"], SHORT)
    if done.returncode:
        raise RunnerError(f"adb cannot list devices: {_complaint(done.stderr)}")
    listed = done.stdout.partition("List of devices attached")[2]
    lines = re.findall(r"^(\S+)[ \t]+(no permissions|\w+)(.*)$", listed, re.MULTILINE)
    return [
        Attached(serial, state, "".join(re.findall(r" model:(\S+)", rest)).replace("_", " "))
        for serial, state, rest in lines
    ]


def client() -> str:
    """The path of the adb client.

    Raises:
        RunnerError: there is none.
    """
    path = shutil.which("adb")
    if path is None:
        raise RunnerError(INSTALL)
    return path


@dataclass(frozen=True)
class AdbHost:
    """A `Host`, see `device_bench.runners.host`.

    Attributes:
        serial: of the phone; empty for the only one.
    """

    serial: str = ""
    scratch: str = SCRATCH
    kept: str = f"{SCRATCH}/glint-edge"

    @property
    def name(self) -> str:
        """As sentences call it."""
        return f"phone {self.serial}" if self.serial else "the phone"

    def execute(self, script: str, timeout: float = SHORT) -> Ended:
        """Run a script in its shell."""
        try:
            return run_script([*self._client(), "shell", wrapped(script)], timeout=timeout)
        except CutOff as cut:
            raise RunnerError(self._why(cut)) from cut

    def put(self, files: Mapping[str, Path], folder: str) -> None:
        """Copy files and folders, by their new names, into a folder."""
        for name, path in files.items():
            self._copy(["push", str(path), f"{folder}/{name}"], "did not take the files")

    def get(self, names: Sequence[str], folder: str, to: Path) -> None:
        """Bring files of a folder back."""
        for name in names:
            self._copy(["pull", f"{folder}/{name}", str(to / name)], "did not give the results")

    def state(self) -> State:
        """How it is now."""
        phone = read_phone(self.execute(SCRIPT).text)
        return State(phone.board, phone.facts(), phone.warnings())

    def _client(self) -> list[str]:
        return [client(), *(["-s", self.serial] if self.serial else [])]

    def _copy(self, arguments: Sequence[str], failed: str) -> None:
        done = _run([*self._client(), *arguments], COPYING)
        if done.returncode == 0:
            return
        said = done.stdout + done.stderr  # errors are on either, before a summary
        raise RunnerError(self._known(said) or f"{self.name} {failed}: {_complaint(said)}")

    def _why(self, cut: CutOff) -> str:
        """One sentence."""
        if cut.code is None:
            return f"{self.name} was stopped: {cut.complaint}"
        if not cut.began and (known := self._known(cut.complaint)):
            return known
        if not cut.began and not cut.code:
            return f"{self.name} does not answer as Android 7 and later do; use a newer one"
        complaint = f" ({_complaint(cut.complaint)})" if cut.complaint else ""
        return f"the connection to {self.name} was lost{complaint}; is it still plugged in?"

    def _known(self, complaint: str) -> str | None:
        """The meaning of what the client said."""
        if SEVERAL in complaint:
            names = " or ".join(f"adb:{one.serial}" for one in attached())
            return f"several phones are attached; name one: {names}"
        meanings = (f"{self.name} {meaning}" for said, meaning in REASONS if said in complaint)
        return next(meanings, None)


def open_runner(device: str) -> RemoteRunner:
    """What the entry point names.

    Args:
        device: a serial number as `adb devices` shows it; empty for the only phone.

    Raises:
        ConfigError: that is no serial number.
    """
    if not re.fullmatch(r"([^\s-]\S*)?", device):
        raise ConfigError(f"adb:{device} names no phone; write adb:SERIAL, see `adb devices`")
    return RemoteRunner("adb", device, AdbHost(device), build_for_phone)


def build_for_phone(target: str, machine: str, on_step: Callable[[str], None]) -> Path:
    """The folder of the program for a phone, built unless it is in the cache.

    Raises:
        GlintEdgeError: it cannot be built here, or not for this processor.
    """
    if machine != "aarch64":
        raise RunnerError(
            f"the phone's processor is {machine}, and the native program is for 64-bit Arm phones; "
            "use one of those"
        )
    return build_aarch64(target, on_step)


def _run(command: Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
    """Run the client to its end."""
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise RunnerError(
            f"adb did not end within {timeout:.0f} seconds; run `adb kill-server` and try again"
        ) from error


def _complaint(said: str) -> str:
    """Its line that is marked as an error, without the mark; else its last one."""
    marked = re.search(r"^(?:adb: )?error: (.+)", said, re.MULTILINE)
    return marked[1].strip() if marked else last_line(said)
